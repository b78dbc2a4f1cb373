//! Where a channel over sockets is, and what its keys say.

use std::{ffi::OsString, os::unix::ffi::OsStrExt, path::Path};

use nix::unistd::Uid;

use crate::{
    Address, AddressError, AddressProblem, Capabilities, Fan, Key, OpenError, OpenErrorKind,
    SystemLimit,
    transport::family::{
        path,
        socket::{
            calls,
            form::{Form, SETTING},
        },
    },
};

/// The keys.
pub(crate) const KEYS: &[Key] = &[
    Key {
        name: "capacity",
        form: "SIZE",
        summary: "bytes under way from each sender, with the kernel's own, up to twice net.core.wmem_max (net.core.wmem_default)",
    },
    Key {
        name: "allow_uid",
        form: "N[,N]",
        summary: "users whose processes may be across, besides this one's own (none)",
    },
];
/// More than any kernel gives.
const MOST: usize = 1 << 31;
/// Less is made this much by the kernel.
const LEAST: usize = 8 << 10;
/// What the capacity key takes.
const CAPACITY_FORM: &str = "a size from 8KiB to 2GiB, such as 64KiB or 1MiB";
/// What the key of users takes.
const USERS_FORM: &str =
    "numbers of users with commas between, such as 1000 or 0,1000, and a channel with a path";
/// The longest path of a socket.
const PATH_MOST: usize = 107;

/// A channel that is described and not opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) form: Form,
    pub(crate) scheme: &'static str,
    /// Empty if it has no name.
    pub(crate) path: OsString,
    pub(crate) capacity: Option<usize>,
    /// Users who may be across, besides our own.
    pub(crate) users: Vec<u32>,
}

impl Place {
    /// At `path`.
    pub(crate) const fn new(form: Form, scheme: &'static str, path: OsString) -> Self {
        Self {
            form,
            scheme,
            path,
            capacity: None,
            users: Vec::new(),
        }
    }

    /// From an address, whose scheme and keys were checked.
    pub(crate) fn read(
        form: Form,
        scheme: &'static str,
        address: &Address,
    ) -> Result<Self, AddressError> {
        path::check_address(address)?;
        let mut place = Self::new(form, scheme, address.name().to_owned());
        if let Err(why) = place.check_path() {
            return Err(address.error_at_name(AddressProblem::BadName(why)));
        }
        place.capacity = address.size("capacity")?;
        if let Some(bytes) = place.capacity
            && !(LEAST..=MOST).contains(&bytes)
        {
            return Err(address.error_at("capacity", AddressProblem::BadValue(CAPACITY_FORM)));
        }
        let named = place.is_named();
        let users = address.parse_with("allow_uid", USERS_FORM, |text| {
            let users: Result<Vec<u32>, _> = text.split(',').map(str::parse).collect();
            users.ok().filter(|_| named)
        })?;
        place.users = users.unwrap_or_default();
        Ok(place)
    }

    /// As an address.
    pub(crate) fn address(&self) -> Address {
        let mut address = Address::of(self.scheme, &self.path);
        if let Some(bytes) = self.capacity {
            address = address.with("capacity", bytes);
        }
        if !self.users.is_empty() {
            let users: Vec<String> = self.users.iter().map(u32::to_string).collect();
            address = address.with("allow_uid", users.join(","));
        }
        address
    }

    /// Whether it has a path.
    pub(crate) fn is_named(&self) -> bool {
        !self.path.is_empty()
    }

    /// The path.
    pub(crate) fn path(&self) -> &Path {
        Path::new(&self.path)
    }

    fn check_path(&self) -> Result<(), &'static str> {
        path::check(&self.path)?;
        if self.path.as_bytes().len() > PATH_MOST {
            return Err("the path is too long for a socket; 107 bytes are the most");
        }
        Ok(())
    }

    /// Whether a process of this user may be across.
    pub(crate) fn allows(&self, uid: u32) -> bool {
        uid == Uid::effective().as_raw() || self.users.contains(&uid)
    }

    /// Whether processes of others may.
    pub(crate) fn allows_others(&self) -> bool {
        !self.users.is_empty()
    }

    /// What it can do. A sender that was handed over shares its connection, which packets may and frames may not.
    pub(crate) fn capabilities(&self) -> Capabilities {
        let fan = |many| if many { Fan::Many } else { Fan::One };
        let packets = self.form == Form::Packet;
        Capabilities {
            senders: fan(packets || self.is_named()),
            receivers: fan(packets && !self.is_named()),
            anonymous: true,
            named: true,
            pollable: true,
            awaitable: true,
            kernel_buffered: true,
            holds_early: false,
            ..Capabilities::LEAST
        }
    }

    /// An error about it.
    pub(crate) fn error(&self, kind: OpenErrorKind) -> OpenError {
        OpenError::new(self.address(), kind)
    }

    /// An error of the system about it.
    pub(crate) fn os(&self, error: impl Into<std::io::Error>) -> OpenError {
        OpenError::os(self.address(), error.into())
    }

    /// Whether it can be opened by name.
    pub(crate) fn check_named(&self) -> Result<(), OpenError> {
        if !self.is_named() {
            return Err(self.error(OpenErrorKind::Unnamed));
        }
        self.check_path()
            .map_err(|why| self.error(OpenErrorKind::Refused(why)))
    }

    /// Gives a socket the room that was asked for.
    pub(crate) fn make_room(&self, socket: &std::os::fd::OwnedFd) -> Result<(), OpenError> {
        let Some(bytes) = self.capacity else {
            return Ok(());
        };
        if !(LEAST..=MOST).contains(&bytes) {
            return Err(self.error(OpenErrorKind::Refused(CAPACITY_FORM)));
        }
        calls::set_room(socket, bytes).map_err(|e| self.os(e))?;
        let found = calls::room(socket).map_err(|e| self.os(e))?;
        if found >= bytes {
            return Ok(());
        }
        Err(match SystemLimit::read(SETTING) {
            Some(limit) => self.error(OpenErrorKind::Limit(limit)),
            None => self.error(OpenErrorKind::Shape {
                what: "capacity",
                expected: bytes as u64,
                found: found as u64,
            }),
        })
    }
}
