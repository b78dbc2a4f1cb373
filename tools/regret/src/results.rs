//! What came out, a line of JSON each.

use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Write},
    path::PathBuf,
};

use laneway::choose::{Objective, Recommendation, Standing, Verdict};
use serde::{Deserialize, Serialize};

/// An answer beside the truth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Regret {
    /// The workload.
    pub(crate) name: String,
    /// What was answered.
    pub(crate) pick: Option<String>,
    /// How sure.
    pub(crate) verdict: Verdict,
    /// What is best.
    pub(crate) best: Option<String>,
    /// How many times as good the best is as what was answered; `None` if the answer does not do it at all.
    pub(crate) times: Option<f64>,
    /// Every figure of the truth.
    pub(crate) truth: Vec<(String, Option<f64>)>,
}

/// An answer to a question that was asked before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Again {
    /// The question.
    pub(crate) name: String,
    /// What was answered.
    pub(crate) pick: Option<String>,
    /// How sure.
    pub(crate) verdict: Verdict,
}

/// The figure of a channel that may be taken.
fn figure(standing: &Standing) -> Option<f64> {
    let eligible = standing.judgement.is_eligible();
    let figure = standing.figure.filter(|_| eligible)?;
    Some(figure.median)
}

impl Regret {
    pub(crate) fn new(name: &str, answer: &Recommendation, truth: &Recommendation) -> Self {
        let is_more_better = truth.objective == Objective::Rate;
        let better = |figure: f64| if is_more_better { figure } else { -figure };
        let eligible = truth
            .standings
            .iter()
            .filter_map(|standing| Some((standing, figure(standing)?)));
        let best = eligible.max_by(|a, b| better(a.1).total_cmp(&better(b.1)));
        let found = |address: &String| {
            let mut all = truth.standings.iter();
            all.find(|standing| standing.address == *address)
        };
        let ours = answer.pick.as_ref().and_then(found).and_then(figure);
        let times = match (&best, ours) {
            (Some((_, best)), Some(ours)) if is_more_better => Some(best / ours),
            (Some((_, best)), Some(ours)) => Some(ours / best),
            // Nothing does it, and that was the answer.
            (None, None) if answer.pick.is_none() => Some(1.0),
            _ => None,
        };
        Self {
            name: name.to_owned(),
            pick: answer.pick.clone(),
            verdict: answer.verdict,
            best: best.map(|(standing, _)| standing.address.clone()),
            times,
            truth: truth
                .standings
                .iter()
                .map(|standing| (standing.address.clone(), figure(standing)))
                .collect(),
        }
    }
}

impl Again {
    pub(crate) fn new(name: &str, answer: &Recommendation) -> Self {
        Self {
            name: name.to_owned(),
            pick: answer.pick.clone(),
            verdict: answer.verdict,
        }
    }
}

fn word(pick: Option<&String>) -> &str {
    pick.map_or("nothing", String::as_str)
}

impl fmt::Display for Regret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (pick, best) = (word(self.pick.as_ref()), word(self.best.as_ref()));
        let tie = if self.verdict == Verdict::Tie {
            " (tie)"
        } else {
            ""
        };
        write!(f, "{}: {pick}{tie}, best {best}", self.name)?;
        match self.times {
            Some(times) => write!(f, ", {:.1} % behind", (times - 1.0) * 100.0),
            None => f.write_str(", does not do it"),
        }
    }
}

impl fmt::Display for Again {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tie = if self.verdict == Verdict::Tie {
            " (tie)"
        } else {
            ""
        };
        write!(f, "{}: {}{tie}", self.name, word(self.pick.as_ref()))
    }
}

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Regret(Regret),
    Again(Again),
}

/// All results of a file, to which more are added.
#[derive(Debug)]
pub(crate) struct Results {
    file: File,
    pub(crate) regrets: Vec<Regret>,
    pub(crate) again: Vec<Again>,
}

impl Results {
    /// Those of this file, which is made if there is none.
    pub(crate) fn open(path: PathBuf) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.read(true).append(true).create(true).open(path)?;
        let (mut regrets, mut again) = (Vec::new(), Vec::new());
        for line in BufReader::new(&file).lines() {
            match serde_json::from_str(&line?)? {
                Line::Regret(regret) => regrets.push(regret),
                Line::Again(more) => again.push(more),
            }
        }
        Ok(Self {
            file,
            regrets,
            again,
        })
    }

    fn write(&mut self, line: &Line) -> io::Result<()> {
        let text = serde_json::to_string(line)? + "\n";
        self.file.write_all(text.as_bytes())
    }

    pub(crate) fn add_regret(&mut self, regret: Regret) -> io::Result<()> {
        self.write(&Line::Regret(regret.clone()))?;
        self.regrets.push(regret);
        Ok(())
    }

    pub(crate) fn add_again(&mut self, again: Again) -> io::Result<()> {
        self.write(&Line::Again(again.clone()))?;
        self.again.push(again);
        Ok(())
    }
}
