//! What was measured, as a table for a terminal or for a document.

use crate::{
    figure::Figure,
    row::{Kind, Label, Wait},
    saved::{Line, Outcome, Saved},
    slices::Distance,
};

/// How to print it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// In columns.
    Plain,
    /// As a table of Markdown.
    Markdown,
}

/// How many columns there are before the figures.
const WORDS: usize = 4;

/// Median, quartiles and count of the slices at each distance at which there are any, by what is moved. Figures
/// better than laneway's are marked: `*` or bold, or `~` or slanted where the quartiles overlap.
pub(crate) fn print(saved: Saved, form: Form) -> String {
    let mut lines = saved.lines;
    // Stable: within one kind of work they stay as they were played.
    lines.sort_by_key(|line| line.label.work);
    let seen = |distance: &Distance| lines.iter().any(|line| line.figure(*distance).is_some());
    let distances: Vec<Distance> = Distance::ALL.into_iter().filter(seen).collect();
    let mut head: Vec<String> = ["", "who", "waits", "unit"].map(String::from).into();
    head.extend(distances.iter().map(|d| format!("{d:?}").to_lowercase()));
    let mut rows = vec![Ok(head)];
    for line in &lines {
        let label = &line.label;
        let words = [
            label.work.to_string(),
            label.who.clone(),
            label.wait.word().to_owned(),
            label.work.unit().to_owned(),
        ];
        rows.push(match &line.outcome {
            Outcome::Measured(_) => {
                let cell = |&distance| match line.figure(distance) {
                    None => "\u{2013}".to_owned(),
                    Some(figure) => form.mark(figure, standing(label, figure, &lines, distance)),
                };
                Ok(words
                    .into_iter()
                    .chain(distances.iter().map(cell))
                    .collect())
            }
            Outcome::NotRun(why) => Err((words, format!("not run: {why}"))),
            Outcome::Failed(why) => Err((words, format!("failed: {why}"))),
        });
    }
    let measured = |line: &&Line| matches!(line.outcome, Outcome::Measured(_));
    if distances.is_empty() && lines.iter().any(|line| measured(&line)) {
        return "No slice counted: the distance of the cores changed in each. Take more, with --slices and --rounds.\n".to_owned();
    }
    match form {
        Form::Plain => plain(&rows),
        Form::Markdown => format!(
            "Machine: {}. {} slices of each row in each of {} rounds.\n{}",
            saved.machine,
            saved.slices,
            saved.rounds,
            markdown(&rows)
        ),
    }
}

impl Form {
    fn mark(self, figure: Figure, standing: Standing) -> String {
        match (self, standing) {
            (_, Standing::Behind) => figure.to_string(),
            (Self::Plain, Standing::Close) => format!("~ {figure}"),
            (Self::Plain, Standing::Ahead) => format!("* {figure}"),
            (Self::Markdown, Standing::Close) => format!("*{figure}*"),
            (Self::Markdown, Standing::Ahead) => format!("**{figure}**"),
        }
    }
}

/// How a figure stands to laneway's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// No better, or laneway's own, or a limit.
    Behind,
    /// Better by its median, while the quartiles overlap.
    Close,
    /// Better.
    Ahead,
}

/// How somebody else's figure stands to the best of laneway's for the same work at the same distance: of those that
/// wait alike, or of all if none does.
fn standing(label: &Label, figure: Figure, lines: &[Line], distance: Distance) -> Standing {
    if matches!(label.kind, Kind::Laneway | Kind::Limit) {
        return Standing::Behind;
    }
    let work = label.work;
    let ours = |wait: Option<Wait>| {
        let same = lines.iter().filter(|line| {
            let other = &line.label;
            let alike = wait.is_none_or(|wait| wait == other.wait);
            other.kind == Kind::Laneway && other.work == work && alike
        });
        let figures = same.filter_map(|line| line.figure(distance));
        figures.reduce(
            |best, next| match work.is_better(next.median, best.median) {
                true => next,
                false => best,
            },
        )
    };
    match ours(Some(label.wait)).or_else(|| ours(None)) {
        Some(best) if work.is_better(figure.median, best.median) => {
            let [low, high] = figure.quartiles;
            let [our_low, our_high] = best.quartiles;
            match low <= our_high && our_low <= high {
                true => Standing::Close,
                false => Standing::Ahead,
            }
        }
        _ => Standing::Behind,
    }
}

/// As many cells as the table has columns, or the words before the figures and why there are none.
type Row = Result<Vec<String>, ([String; WORDS], String)>;

/// Columns as wide as what is in them, figures to the right. Why there are none sticks out.
fn plain(rows: &[Row]) -> String {
    let mut widths = Vec::new();
    for row in rows {
        let cells: &[String] = match row {
            Ok(cells) => cells,
            Err((words, _)) => words,
        };
        widths.resize(widths.len().max(cells.len()), 0);
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = cell.chars().count().max(*width);
        }
    }
    let pad = |(column, (cell, &width)): (usize, (&String, &usize))| match column {
        0..WORDS => format!("{cell:width$}"),
        _ => format!("{cell:>width$}"),
    };
    let mut text = String::new();
    for row in rows {
        let (cells, why): (&[String], _) = match row {
            Ok(cells) => (cells, None),
            Err((words, why)) => (words, Some(why.clone())),
        };
        let padded = cells.iter().zip(&widths).enumerate().map(pad);
        let line: Vec<String> = padded.chain(why).collect();
        text += line.join("  ").trim_end();
        text.push('\n');
    }
    text
}

