//! What the channels over sockets have in common: all but their name.

use std::os::fd::OwnedFd;

use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::{
    OpenError,
    transport::family::socket::{
        calls, place::Place, receiver::SocketReceiver, sender::SocketSender,
    },
};

/// Opens both ends.
pub(crate) fn pair(place: &Place) -> Result<(SocketSender, SocketReceiver), OpenError> {
    if place.is_named() {
        let mut receiver = SocketReceiver::by_name(place.clone())?;
        let sender = SocketSender::by_name(place.clone())?;
        receiver.take_in().map_err(|e| place.os(e))?;
        return Ok((sender, receiver));
    }
    let failed = |error: std::io::Error| place.os(error);
    let (tx, rx) = calls::pair(place.form.kind()).map_err(failed)?;
    for socket in [&tx, &rx] {
        place.make_room(socket)?;
    }
    let card = memfd_create("laneway-types", MFdFlags::MFD_CLOEXEC).map_err(|e| place.os(e))?;
    let theirs: OwnedFd =
        crate::presence::reopen(&card, nix::fcntl::OFlag::O_RDWR).map_err(failed)?;
    Ok((
        SocketSender::of_pair(place.clone(), tx, card).map_err(failed)?,
        SocketReceiver::of_pair(place.clone(), rx, theirs).map_err(failed)?,
    ))
}

/// Implements the builder's methods and the traits of a channel that is a `Place`.
macro_rules! socket_channel {
    ($channel:ident, $form:expr, $scheme:literal, $summary:literal, $aliases:expr) => {
        impl $channel {
            /// A channel at `path`; without a name if that is empty.
            #[must_use]
            pub fn new(path: impl Into<std::ffi::OsString>) -> Self {
                Self($crate::transport::family::socket::place::Place::new(
                    $form,
                    $scheme,
                    path.into(),
                ))
            }

            /// Lets so many bytes be under way from each sender, with what the kernel adds to them. Up to twice net.core.wmem_max.
            #[must_use]
            pub fn capacity(mut self, bytes: usize) -> Self {
                self.0.capacity = Some(bytes);
                self
            }

            /// Lets processes of these users be across, besides those of this process's own. The kernel tells who they are.
            #[must_use]
            pub fn allow_uid(mut self, users: impl IntoIterator<Item = u32>) -> Self {
                self.0.users = users.into_iter().collect();
                self
            }
        }

        impl TryFrom<&$crate::Address> for $channel {
            type Error = $crate::AddressError;

            fn try_from(address: &$crate::Address) -> Result<Self, $crate::AddressError> {
                address.check($scheme, $crate::transport::family::socket::place::KEYS)?;
                let read = $crate::transport::family::socket::place::Place::read;
                Ok(Self(read($form, $scheme, address)?))
            }
        }

        impl $crate::Transport for $channel {
            const SCHEME: &'static str = $scheme;
            const ALIASES: &'static [&'static str] = $aliases;
            const SUMMARY: &'static str = $summary;
            const KEYS: &'static [$crate::Key] = $crate::transport::family::socket::place::KEYS;

            fn example_name(unique: &str) -> Option<String> {
                let path = std::env::temp_dir().join(unique);
                Some(path.to_string_lossy().into_owned())
            }
        }

        impl $crate::Channel for $channel {
            type Sender = $crate::transport::family::socket::sender::SocketSender;
            type Receiver = $crate::transport::family::socket::receiver::SocketReceiver;

            fn address(&self) -> $crate::Address {
                self.0.address()
            }

            fn capabilities(&self) -> $crate::Capabilities {
                self.0.capabilities()
            }

            fn pair(&self) -> Result<(Self::Sender, Self::Receiver), $crate::OpenError> {
                $crate::transport::family::socket::transport::pair(&self.0)
            }

            fn sender(&self) -> Result<Self::Sender, $crate::OpenError> {
                $crate::transport::family::socket::sender::SocketSender::by_name(self.0.clone())
            }

            fn receiver(&self) -> Result<Self::Receiver, $crate::OpenError> {
                $crate::transport::family::socket::receiver::SocketReceiver::by_name(self.0.clone())
            }

            fn adopt_sender(
                &self,
                handoff: $crate::Handoff,
            ) -> Result<Self::Sender, $crate::OpenError> {
                $crate::transport::family::socket::sender::SocketSender::adopt(
                    self.0.clone(),
                    handoff,
                )
            }

            fn adopt_receiver(
                &self,
                handoff: $crate::Handoff,
            ) -> Result<Self::Receiver, $crate::OpenError> {
                $crate::transport::family::socket::receiver::SocketReceiver::adopt(
                    self.0.clone(),
                    handoff,
                )
            }

            fn unlink(&self) -> std::io::Result<()> {
                $crate::transport::family::socket::name::unlink(self.0.path())
            }
        }
    };
}

pub(crate) use socket_channel;
