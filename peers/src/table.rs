//! What was measured, as a table for a terminal or for a document.

use crate::slices::{Distance, Slice};

/// How to print it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// In columns.
    Plain,
    /// As a table of Markdown.
    Markdown,
}

/// A row: its name, its unit, and its slices or why there are none.
pub(crate) type Line = (&'static str, &'static str, Result<Vec<Slice>, String>);

/// Median, quartiles and count of the slices at each distance at which there are any.
pub(crate) fn print(lines: &[Line], form: Form) -> String {
    let seen = |distance: &Distance| {
        let mut all = lines
            .iter()
            .filter_map(|(_, _, slices)| slices.as_ref().ok());
        all.any(|slices| cell(slices, *distance).is_some())
    };
    let distances: Vec<Distance> = Distance::ALL.into_iter().filter(seen).collect();
    let mut table = vec![vec![String::new(), "unit".into()]];
    table[0].extend(distances.iter().map(|d| format!("{d:?}").to_lowercase()));
    for (name, unit, slices) in lines {
        let mut row = vec![(*name).to_owned(), (*unit).to_owned()];
        match slices {
            Ok(slices) => {
                let cells = distances.iter().map(|&distance| cell(slices, distance));
                row.extend(cells.map(|cell| cell.unwrap_or_else(|| "–".into())));
            }
            Err(why) => row.push(why.clone()),
        }
        table.push(row);
    }
    match form {
        Form::Plain => plain(&table),
        Form::Markdown => markdown(&table),
    }
}

/// Columns as wide as what is in them, figures to the right.
fn plain(table: &[Vec<String>]) -> String {
    let columns = table[0].len();
    // What is no row of figures may stick out.
    let full = || table.iter().filter(|row| row.len() == columns);
    let width = |column: usize| {
        let lens = full().map(|row| row[column].chars().count());
        lens.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in table {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let cell = match column {
                0 | 1 => format!("{cell:width$}"),
                _ if row.len() < columns => cell.clone(),
                _ => format!("{cell:>width$}"),
            };
            line += &cell;
            line += "  ";
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

fn markdown(table: &[Vec<String>]) -> String {
    let columns = table[0].len();
    let mut text = String::new();
    for (index, row) in table.iter().enumerate() {
        let mut cells: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
        cells.resize(columns, String::new());
        text += &format!("| {} |\n", cells.join(" | "));
        if index == 0 {
            text += "| --- | --- ";
            text += &"| ---: ".repeat(columns - 2);
            text += "|\n";
        }
    }
    text
}

/// Median (quartiles) and number of the slices at one distance, if there are enough.
fn cell(slices: &[Slice], distance: Distance) -> Option<String> {
    let mut values: Vec<f64> = slices
        .iter()
        .filter(|slice| slice.distance == distance)
        .map(|slice| slice.value)
        .collect();
    if values.len() < 3 {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let at = |part: usize| figure(values[(values.len() - 1) * part / 4]);
    Some(format!("{} ({}–{}) {}", at(2), at(1), at(3), values.len()))
}

/// A value with four digits that count, or five.
fn figure(value: f64) -> String {
    match value {
        v if v >= 1000.0 => format!("{v:.0}"),
        v if v >= 100.0 => format!("{v:.1}"),
        v if v >= 10.0 => format!("{v:.2}"),
        v if v >= 1.0 => format!("{v:.3}"),
        v => format!("{v:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> Vec<Line> {
        let of = |values: &[f64]| {
            let distance = Distance::Complex;
            let slice = |&value| Slice { distance, value };
            values.iter().map(slice).collect()
        };
        vec![
            ("short", "M/s", Ok(of(&[0.01954, 0.02, 0.01]))),
            (
                "a much longer name",
                "ns",
                Ok(of(&[44514.2472, 1234567.8, 9.0])),
            ),
            ("none", "ns", Ok(of(&[1.0]))),
            (
                "fails",
                "ns",
                Err("failed: a | b, and what else there is to say".into()),
            ),
        ]
    }

    #[test]
    fn columns_line_up() {
        let wanted = "\
                    unit                     complex
short               M/s   0.0195 (0.0100–0.0195) 3
a much longer name  ns         44514 (9.000–44514) 3
none                ns                           –
fails               ns    failed: a | b, and what else there is to say
";
        let text = print(&lines(), Form::Plain);
        let ends = |text: &str| -> Vec<usize> {
            text.lines()
                .take(4)
                .map(|line| line.chars().count())
                .collect()
        };
        assert!(ends(&text).windows(2).all(|two| two[0] == two[1]), "{text}");
        let words =
            |text: &str| -> Vec<String> { text.split_whitespace().map(str::to_owned).collect() };
        assert_eq!(words(&text), words(wanted), "{text}");
    }

    #[test]
    fn markdown_has_as_many_cells_in_each_row() {
        let text = print(&lines(), Form::Markdown);
        assert!(text.starts_with("|  | unit | complex |\n| --- | --- | ---: |\n| short | M/s | "));
        let cells = |line: &str| line.replace("\\|", "").matches('|').count();
        assert!(text.lines().all(|line| cells(line) == 4), "{text}");
        assert!(
            text.ends_with("| fails | ns | failed: a \\| b, and what else there is to say |\n")
        );
    }
}
