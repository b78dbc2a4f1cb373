//! Of what type the messages of all connections are.

use std::io;

use crate::{
    Fingerprint,
    transport::family::socket::{hub::Hub, note::Refusal},
};

impl Hub {
    /// A sender says of what type its messages are.
    pub(super) fn declare(&mut self, at: usize, of: Fingerprint) {
        let known = self.known_type(Some(at));
        let Some(line) = self.line(at) else {
            return;
        };
        if of != Fingerprint::UNTYPED && known != Fingerprint::UNTYPED && known != of {
            return self.refuse(at, Refusal::Type(known));
        }
        line.declared = of;
        self.publish();
    }

    /// The type that this end or some sender but `except` has declared.
    fn known_type(&self, except: Option<usize>) -> Fingerprint {
        let lines = self.lines.iter().enumerate();
        let others = lines.filter(|(at, _)| Some(*at) != except);
        let mut declared = others.filter_map(|(_, line)| Some(line.as_ref()?.declared));
        match self.own {
            Fingerprint::UNTYPED => declared
                .find(|of| *of != Fingerprint::UNTYPED)
                .unwrap_or(Fingerprint::UNTYPED),
            own => own,
        }
    }

    pub(super) fn publish(&mut self) {
        self.publish_as(self.known_type(None));
    }

    fn publish_as(&mut self, known: Fingerprint) {
        // If the path is gone nobody comes any more to be told.
        if known != self.published && self.name.publish(known).is_ok() {
            self.published = known;
        }
    }

    /// This end receives messages of this type from now on; or it does not, and is told which it is.
    pub(crate) fn agree(&mut self, of: Fingerprint) -> io::Result<Option<Fingerprint>> {
        // First published, then looked: of two who come at once at least one sees the other.
        self.publish_as(of);
        self.listen_to_notes()?;
        let mut declared = self.lines.iter().flatten().map(|line| line.declared);
        let other = declared.find(|found| *found != Fingerprint::UNTYPED && *found != of);
        if other.is_none() {
            self.own = of;
        }
        self.publish();
        Ok(other)
    }
}
