//! What people see: channels under each other, their sides below.

use std::{cmp::Ordering, fmt::Write as _, time::Duration};

use anstyle::{AnsiColor, Style};

use crate::{
    command,
    gauge::{Reading, Side},
    screen::{BOLD, NONE},
};

const DIM: Style = Style::new().dimmed();
const GREEN: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green)));
const YELLOW: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Yellow)));
const RED: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red)));
const CYAN: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Cyan)));
const PLAIN: Style = Style::new();
const BAR: Style = Style::new()
    .fg_color(Some(anstyle::Color::Ansi(AnsiColor::Black)))
    .bg_color(Some(anstyle::Color::Ansi(AnsiColor::Cyan)));

/// Cells of the bar that shows how full a channel is.
const CELLS: usize = 8;
/// The most columns that processes have.
const PROCESSES: usize = 40;
/// The columns behind the address, with their heads, and the fewest cells that they have.
const COLUMNS: [(&str, usize); 8] = [
    ("SIDE", 4),
    ("PROCESS", 13),
    ("MSG/S", 7),
    ("BYTES/S", 8),
    ("BLOCKED", 7),
    ("WAKES/S", 7),
    ("DROPS", 6),
    ("DEPTH", 15),
];
/// What a narrow terminal does not show, the first first.
const SPARED: [&str; 5] = ["WAKES/S", "BYTES/S", "PROCESS", "DROPS", "BLOCKED"];
/// The fewest columns of an address.
const ADDRESS: usize = 16;
/// Those that are to the left.
const LEFT: [&str; 3] = ["SIDE", "PROCESS", "DEPTH"];

/// What comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Rate,
    Blocked,
    Depth,
    Name,
}

/// One look, in the order that it is shown in.
#[derive(Debug)]
pub(super) struct Page<'a> {
    /// The sides of each channel.
    channels: Vec<Vec<&'a Side>>,
    order: Order,
}

impl<'a> Page<'a> {
    /// A look, in this order.
    pub(super) fn of(reading: &'a Reading, order: Order) -> Self {
        let mut channels: Vec<Vec<&Side>> = Vec::new();
        for side in &reading.endpoints {
            match channels.last_mut() {
                Some(last) if last.first().is_some_and(|first| is_same(first, side)) => {
                    last.push(side);
                }
                _ => channels.push(vec![side]),
            }
        }
        let most = |channel: &[&Side], of: fn(&Side) -> f64| {
            channel.iter().map(|side| of(side)).fold(0.0, f64::max)
        };
        let of: Option<fn(&Side) -> f64> = match order {
            Order::Rate => Some(Side::rate),
            Order::Blocked => Some(|side| side.rates.map_or(0.0, |rates| rates.blocked)),
            Order::Depth => Some(|side| fill(side).unwrap_or(0.0)),
            Order::Name => None,
        };
        if let Some(of) = of {
            channels.sort_by(|a, b| {
                let order = most(b, of).partial_cmp(&most(a, of));
                order.unwrap_or(Ordering::Equal)
            });
        }
        Self { channels, order }
    }

    /// The whole page of a terminal of this size.
    pub(super) fn full(&self, columns: usize, rows: usize, interval: Duration) -> String {
        let head = format!(" laneway top   {}", self.summary());
        let every = format!("every {} s ", interval.as_secs_f64());
        let gap = columns.saturating_sub(head.chars().count() + every.chars().count());
        let bar = fit(&format!("{head}{}{every}", " ".repeat(gap)), columns);
        let mut lines = vec![format!("{BAR}{bar}{BAR:#}"), String::new()];
        lines.extend(self.lines(columns));
        let sorts = [
            (Order::Rate, "r rate"),
            (Order::Blocked, "b blocked"),
            (Order::Depth, "d depth"),
            (Order::Name, "n name"),
        ];
        let mut foot = format!("{DIM} q quits   sorted by{DIM:#}");
        for (order, word) in sorts {
            let style = if order == self.order { BOLD } else { DIM };
            let _ = write!(foot, "  {style}{word}{style:#}");
        }
        let body = rows.saturating_sub(2);
        let hidden = lines.len().saturating_sub(body);
        lines.truncate(body);
        lines.resize(body, String::new());
        if hidden > 0 {
            let _ = write!(foot, "   {YELLOW}{hidden} lines more{YELLOW:#}");
        }
        lines.extend([String::new(), foot]);
        lines.join("\n")
    }

    /// The table alone, as wide as it must be: nothing is cut for who searches it.
    pub(super) fn table(&self) -> String {
        let lines = self.lines(usize::MAX).into_iter();
        let lines = lines.map(|line| line.trim_end().to_owned() + "\n");
        lines.collect()
    }

