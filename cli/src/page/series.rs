//! Which colour a channel has: the same in every plot.

use laneway::{Address, measure::Comparison};
use maud::{Markup, html};

/// How many colours there are.
const COLOURS: usize = 8;
/// What is not shown beside a transport: how large a channel is made follows from its messages.
const SIZES: [&str; 2] = ["capacity", "max_message"];

/// The channels of a comparison, in order.
#[derive(Debug)]
pub(super) struct Series {
    names: Vec<String>,
}

impl Series {
    /// Those that were measured.
    pub(super) fn of(comparison: &Comparison) -> Self {
        let mut names: Vec<String> = Vec::new();
        for report in &comparison.reports {
            let name = name(&report.address);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Self { names }
    }

    /// The class that has the channel's colour.
    pub(super) fn class(&self, address: &str) -> String {
        match self.place(address) {
            Some(place) => format!("s s{}", place % COLOURS),
            None => "s other".to_owned(),
        }
    }

    /// Its place, or that of the same transport if none waits like this.
    fn place(&self, address: &str) -> Option<usize> {
        let position = |name: &str| self.names.iter().position(|known| known == name);
        position(&name(address)).or_else(|| position(transport(address)))
    }

    /// Which colour is which channel.
    pub(super) fn legend(&self) -> Markup {
        html! {
            p.legend {
                @for name in &self.names {
                    span class=(self.class(name)) { span.swatch {} code { (name) } }
                    " "
                }
            }
        }
    }
}

/// What stands before the keys.
fn transport(address: &str) -> &str {
    address.split('?').next().unwrap_or_default()
}

/// A channel without its sizes, so that it is the same one for messages of any size.
pub(super) fn name(address: &str) -> String {
    without(&SIZES, address)
}

/// The same without how its processes wait, for a plot that says so itself.
pub(super) fn unwaiting(address: &str) -> String {
    without(&["wait"], &name(address))
}

fn without(keys: &[&str], address: &str) -> String {
    let Ok(address) = address.parse::<Address>() else {
        return address.to_owned();
    };
    let text = address.to_string();
    let Some((start, query)) = text.split_once('?') else {
        return text;
    };
    let is_kept = |pair: &&str| {
        let key = pair.split('=').next().unwrap_or_default();
        !keys.contains(&key)
    };
    let kept: Vec<&str> = query.split('&').filter(is_kept).collect();
    match kept.as_slice() {
        [] => start.to_owned(),
        kept => format!("{start}?{}", kept.join("&")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_make_no_other_channel() {
        assert_eq!(name("pipe:?capacity=1048576"), "pipe:");
        assert_eq!(
            name("shm+lock:?capacity=1MiB&wait=park"),
            "shm+lock:?wait=park"
        );
        assert_eq!(name("sysv:"), "sysv:");
        assert_eq!(unwaiting("shm+lock:?capacity=1MiB&wait=park"), "shm+lock:");
        assert_eq!(unwaiting("pipe:?mode=packet"), "pipe:?mode=packet");
    }
}
