//! Saved runs as drawings: laneway's figures by size, and everybody's for one kind of work.

use std::{error::Error, fs, path::Path};

use laneway::{
    choose::{Choice, Count, Time},
    measure::{Estimate, Figures},
};
use plotters::{
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use crate::{
    row::{Kind, Work},
    saved::Saved,
    slices::Distance,
};

type Drawn = Result<(), Box<dyn Error>>;

/// Colours that those who see few of them tell apart, after Okabe and Ito.
const COLORS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
    RGBColor(0, 0, 0),
];
const FONT: &str = "sans-serif";
/// Pixels from one line of text to the next.
const LINE: i32 = 18;

/// A line: figures by bytes of a message.
struct Series {
    name: String,
    points: Vec<(f64, Estimate)>,
}

/// What an axis of figures shows.
struct Scale {
    title: &'static str,
    word: fn(f64) -> String,
}

const RATE: Scale = Scale {
    title: "messages a second, one way",
    word: |value| Count(value).to_string(),
};
const TRIP: Scale = Scale {
    title: "round trip, half are faster",
    word: |value| Time(value).to_string(),
};
const MEAN_TRIP: Scale = Scale {
    title: "round trip, mean",
    word: TRIP.word,
};

/// Draws `throughput.svg`, `roundtrip.svg`, `peers-throughput.svg` and `peers-roundtrip.svg`.
pub(crate) fn draw(choices: &Path, peers: &Saved, into: &Path) -> Drawn {
    let choices: Vec<Choice> = serde_json::from_str(&fs::read_to_string(choices)?)?;
    fs::create_dir_all(into)?;
    by_size(
        &into.join("throughput.svg"),
        &RATE,
        &series(&choices, |figures| figures.throughput.rate),
    )?;
    by_size(
        &into.join("roundtrip.svg"),
        &TRIP,
        &series(&choices, |figures| figures.roundtrip.p50),
    )?;
    bars(
        &into.join("peers-throughput.svg"),
        &RATE,
        peers,
        Work::Stream(64),
        1e6,
    )?;
    bars(
        &into.join("peers-roundtrip.svg"),
        &MEAN_TRIP,
        peers,
        Work::Trip(8),
        1.0,
    )
}

/// A line for each transport, in the order in which they first come.
fn series(choices: &[Choice], estimate: fn(&Figures) -> Estimate) -> Vec<Series> {
    let mut all: Vec<Series> = Vec::new();
    for choice in choices {
        let size = choice.needs.workload.sizes.most() as f64;
        for report in &choice.comparison.reports {
            let Some(figures) = report.figures() else {
                continue;
            };
            let (scheme, _) = report.address.split_once(':').unwrap_or_default();
            let point = (size, estimate(figures));
            match all.iter_mut().find(|series| series.name == scheme) {
                Some(series) => series.points.push(point),
                None => all.push(Series {
                    name: scheme.to_owned(),
                    points: vec![point],
                }),
            }
        }
    }
    all
}

/// Whole powers of ten around all values.
fn decades(values: impl Iterator<Item = f64> + Clone) -> std::ops::Range<f64> {
    let low = values.clone().fold(f64::INFINITY, f64::min);
    let high = values.fold(0.0, f64::max);
    10_f64.powf(low.log10().floor())..10_f64.powf(high.log10().ceil())
}

fn bytes(size: &f64) -> String {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "sizes are whole, and small"
    )]
    let size = size.round() as usize;
    Work::Stream(size).to_string()
}

/// Text that begins, ends or has its middle at a point, and stands level with it.
fn text(color: &RGBColor, side: HPos) -> TextStyle<'_> {
    let anchor = Pos::new(side, VPos::Center);
    TextStyle::from((FONT, 16)).color(color).pos(anchor)
}

