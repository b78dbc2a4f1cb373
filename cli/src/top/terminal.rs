//! The terminal, ours while the page is shown, and as it was before afterwards.

use std::{
    io::{self, Read, Write, stdin, stdout},
    time::{Duration, Instant},
};

use crossterm::{
    cursor::{Hide, MoveTo, Show},
    execute, queue,
    terminal::{
        self, BeginSynchronizedUpdate, Clear, ClearType, DisableLineWrap, EnableLineWrap,
        EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    },
};
use nix::poll::PollFlags;

use super::page::Order;
use crate::stop::look;

/// How long a key is waited for before signals and the size are looked at.
const TICK: Duration = Duration::from_millis(100);
/// What Ctrl-C is where the terminal makes no signal of it.
const INTERRUPT: u8 = 3;
/// What the keys that are no characters start with.
const ESCAPE: u8 = 0x1b;
/// The same of Ctrl-D.
const END: u8 = 4;

/// What was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Quit,
    Sort(Order),
    Other,
}

/// The screen beside the one with the user's lines, and keys one by one. Given back when dropped, also by a panic.
#[derive(Debug)]
pub(super) struct Terminal {
    /// Whether somebody types.
    has_keys: bool,
}

impl Terminal {
    /// Takes it.
    pub(super) fn take(has_keys: bool) -> io::Result<Self> {
        if has_keys {
            terminal::enable_raw_mode()?;
        }
        let taken = Self { has_keys };
        execute!(stdout(), EnterAlternateScreen, DisableLineWrap, Hide)?;
        Ok(taken)
    }

    /// Columns and rows, as they are now.
    pub(super) fn size(&self) -> (usize, usize) {
        let (columns, rows) = terminal::size().unwrap_or((80, 24));
        (columns.max(1).into(), rows.max(1).into())
    }

    /// Shows these lines and nothing else, without a moment between.
    pub(super) fn draw(&mut self, page: &str) -> io::Result<()> {
        let is_plain = anstream::stdout().current_choice() == anstream::ColorChoice::Never;
        let mut bytes = Vec::new();
        queue!(bytes, BeginSynchronizedUpdate, MoveTo(0, 0))?;
        for (number, line) in page.lines().enumerate() {
            if number > 0 {
                bytes.extend_from_slice(b"\r\n");
            }
            match is_plain {
                true => write!(bytes, "{}", anstream::adapter::strip_str(line))?,
                false => bytes.extend_from_slice(line.as_bytes()),
            }
            queue!(bytes, Clear(ClearType::UntilNewLine))?;
        }
        queue!(
            bytes,
            Clear(ClearType::FromCursorDown),
            EndSynchronizedUpdate
        )?;
        let mut out = stdout().lock();
        out.write_all(&bytes)?;
        out.flush()
    }

    /// What is pressed before `until`; nothing also after a while, or by a signal.
    pub(super) fn key(&mut self, until: Instant) -> io::Result<Option<Key>> {
        let wait = until.saturating_duration_since(Instant::now()).min(TICK);
        if !self.has_keys {
            std::thread::sleep(wait);
            return Ok(None);
        }
        if look(stdin(), PollFlags::POLLIN, wait)?.is_empty() {
            return Ok(None);
        }
        let mut bytes = [0; 64];
        let read = stdin().lock().read(&mut bytes)?;
        Ok(Some(pressed(bytes.get(..read).unwrap_or_default())))
    }
}

/// What several bytes that came together mean: whoever typed ahead meant the last, and to quit.
fn pressed(bytes: &[u8]) -> Key {
    // The terminal is gone.
    let mut key = if bytes.is_empty() {
        Key::Quit
    } else {
        Key::Other
    };
    let mut rest = bytes.iter();
    while let Some(byte) = rest.next() {
        key = match byte {
            b'q' | b'Q' | &INTERRUPT | &END => return Key::Quit,
            b'r' => Key::Sort(Order::Rate),
            b'b' => Key::Sort(Order::Blocked),
            b'd' => Key::Sort(Order::Depth),
            b'n' => Key::Sort(Order::Name),
            &ESCAPE => {
                // An arrow or the like: up to its last byte, which is a letter or a tilde.
                let _ = rest.find(|byte| byte.is_ascii_alphabetic() || **byte == b'~');
                key
            }
            _ => key,
        };
    }
    key
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Nobody is left to tell if the terminal is gone.
        let _ = execute!(stdout(), Show, EnableLineWrap, LeaveAlternateScreen);
        if self.has_keys {
            let _ = terminal::disable_raw_mode();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_ahead_is_not_lost() {
        for (bytes, key) in [
            (&b"q"[..], Key::Quit),
            (b"n\x1b[Aq", Key::Quit),
            (b"\x03", Key::Quit),
            (b"", Key::Quit),
            (b"rd", Key::Sort(Order::Depth)),
            (b"\x1b[D", Key::Other),
            (b"\x1b[6~b", Key::Sort(Order::Blocked)),
        ] {
            assert_eq!(pressed(bytes), key, "{bytes:?}");
        }
    }
}
