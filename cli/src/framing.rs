//! Where one message ends and the next begins, outside of a channel.

/// How messages lie in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Framing {
    /// Each is a line; its newline is no part of it
    #[default]
    Lines,
    /// Each has its length in front: 4 bytes, the lowest first
    Len,
    /// Bytes, unaltered: where they are cut does not matter
    Raw,
}

/// What the command line says of it.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Framed {
    /// Where a message ends in the file
    #[arg(long, value_enum, default_value_t, conflicts_with = "raw")]
    framing: Framing,
    /// The same as --framing raw
    #[arg(long)]
    raw: bool,
}

impl Framed {
    /// What was said.
    pub(crate) const fn framing(self) -> Framing {
        match self.raw {
            true => Framing::Raw,
            false => self.framing,
        }
    }
}

/// Bytes in front of a message that has its length there.
pub(crate) const PREFIX: usize = size_of::<u32>();
