//! A transport that breaks its promises: a pipe whose sender lies about one message in a thousand.

use std::io;

use laneway::{
    Address, AddressError, Capabilities, Channel, Deadline, Handoff, Key, OpenError, OpenErrorKind,
    SendError, Sender, Transport,
    transport::{Pipe, StreamReceiver, StreamSender},
};

use crate::wrapped::wrapped;

/// How often it lies.
const EVERY: u64 = 1000;

/// What it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lie {
    Drop,
    Flip,
    Twice,
    /// Keeps it until after the next.
    Swap,
    Cut,
    /// Ends the process.
    Die,
    /// Drops what is empty, such as the mark that a session waits for.
    Hush,
}

const LIES: &[(&str, Lie)] = &[
    ("drop", Lie::Drop),
    ("flip", Lie::Flip),
    ("twice", Lie::Twice),
    ("swap", Lie::Swap),
    ("cut", Lie::Cut),
    ("die", Lie::Die),
    ("hush", Lie::Hush),
];

/// The channel.
#[derive(Debug)]
pub(crate) struct Liar {
    pipe: Pipe,
    lie: Lie,
}

impl TryFrom<&Address> for Liar {
    type Error = AddressError;

    fn try_from(address: &Address) -> Result<Self, AddressError> {
        address.check(Self::SCHEME, Self::KEYS)?;
        let lie =
            address.parse_with("lie", "drop, flip, twice, swap, cut, die or hush", |word| {
                LIES.iter()
                    .find(|(name, _)| *name == word)
                    .map(|(_, lie)| *lie)
            })?;
        Ok(Self {
            pipe: Pipe::new(),
            lie: lie.unwrap_or(Lie::Drop),
        })
    }
}

impl Transport for Liar {
    const SCHEME: &'static str = "liar";
    const SUMMARY: &'static str = "a pipe that lies";
    const KEYS: &'static [Key] = &[Key {
        name: "lie",
        form: "drop|flip|twice|swap|cut|die|hush",
        summary: "how it lies (drop)",
    }];

    fn example_name(_: &str) -> Option<String> {
        None
    }
}

impl Liar {
    fn liar(&self, inner: StreamSender) -> LiarSender {
        LiarSender {
            inner,
            address: self.address(),
            lie: self.lie,
            sent: 0,
            kept: None,
        }
    }

    fn unnamed(&self) -> OpenError {
        OpenError::new(self.address(), OpenErrorKind::Unnamed)
    }
}

impl Channel for Liar {
    type Sender = LiarSender;
    type Receiver = LiarReceiver;

    fn address(&self) -> Address {
        let word = LIES.iter().find(|(_, lie)| *lie == self.lie);
        let address = Address::new(Self::SCHEME, "").expect("a good address");
        address.with("lie", word.expect("listed").0)
    }

    fn capabilities(&self) -> Capabilities {
        self.pipe.capabilities()
    }

    fn pair(&self) -> Result<(LiarSender, LiarReceiver), OpenError> {
        let (tx, inner) = self.pipe.pair()?;
        let address = self.address();
        Ok((self.liar(tx), LiarReceiver { inner, address }))
    }

    fn sender(&self) -> Result<LiarSender, OpenError> {
        Err(self.unnamed())
    }

    fn receiver(&self) -> Result<LiarReceiver, OpenError> {
        Err(self.unnamed())
    }

    fn adopt_sender(&self, handoff: Handoff) -> Result<LiarSender, OpenError> {
        Ok(self.liar(self.pipe.adopt_sender(handoff)?))
    }

    fn adopt_receiver(&self, handoff: Handoff) -> Result<LiarReceiver, OpenError> {
        let inner = self.pipe.adopt_receiver(handoff)?;
        let address = self.address();
        Ok(LiarReceiver { inner, address })
    }

    fn unlink(&self) -> io::Result<()> {
        self.pipe.unlink()
    }
}

/// The end that lies.
#[derive(Debug)]
pub(crate) struct LiarSender {
    inner: StreamSender,
    address: Address,
    lie: Lie,
    sent: u64,
    /// What is to be sent after the next message.
    kept: Option<Vec<u8>>,
}

/// The end that does not, except about its name.
#[derive(Debug)]
pub(crate) struct LiarReceiver {
    inner: StreamReceiver,
    address: Address,
}

wrapped!(LiarSender, LiarReceiver);

impl Sender for LiarSender {
    fn reserve(&mut self, len: usize, deadline: Deadline) -> Result<&mut [u8], SendError> {
        self.inner.reserve(len, deadline)
    }

    fn reserved(&mut self) -> &mut [u8] {
        self.inner.reserved()
    }

    fn commit(&mut self, len: usize) -> Result<(), SendError> {
        self.inner.commit(len)
    }

    fn abort(&mut self) {
        self.inner.abort();
    }

    fn send_by(&mut self, message: &[u8], deadline: Deadline) -> Result<(), SendError> {
        self.sent += 1;
        if self.lie == Lie::Hush && message.is_empty() {
            return Ok(());
        }
        if !self.sent.is_multiple_of(EVERY) {
            self.inner.send_by(message, deadline)?;
            return match self.kept.take() {
                Some(kept) => self.inner.send_by(&kept, deadline),
                None => Ok(()),
            };
        }
        let mut other = message.to_vec();
        match self.lie {
            Lie::Drop => return Ok(()),
            Lie::Swap => {
                self.kept = Some(other);
                return Ok(());
            }
            Lie::Flip => other.iter_mut().last().into_iter().for_each(|b| *b ^= 4),
            Lie::Twice => self.inner.send_by(message, deadline)?,
            Lie::Cut => drop(other.pop()),
            Lie::Die => std::process::exit(7),
            Lie::Hush => {}
        }
        self.inner.send_by(&other, deadline)
    }
}

impl laneway::Receiver for LiarReceiver {
    fn peek(&mut self, deadline: Deadline) -> Result<&[u8], laneway::RecvError> {
        self.inner.peek(deadline)
    }

    fn peeked(&self) -> &[u8] {
        self.inner.peeked()
    }

    fn consume(&mut self) {
        self.inner.consume();
    }
}
