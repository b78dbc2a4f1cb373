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
    let mut head = vec![String::new(), "unit".into()];
    head.extend(distances.iter().map(|d| format!("{d:?}").to_lowercase()));
    let mut rows = vec![Ok(head)];
    for (name, unit, slices) in lines {
        rows.push(match slices {
            Ok(slices) => {
                let cells = distances.iter().map(|&distance| cell(slices, distance));
                let mut row = vec![(*name).to_owned(), (*unit).to_owned()];
                row.extend(cells.map(|cell| cell.unwrap_or_else(|| "–".into())));
                Ok(row)
            }
            Err(why) => Err([*name, *unit, why]),
        });
    }
    match form {
        Form::Plain => plain(&rows),
        Form::Markdown => markdown(&rows),
    }
}

/// As many cells as the table has columns, or name, unit and why there are no figures.
type Row<'a> = Result<Vec<String>, [&'a str; 3]>;

/// Columns as wide as what is in them, figures to the right. Why there are none sticks out.
fn plain(rows: &[Row<'_>]) -> String {
    let mut widths = Vec::new();
    for row in rows {
        let cells: Vec<&str> = match row {
            Ok(cells) => cells.iter().map(String::as_str).collect(),
            Err([name, unit, _]) => vec![name, unit],
        };
        widths.resize(widths.len().max(cells.len()), 0);
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for row in rows {
        let line: Vec<String> = match row {
            Ok(cells) => {
                let cells = cells.iter().zip(&widths).enumerate();
                let pad = |(column, (cell, &width)): (usize, (&String, &usize))| match column {
                    0 | 1 => format!("{cell:width$}"),
                    _ => format!("{cell:>width$}"),
                };
                cells.map(pad).collect()
            }
            Err([name, unit, why]) => {
                let (first, second) = (widths[0], widths[1]);
                vec![format!("{name:first$}"), format!("{unit:second$}  {why}")]
            }
        };
        text += line.join("  ").trim_end();
        text.push('\n');
    }
    text
}

fn markdown(rows: &[Row<'_>]) -> String {
    let columns = rows
        .iter()
        .flatten()
        .map(Vec::len)
        .max()
        .unwrap_or(0)
        .max(3);
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let mut cells: Vec<String> = match row {
            Ok(cells) => cells.clone(),
            Err(cells) => cells.iter().map(|cell| cell.replace('|', "\\|")).collect(),
        };
        cells.resize(columns, String::new());
        text += &format!("| {} |\n", cells.join(" | "));
        if index == 0 {
            text += "| --- | --- |";
            text += &" ---: |".repeat(columns - 2);
            text.push('\n');
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
        let wanted = [
            "                    unit                   complex",
            "short               M/s   0.0195 (0.0100–0.0195) 3",
            "a much longer name  ns       44514 (9.000–44514) 3",
            "none                ns                           –",
            "fails               ns    failed: a | b, and what else there is to say",
            "",
        ];
        assert_eq!(print(&lines(), Form::Plain), wanted.join("\n"));
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