/// A table for each kind of work.
fn markdown(rows: &[Row]) -> String {
    let columns = rows.iter().flatten().map(Vec::len).max().unwrap_or(0);
    // Why there are none needs one.
    let figures = columns.saturating_sub(WORDS).max(1);
    let escaped = |cell: &String| cell.replace('|', "\\|");
    let mut lines = rows.iter();
    let distances = match lines.next() {
        Some(Ok(head)) => head.iter().skip(WORDS).cloned().collect(),
        _ => Vec::new(),
    };
    let mut text = String::new();
    let mut current = None;
    for row in lines {
        let (words, rest): (&[String], &[String]) = match row {
            Ok(cells) => cells.split_at(WORDS),
            Err((words, why)) => (words, std::slice::from_ref(why)),
        };
        let [work, who, waits, unit] = words else {
            continue;
        };
        let line = |who: &str, waits: &str, rest: &[String]| {
            let mut cells: Vec<String> = rest.iter().map(escaped).collect();
            cells.resize(figures, String::new());
            format!("| {who} | {waits} | {} |\n", cells.join(" | "))
        };
        if current != Some(work) {
            text += &format!("\n**{work}, {unit}**\n\n");
            text += &line("", "waits", &distances);
            text += &format!("| --- | --- |{}\n", " ---: |".repeat(figures));
            current = Some(work);
        }
        text += &line(who, waits, rest);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{row::Work, slices::Slice};

    /// A row of one-way messages of 64 bytes.
    fn line(who: &str, kind: Kind, wait: Wait, outcome: Outcome) -> Line {
        let work = match who {
            "trips" => Work::Trip(8),
            _ => Work::Stream(64),
        };
        let who = who.to_owned();
        Line {
            label: Label {
                work,
                who,
                kind,
                wait,
            },
            outcome,
        }
    }

    fn at_complex(values: &[f64]) -> Outcome {
        let distance = Distance::Complex;
        let slice = |&value| Slice { distance, value };
        Outcome::Measured(values.iter().map(slice).collect())
    }

    fn saved() -> Saved {
        let fault = "a | b, and what else there is to say".to_owned();
        let lines = vec![
            line(
                "trips",
                Kind::Laneway,
                Wait::Park,
                at_complex(&[44514.2472, 1234567.8, 9.0]),
            ),
            line(
                "short",
                Kind::Laneway,
                Wait::Park,
                at_complex(&[0.01954, 0.02, 0.01]),
            ),
            line(
                "other",
                Kind::Laneway,
                Wait::Spin,
                at_complex(&[3.0, 4.0, 5.0]),
            ),
            line(
                "a much longer name",
                Kind::Rival,
                Wait::Park,
                at_complex(&[1.0, 2.0, 3.0]),
            ),
            line(
                "close",
                Kind::Rival,
                Wait::Spin,
                at_complex(&[2.0, 4.5, 5.0]),
            ),
            line("none", Kind::Rival, Wait::Kernel, at_complex(&[9.0])),
            line(
                "slower",
                Kind::Rival,
                Wait::Kernel,
                at_complex(&[1.0, 2.0, 3.0]),
            ),
            line("fails", Kind::Rival, Wait::Kernel, Outcome::Failed(fault)),
        ];
        Saved::new(3, 1, lines)
    }

    #[test]
    fn columns_line_up_and_a_rival_that_wins_is_marked() {
        let wanted = [
            "        who                 waits   unit                      complex",
            "64B     short               park    M/s      0.0195 (0.0100\u{2013}0.0195) 3",
            "64B     other               spin    M/s         4.000 (3.000\u{2013}4.000) 3",
            "64B     a much longer name  park    M/s       * 2.000 (1.000\u{2013}2.000) 3",
            "64B     close               spin    M/s       ~ 4.500 (2.000\u{2013}4.500) 3",
            "64B     none                kernel  M/s                             \u{2013}",
            "64B     slower              kernel  M/s         2.000 (1.000\u{2013}2.000) 3",
            "64B     fails               kernel  M/s   failed: a | b, and what else there is to say",
            "rtt 8B  trips               park    ns          44514 (9.000\u{2013}44514) 3",
            "",
        ];
        let text = print(saved(), Form::Plain);
        let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        for (line, wanted) in text.lines().zip(wanted) {
            assert_eq!(squeeze(line), squeeze(wanted));
        }
        let mut ends = text
            .lines()
            .filter(|line| !line.contains("fails"))
            .map(|line| line.chars().count());
        let first = ends.next();
        assert!(ends.all(|end| Some(end) == first), "{text}");
    }

    #[test]
    fn markdown_has_a_table_of_each_work_with_as_many_cells_in_each_row() {
        let text = print(saved(), Form::Markdown);
        let head = "**64B, M/s**\n\n|  | waits | complex |\n| --- | --- | ---: |\n| short |";
        assert!(text.contains(head), "{text}");
        assert!(text.contains("\n**rtt 8B, ns**\n"), "{text}");
        let cells = |line: &str| line.replace("\\|", "").matches('|').count();
        let mut rows = text.lines().filter(|line| line.starts_with('|'));
        assert!(rows.all(|line| cells(line) == 4), "{text}");
        assert!(
            text.contains("| **2.000 (1.000\u{2013}2.000) 3** |"),
            "{text}"
        );
        assert!(
            text.contains("| *4.500 (2.000\u{2013}4.500) 3* |"),
            "{text}"
        );
        assert!(
            text.contains("| failed: a \\| b, and what else there is to say |"),
            "{text}"
        );
    }

    #[test]
    fn a_saved_run_comes_back_as_it_was() {
        let saved = saved();
        let text = serde_json::to_string(&saved).expect("writes");
        assert_eq!(serde_json::from_str::<Saved>(&text).expect("reads"), saved);
    }
}
