//! What people read on a terminal, 100 columns wide at most.

use std::io::{IsTerminal as _, Write as _};

use anstyle::Style;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use crate::exit::Failure;

/// Columns of a line.
pub(crate) const WIDTH: usize = 100;
/// Columns of what stands in front of a paragraph.
const LABEL: usize = 9;
/// What stands where there is no figure.
pub(crate) const NONE: &str = "\u{2013}";
/// What labels and heads of tables look like.
pub(crate) const BOLD: Style = Style::new().bold();
/// What is not parted from the number before it.
const UNITS: [&str; 11] = [
    "%", "B", "M", "k", "ms", "ns", "s", "us", "times", "rounds", "GB/s",
];

/// Text that is gathered and then printed at once.
#[derive(Debug, Default)]
pub(crate) struct Screen {
    text: String,
}

impl Screen {
    /// An empty line.
    pub(crate) fn gap(&mut self) {
        self.text.push('\n');
    }

    /// Words under each other, with a label in front; that of the line before, if it is empty.
    pub(crate) fn paragraph(&mut self, label: &str, text: &str) {
        let blanks = " ".repeat(LABEL.saturating_sub(label.len()));
        let mut line = format!("{BOLD}{label}{BOLD:#}{blanks}");
        let mut column = LABEL;
        for word in words(text) {
            let len = word.chars().count();
            if column > LABEL && column + 1 + len > WIDTH {
                self.line(&line);
                line = " ".repeat(LABEL);
                column = LABEL;
            }
            if column > LABEL {
                line.push(' ');
                column += 1;
            }
            line.push_str(&word);
            column += len;
        }
        self.line(&line);
    }

    /// A line as it is.
    pub(crate) fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// A table: the first column to the left, those between to the right, the rest to the left. `numbers` says how many
    /// those between are.
    pub(crate) fn table(&mut self, head: &[&str], rows: &[Vec<String>], numbers: usize) {
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled)
            .set_header(head.iter().copied());
        for row in rows {
            table.add_row(row);
        }
        for (index, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, 1));
            if (1..=numbers).contains(&index) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let text = table.trim_fmt();
        for (number, line) in text.lines().enumerate() {
            match number {
                0 => self.line(&format!("{BOLD}{line}{BOLD:#}")),
                _ => self.line(line),
            }
        }
    }

    /// Prints it.
    ///
    /// # Errors
    /// Standard output's; none if it was closed.
    pub(crate) fn print(self) -> Result<(), Failure> {
        print(&self.text)
    }
}

/// Prints text.
///
/// # Errors
/// Standard output's; none if it was closed.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    match print_on(text) {
        // Whoever reads has read enough.
        Err(failure) if failure.is_closed_output() => Ok(()),
        done => done,
    }
}

/// The same, for who would go on printing.
///
/// # Errors
/// Standard output's, also if it was closed.
pub(crate) fn print_on(text: &str) -> Result<(), Failure> {
    let mut stdout = anstream::stdout();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    written.map_err(Failure::Output)
}

/// A table without lines, which breaks what is too wide.
pub(crate) fn table() -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(u16::try_from(WIDTH).unwrap_or(u16::MAX));
    table
}

/// The same, in which a row is a line for whoever is no terminal.
pub(crate) fn lined_table() -> Table {
    let mut table = table();
    if !std::io::stdout().is_terminal() {
        table.set_content_arrangement(ContentArrangement::Disabled);
    }
    table
}

/// The table's text, with two blanks between columns and none at the ends of lines.
pub(crate) fn fitted(mut table: Table) -> String {
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

/// The same with its first line as a head.
pub(crate) fn headed(table: Table) -> String {
    let mut text = String::new();
    for (number, line) in fitted(table).lines().enumerate() {
        match number {
            0 => text += &format!("{BOLD}{line}{BOLD:#}\n"),
            _ => text += &format!("{line}\n"),
        }
    }
    text
}

/// The words of a text, numbers with their units.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split(' ') {
        let bare = word.trim_end_matches([';', ',', ')', '.']);
        match words.last_mut() {
            Some(number) if UNITS.contains(&bare) => {
                number.push(' ');
                number.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_not_parted_from_its_unit() {
        let mut screen = Screen::default();
        screen.paragraph("WHY", &"it takes 12.3 us, ".repeat(20));
        assert!(screen.text.lines().count() > 2);
        for line in screen.text.lines() {
            let bare = line.replace(&BOLD.to_string(), "");
            let bare = bare.replace(&format!("{BOLD:#}"), "");
            assert!(bare.chars().count() <= WIDTH, "{bare}");
            assert!(!bare.trim_start().starts_with("us"), "{bare}");
        }
    }
}
