//! What is asked of a channel.

use std::{error::Error, fmt, num::NonZeroU16, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    WaitStrategy,
    measure::{sizes::Sizes, wait},
};

/// How many processes send and how many receive: `producers x consumers`, as in `1x1` or `4x4`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Shape {
    /// Processes that send.
    pub producers: NonZeroU16,
    /// Processes that receive. Each message goes to one of them.
    pub consumers: NonZeroU16,
}

impl Shape {
    /// One producer, one consumer.
    pub const ONE_TO_ONE: Self = Self {
        producers: NonZeroU16::MIN,
        consumers: NonZeroU16::MIN,
    };
    /// The most processes at each end.
    pub const MOST: u16 = 64;

    /// How many processes that is.
    #[must_use]
    pub const fn processes(&self) -> usize {
        self.producers.get() as usize + self.consumers.get() as usize
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.producers, self.consumers)
    }
}

/// Why a text is not a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShapeError;

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = Shape::MOST;
        write!(
            f,
            "write producers x consumers, 1 to {most} each, as in 1x1 or 4x4"
        )
    }
}

impl Error for ShapeError {}

impl FromStr for Shape {
    type Err = ShapeError;

    fn from_str(text: &str) -> Result<Self, ShapeError> {
        let number = |digits: &str| {
            let number: NonZeroU16 = digits.parse().ok()?;
            (number.get() <= Self::MOST).then_some(number)
        };
        let (producers, consumers) = text.split_once('x').ok_or(ShapeError)?;
        Ok(Self {
            producers: number(producers).ok_or(ShapeError)?,
            consumers: number(consumers).ok_or(ShapeError)?,
        })
    }
}

/// What the processes of a session send to each other: numbered messages, one message a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Workload {
    /// Bytes of each message.
    pub sizes: Sizes,
    /// How many send and receive.
    pub shape: Shape,
    /// Messages a second, of all producers together, at times that are fixed beforehand. `None` means as many as go
    /// through; a trace with gaps then keeps its own rate.
    pub rate: Option<f64>,
    /// Whether each message is answered by one of the same size.
    pub reply: bool,
    /// How processes wait, on transports that give the choice: those whose addresses have the key `wait`. `None` leaves it
    /// to the address.
    #[serde(with = "wait")]
    pub wait: Option<WaitStrategy>,
}

impl Workload {
    /// Messages of `size` bytes from one process to one other, as many as go through.
    #[must_use]
    pub const fn new(size: usize) -> Self {
        Self::of(Sizes::Fixed(size))
    }

    /// Messages of these sizes, else the same.
    #[must_use]
    pub const fn of(sizes: Sizes) -> Self {
        Self {
            sizes,
            shape: Shape::ONE_TO_ONE,
            rate: None,
            reply: false,
            wait: None,
        }
    }

    /// The same between so many processes.
    #[must_use]
    pub const fn shape(mut self, shape: Shape) -> Self {
        self.shape = shape;
        self
    }

    /// The same at so many messages a second, of all producers together.
    #[must_use]
    pub const fn rate(mut self, rate: f64) -> Self {
        self.rate = Some(rate);
        self
    }

    /// The same with an answer to each message.
    #[must_use]
    pub const fn reply(mut self) -> Self {
        self.reply = true;
        self
    }

    /// The same waiting like this.
    #[must_use]
    pub const fn wait(mut self, wait: WaitStrategy) -> Self {
        self.wait = Some(wait);
        self
    }

    /// Messages a second that arrive whether or not they go through: the rate asked for, else that of the trace.
    #[must_use]
    pub fn arrivals(&self) -> Option<f64> {
        self.rate.or_else(|| match &self.sizes {
            Sizes::Trace(trace) => trace.rate(),
            _ => None,
        })
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} messages, {}", self.sizes, self.shape)?;
        match self.arrivals() {
            Some(rate) => write!(f, ", {rate:.0} a second")?,
            None => f.write_str(", as many as go through")?,
        }
        if self.reply {
            f.write_str(", each answered")?;
        }
        Ok(())
    }
}

/// When a measurement ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// After so many messages.
    Messages(u64),
    /// After this time.
    Time(Duration),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_parse_and_print() {
        let shape: Shape = "4x16".parse().expect("a shape");
        assert_eq!((shape.producers.get(), shape.consumers.get()), (4, 16));
        assert_eq!(shape.to_string(), "4x16");
        for bad in ["", "1", "x", "0x1", "1x65", "1x1x1", "-1x1", "a x b"] {
            assert_eq!(bad.parse::<Shape>(), Err(ShapeError), "{bad}");
        }
    }
}