/// Lines over the size of a message, both in logarithms. Bars are the 95 % intervals; names stand at the right.
fn by_size(path: &Path, scale: &Scale, all: &[Series]) -> Drawn {
    let root = SVGBackend::new(path, (800, 480)).into_drawing_area();
    root.fill(&WHITE)?;
    let points = || all.iter().flat_map(|series| &series.points);
    let sizes = points().map(|(size, _)| *size);
    let values = points().flat_map(|(_, figure)| [figure.low, figure.high]);
    let smallest = sizes.clone().fold(f64::INFINITY, f64::min);
    let largest = sizes.fold(0.0, f64::max);
    let mut chart = ChartBuilder::on(&root)
        .margin(16)
        .margin_right(110)
        .x_label_area_size(44)
        .y_label_area_size(76)
        .build_cartesian_2d(
            (smallest..largest).log_scale().base(2.0),
            decades(values).log_scale(),
        )?;
    chart
        .configure_mesh()
        .bold_line_style(BLACK.mix(0.15))
        .light_line_style(TRANSPARENT)
        .label_style((FONT, 16))
        .x_desc("bytes of a message")
        .y_desc(scale.title)
        .x_label_formatter(&bytes)
        .y_label_formatter(&|value| (scale.word)(*value))
        .draw()?;
    let mut names = Vec::new();
    for (series, color) in all.iter().zip(COLORS.iter().cycle()) {
        let middle = |(size, figure): &(f64, Estimate)| (*size, figure.median);
        let line: Vec<(f64, f64)> = series.points.iter().map(middle).collect();
        if let Some(last) = line.last() {
            let (_, height) = chart.backend_coord(last);
            names.push((height, &series.name, *color));
        }
        let bars = series.points.iter().map(|(size, figure)| {
            ErrorBar::new_vertical(
                *size,
                figure.low,
                figure.median,
                figure.high,
                color.filled(),
                6,
            )
        });
        chart.draw_series(bars)?;
        chart.draw_series(LineSeries::new(line, color.stroke_width(2)))?;
    }
    let (right, _) = chart.backend_coord(&(largest, 1.0));
    names.sort_by_key(|(height, ..)| *height);
    let mut free = i32::MIN;
    for (height, name, color) in names {
        let height = height.max(free);
        free = height + LINE;
        let style = text(&color, HPos::Left);
        root.draw(&Text::new(name.as_str(), (right + 10, height), style))?;
    }
    root.present()?;
    Ok(())
}

/// The colour and the word of a kind.
const fn paint(kind: Kind) -> (RGBColor, &'static str) {
    match kind {
        Kind::Laneway => (COLORS[0], "laneway"),
        Kind::Rival => (COLORS[1], "rivals"),
        Kind::Threads => (COLORS[2], "between threads"),
        Kind::Limit => (RGBColor(130, 130, 130), "limits"),
    }
}