    /// How much there is in all.
    fn summary(&self) -> String {
        let sides = || self.channels.iter().flatten();
        let sent = |of: fn(&Side) -> f64| -> f64 {
            let senders = sides().filter(|side| side.side == "send");
            senders.map(|side| of(side)).sum()
        };
        let bytes = |side: &Side| side.rates.and_then(|rates| rates.bytes).unwrap_or(0.0);
        format!(
            "{} channels   {} msg/s   {}B/s",
            self.count(),
            short(sent(Side::rate)),
            short(sent(bytes)),
        )
    }

    /// How many channels there are; of a pipe each end stands for itself, and one of the two for both.
    fn count(&self) -> usize {
        let (ends, whole): (Vec<_>, Vec<_>) = self
            .channels
            .iter()
            .partition(|channel| channel.len() == 1 && channel.iter().all(|s| s.scope == "end"));
        let is = |end: &[&Side], side| end.iter().any(|one| one.side == side);
        let count = |side| ends.iter().filter(|end| is(end, side)).count();
        whole.len() + count("send").max(count("recv"))
    }

    fn lines(&self, columns: usize) -> Vec<String> {
        if self.channels.is_empty() {
            return vec!["no channel of this user is open".to_owned()];
        }
        let longest = self.channels.iter().flatten();
        let longest = longest.map(|side| title(side).chars().count()).max();
        let widths = widths(columns, longest.unwrap_or(0));
        let (width, widths) = (widths.0, &widths.1);
        let mut head = format!("{BOLD}{:width$}", "ADDRESS");
        for ((name, _), column) in COLUMNS.iter().zip(widths) {
            match (column, LEFT.contains(name)) {
                (0, _) => {}
                (column, true) => _ = write!(head, "  {name:column$}"),
                (column, false) => _ = write!(head, "  {name:>column$}"),
            }
        }
        let mut lines = vec![format!("{}{BOLD:#}", head.trim_end())];
        for channel in &self.channels {
            for (number, side) in channel.iter().enumerate() {
                let name = match number {
                    0 => title(side),
                    _ => String::new(),
                };
                lines.push(row(side, &fit(&name, width), number == 0, widths));
            }
        }
        lines
    }
}

/// The cells of the address, and of each column behind it, where there are so many in all; none of what there is no room for.
fn widths(columns: usize, longest: usize) -> (usize, [usize; COLUMNS.len()]) {
    let mut widths = COLUMNS.map(|(_, least)| least);
    let taken = |widths: &[usize]| -> usize {
        let shown = widths.iter().filter(|width| **width > 0);
        shown.map(|width| width + 2).sum()
    };
    for spared in SPARED {
        if taken(&widths) + ADDRESS <= columns {
            break;
        }
        for (width, (name, _)) in widths.iter_mut().zip(COLUMNS) {
            *width = if name == spared { 0 } else { *width };
        }
    }
    let wide = columns.saturating_sub(taken(&widths)).max(ADDRESS);
    let address = longest.clamp(7, wide);
    // What the addresses leave is the processes'.
    for (width, (name, _)) in widths.iter_mut().zip(COLUMNS) {
        if name == "PROCESS" && *width > 0 {
            *width = width.saturating_add(wide - address).min(PROCESSES);
        }
    }
    (address, widths)
}

/// Whether two sides are of one channel.
fn is_same(a: &Side, b: &Side) -> bool {
    let is_named = |side: &Side| {
        side.address
            .as_ref()
            .is_some_and(|text| !text.ends_with(':'))
    };
    a.id == b.id || a.scope == "end" && b.scope == "end" && is_named(a) && a.address == b.address
}

fn title(side: &Side) -> String {
    let address = side.address.clone();
    address.unwrap_or_else(|| "sysv: of an unknown path".to_owned())
}

/// How full the channel is, from 0 to 1.
#[expect(clippy::cast_precision_loss, reason = "for people")]
fn fill(side: &Side) -> Option<f64> {
    let (bytes, capacity) = side.depth.bytes.zip(side.capacity)?;
    (capacity > 0).then(|| (bytes as f64 / capacity as f64).clamp(0.0, 1.0))
}

