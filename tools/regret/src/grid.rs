//! The workloads that answers are given for.

use laneway::{
    choose::{Needs, Objective},
    measure::{Quantile, Shape, Sizes, Workload},
};

/// Bytes of a message.
const SIZES: [&str; 5] = ["8", "64", "512", "4KiB", "64KiB"];
/// Processes.
const SHAPES: [&str; 3] = ["1x1", "4x1", "2x2"];

/// A question about a workload.
struct Question {
    name: &'static str,
    rate: Option<f64>,
    by: Objective,
    reply: bool,
}

/// What is asked about each.
const QUESTIONS: [Question; 4] = [
    Question {
        name: "rate",
        rate: None,
        by: Objective::Rate,
        reply: false,
    },
    Question {
        name: "p50 of a round trip",
        rate: None,
        by: Objective::Latency(Quantile::P50),
        reply: false,
    },
    Question {
        name: "cpu at 10k/s",
        rate: Some(1e4),
        by: Objective::Cpu,
        reply: false,
    },
    Question {
        name: "p90 at 2k/s, answered",
        rate: Some(2e3),
        by: Objective::Latency(Quantile::P90),
        reply: true,
    },
];

/// What is asked about sizes that differ, one process to one other.
const RANGES: [&str; 2] = ["16..4KiB", "64..512"];

fn needs(sizes: &Sizes, shape: Shape, question: &Question) -> Needs {
    let mut workload = Workload::of(sizes.clone()).shape(shape);
    workload.rate = question.rate;
    workload.reply = question.reply;
    Needs::new(workload).by(question.by)
}

/// All, with names that tell them apart: 68.
pub(crate) fn all() -> Vec<(String, Needs)> {
    let mut all = Vec::new();
    let mut add = |sizes: &str, shape: &str, question: &Question| {
        // Both are constants, and right.
        if let (Ok(parsed), Ok(between)) = (sizes.parse(), shape.parse()) {
            let name = format!("{sizes} B {shape} {}", question.name);
            all.push((name, needs(&parsed, between, question)));
        }
    };
    for question in &QUESTIONS {
        for shape in SHAPES {
            for size in SIZES {
                add(size, shape, question);
            }
        }
        for range in RANGES {
            add(range, "1x1", question);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn they_are_many_and_told_apart() {
        let all = all();
        assert_eq!(all.len(), 68);
        let names: BTreeSet<&String> = all.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), 68);
    }
}