/// A bar for everybody who does this work, the best first, at the distance at which most were seen. A figure times
/// `unit` is what the scale shows.
fn bars(path: &Path, scale: &Scale, saved: &Saved, work: Work, unit: f64) -> Drawn {
    let at = |distance: Distance| {
        let same = saved.lines.iter().filter(|line| line.label.work == work);
        let figures = same.filter_map(move |line| Some((&line.label, line.figure(distance)?)));
        figures.collect::<Vec<_>>()
    };
    let most = Distance::ALL.into_iter().max_by_key(|d| at(*d).len());
    let distance = most.unwrap_or(Distance::Complex);
    let mut rows = at(distance);
    rows.sort_by(|(_, one), (_, other)| one.median.total_cmp(&other.median));
    if let Work::Stream(_) | Work::Crowd(_) = work {
        rows.reverse();
    }
    let count = i32::try_from(rows.len())?;
    let height = u32::try_from(120 + count * LINE)?;
    let root = SVGBackend::new(path, (800, height)).into_drawing_area();
    root.fill(&WHITE)?;
    let values = rows
        .iter()
        .flat_map(|(_, figure)| figure.quartiles)
        .map(|value| value * unit);
    let range = decades(values);
    let least = range.start;
    let mut chart = ChartBuilder::on(&root)
        .margin(16)
        .margin_top(40)
        .margin_left(300)
        .margin_right(80)
        .x_label_area_size(44)
        .build_cartesian_2d(range.log_scale(), 0.0..f64::from(count))?;
    let cores = format!("{distance:?}").to_lowercase();
    let word = format!("{}, {} B, cores: {cores}", scale.title, work.size());
    chart
        .configure_mesh()
        .disable_y_mesh()
        .bold_line_style(BLACK.mix(0.15))
        .light_line_style(TRANSPARENT)
        .label_style((FONT, 16))
        .x_desc(word)
        .x_label_formatter(&|value| (scale.word)(*value))
        .draw()?;
    for ((label, figure), place) in rows.iter().zip((0..count).rev()) {
        let (color, _) = paint(label.kind);
        let (bottom, median) = (f64::from(place), figure.median * unit);
        let bar = Rectangle::new(
            [(least, bottom + 0.15), (median, bottom + 0.85)],
            color.mix(0.7).filled(),
        );
        let [low, high] = figure.quartiles.map(|value| value * unit);
        let middle = bottom + 0.5;
        let spread = PathElement::new([(low, middle), (high, middle)], BLACK.mix(0.6));
        chart.draw_series([bar])?;
        chart.draw_series([spread])?;
        let (left, level) = chart.backend_coord(&(least, middle));
        let (right, _) = chart.backend_coord(&(high.max(median), middle));
        let name = format!("{}, {}", label.who, label.wait.word());
        root.draw(&Text::new(
            name,
            (left - 8, level),
            text(&BLACK, HPos::Right),
        ))?;
        let value = (scale.word)(median);
        root.draw(&Text::new(
            value,
            (right + 8, level),
            text(&BLACK, HPos::Left),
        ))?;
    }
    let kinds = [Kind::Laneway, Kind::Rival, Kind::Threads, Kind::Limit];
    for (kind, left) in kinds.into_iter().zip([300, 380, 450, 590]) {
        let (color, word) = paint(kind);
        root.draw(&Text::new(word, (left, 20), text(&color, HPos::Left)))?;
    }
    root.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        row::{Label, Wait},
        saved::{Line, Outcome},
        slices::Slice,
    };

    fn line(who: &str, kind: Kind, values: &[f64]) -> Line {
        let distance = Distance::Far;
        let slice = |&value| Slice { distance, value };
        Line {
            label: Label {
                work: Work::Stream(64),
                who: who.to_owned(),
                kind,
                wait: Wait::Spin,
            },
            outcome: Outcome::Measured(values.iter().map(slice).collect()),
        }
    }

    /// Draws into a file of its own, and reads it.
    fn drawn(name: &str, draw: impl FnOnce(&Path) -> Drawn) -> String {
        let name = format!("laneway-peers.{}.{name}.svg", std::process::id());
        let path = std::env::temp_dir().join(name);
        draw(&path).expect("draws");
        let text = fs::read_to_string(&path);
        fs::remove_file(&path).expect("was written");
        text.expect("reads")
    }

    /// Where a name stands among the texts of a drawing.
    fn place(text: &str, name: &str) -> usize {
        let mut lines = text.lines();
        let found = lines.position(|line| line == name);
        found.unwrap_or_else(|| panic!("no {name} in {text}"))
    }

    #[test]
    fn bars_stand_by_their_figures() {
        let lines = vec![
            line("slow", Kind::Rival, &[2.5, 2.5, 2.5]),
            line("fast", Kind::Laneway, &[20.0, 20.0, 20.0]),
            line("unmeasured", Kind::Rival, &[]),
        ];
        let saved = Saved::new(3, 1, lines);
        let text = drawn("bars", |path| {
            bars(path, &RATE, &saved, Work::Stream(64), 1e6)
        });
        assert!(place(&text, "fast, spin") < place(&text, "slow, spin"));
        assert!(place(&text, "20.0 M") < place(&text, "2.50 M"));
        assert!(!text.contains("unmeasured"), "{text}");
        assert!(text.contains("cores: far"), "{text}");
    }

    #[test]
    fn lines_are_named_where_they_end_and_apart() {
        let figure = |median: f64| Estimate::of(&[median]).expect("a value");
        let series = |name: &str, rate: f64| Series {
            name: name.to_owned(),
            points: vec![(8.0, figure(rate)), (4096.0, figure(rate))],
        };
        let all = [series("one", 1e6), series("same", 1e6), series("top", 9e6)];
        let text = drawn("lines", |path| by_size(path, &RATE, &all));
        let height = |name: &str| -> f64 {
            let element = text.lines().nth(place(&text, name) - 1).expect("its tag");
            let (_, after) = element.split_once(" y=\"").expect("a height");
            let (number, _) = after.split_once('"').expect("a height");
            number.parse().expect("a number")
        };
        assert!(height("top") < height("one"));
        assert!((height("one") - height("same")).abs() >= f64::from(LINE));
        assert!(text.contains("4KiB") || text.contains("2KiB"), "{text}");
    }
}