fn row(side: &Side, name: &str, is_first: bool, widths: &[usize]) -> String {
    let rate = |of: fn(&crate::gauge::Rates) -> Option<f64>| side.rates.as_ref().and_then(of);
    let shown = |rate: Option<f64>| rate.map_or_else(|| NONE.to_owned(), short);
    let messages = rate(|rates| Some(rates.messages));
    let blocked = rate(|rates| Some(rates.blocked));
    let flowing = match messages {
        Some(rate) if rate > 0.0 => GREEN,
        _ => DIM,
    };
    // A receiver that waits has nothing to do; a sender that waits is kept from it.
    let waiting = match blocked {
        Some(share) if side.side == "send" => alarm(share),
        _ => PLAIN,
    };
    let percent = blocked.map_or_else(|| NONE.to_owned(), |share| format!("{:.1}%", share * 100.0));
    let shown_depth = match is_first || side.scope == "end" {
        true => depth(side),
        false => String::new(),
    };
    let cells = [
        (CYAN, side.side.to_owned()),
        (
            PLAIN,
            who(&side.processes, widths.get(1).copied().unwrap_or(0)),
        ),
        (flowing, shown(messages)),
        (flowing, shown(rate(|rates| rates.bytes))),
        (waiting, percent),
        (PLAIN, shown(rate(|rates| Some(rates.wake_ups)))),
        (if side.drops > 0 { RED } else { PLAIN }, count(side.drops)),
        (fill(side).map_or(PLAIN, alarm), shown_depth),
    ];
    let mut line = format!("{BOLD}{name}{BOLD:#}");
    for (((head, _), width), (style, text)) in COLUMNS.iter().zip(widths).zip(cells) {
        if *width == 0 {
            continue;
        }
        let text = fit(&text, *width);
        let text = text.trim_end();
        let blanks = " ".repeat(width.saturating_sub(text.chars().count()));
        match LEFT.contains(head) {
            // Nothing is coloured, or a line would end with blanks and a colour.
            _ if text.is_empty() => _ = write!(line, "  {blanks}"),
            true => _ = write!(line, "  {style}{text}{style:#}{blanks}"),
            false => _ = write!(line, "  {blanks}{style}{text}{style:#}"),
        }
    }
    line
}

/// A bar, and how much it stands for.
fn depth(side: &Side) -> String {
    const EIGHTHS: [&str; 8] = [" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

    let Some(full) = fill(side) else {
        return NONE.to_owned();
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "from 0 to 64"
    )]
    let eighths = (full * (8 * CELLS) as f64).round() as usize;
    let mut bar = "█".repeat(eighths / 8);
    bar += EIGHTHS
        .get(eighths % 8)
        .filter(|_| !eighths.is_multiple_of(8))
        .unwrap_or(&"");
    let blanks = "·".repeat(CELLS.saturating_sub(bar.chars().count()));
    format!("{bar}{blanks} {:>4.0}%", full * 100.0)
}

/// As many processes with their names as there is room for, and how many there are besides.
fn who(processes: &[u32], width: usize) -> String {
    let mut text = String::new();
    for (number, pid) in processes.iter().enumerate() {
        let more = match processes.len() - number - 1 {
            0 => String::new(),
            more => format!(" +{more}"),
        };
        let gap = if number == 0 { "" } else { ", " };
        let rest = format!(" {pid}");
        let room = width.saturating_sub(text.chars().count() + gap.len() + rest.len() + more.len());
        let name = command::name(*pid);
        if number > 0 && name.chars().count() > room {
            return text + &format!(" +{}", processes.len() - number);
        }
        text.extend(
            gap.chars()
                .chain(name.chars().take(room))
                .chain(rest.chars()),
        );
    }
    match text.is_empty() {
        true => NONE.to_owned(),
        false => text,
    }
}

/// How a share that should be small is shown.
fn alarm(share: f64) -> Style {
    match share {
        0.9.. => RED,
        0.5.. => YELLOW,
        _ => PLAIN,
    }
}

/// Just so wide.
fn fit(text: &str, width: usize) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    let len = text.chars().count();
    match len <= width {
        true => text + &" ".repeat(width - len),
        false => {
            let head: String = text.chars().take(width.saturating_sub(1)).collect();
            head + "…"
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn count(number: u64) -> String {
    short(number as f64)
}

/// Three digits and a thousand's letter.
fn short(number: f64) -> String {
    let mut scaled = number;
    for unit in ["", "k", "M", "G", "T"] {
        if scaled < 999.5 || unit == "T" {
            let digits = match scaled {
                _ if unit.is_empty() => 0,
                ..9.995 => 2,
                ..99.95 => 1,
                _ => 0,
            };
            return format!("{scaled:.digits$}{unit}");
        }
        scaled /= 1000.0;
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        for (number, text) in [
            (0.0, "0"),
            (999.0, "999"),
            (1000.0, "1.00k"),
            (9994.0, "9.99k"),
            (12_345.0, "12.3k"),
            (999_600.0, "1.00M"),
            (4.2e9, "4.20G"),
            (1e16, "10000T"),
        ] {
            assert_eq!(short(number), text);
        }
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for (columns, shown) in [(200, 8), (120, 8), (99, 8), (80, 6), (64, 4), (48, 3)] {
            let (address, widths) = widths(columns, 60);
            let behind = widths.iter().filter(|width| **width > 0);
            assert_eq!(behind.clone().count(), shown, "{columns}");
            let wide = address + behind.map(|width| width + 2).sum::<usize>();
            assert!(wide <= columns && address >= ADDRESS, "{columns}: {wide}");
        }
    }

    #[test]
    fn what_is_too_long_is_cut_and_controls_are_left_out() {
        assert_eq!(fit("abc", 5), "abc  ");
        assert_eq!(fit("abcdef", 4), "abc…");
        assert_eq!(fit("a\x1b[2Jb", 8), "a[2Jb   ");
    }
}
