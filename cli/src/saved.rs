//! Results in files.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use laneway::{
    choose::Choice,
    measure::{Comparison, Machine, SCHEMA, Survey, Workload},
};
use serde::{Deserialize, Serialize};

use crate::exit::Failure;

/// What `choose --json` or `measure --json` wrote.
#[derive(Clone, Debug)]
pub(crate) enum Saved {
    /// A choice.
    Choice(Box<Choice>),
    /// A measurement.
    Survey(Box<Survey>),
}

/// What tells the two forms apart, and from others.
#[derive(Debug, Deserialize)]
struct Head {
    schema: u32,
    recommendation: Option<serde::de::IgnoredAny>,
}

impl Saved {
    /// Reads one.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let text = fs::read_to_string(path).map_err(|error| file(path, error))?;
        let not_ours = |error: serde_json::Error| file(path, error.into());
        let head: Head = serde_json::from_str(&text).map_err(not_ours)?;
        if head.schema != SCHEMA {
            return Err(Failure::Schema {
                path: path.to_owned(),
                schema: head.schema,
            });
        }
        Ok(match head.recommendation {
            Some(_) => Self::Choice(serde_json::from_str(&text).map_err(not_ours)?),
            None => Self::Survey(serde_json::from_str(&text).map_err(not_ours)?),
        })
    }

    /// Where it was measured.
    pub(crate) fn machine(&self) -> &Machine {
        match self {
            Self::Choice(choice) => &choice.machine,
            Self::Survey(survey) => &survey.machine,
        }
    }

    /// What was sent.
    pub(crate) fn workload(&self) -> &Workload {
        match self {
            Self::Choice(choice) => &choice.needs.workload,
            Self::Survey(survey) => &survey.workload,
        }
    }

    /// What came out.
    pub(crate) fn comparison(&self) -> &Comparison {
        match self {
            Self::Choice(choice) => &choice.comparison,
            Self::Survey(survey) => &survey.comparison,
        }
    }

    /// The version that made it.
    pub(crate) fn version(&self) -> &str {
        match self {
            Self::Choice(choice) => &choice.version,
            Self::Survey(survey) => &survey.version,
        }
    }
}

fn file(path: &Path, error: io::Error) -> Failure {
    Failure::File {
        path: path.to_owned(),
        error,
    }
}

/// A result as JSON.
pub(crate) fn json(result: &impl Serialize) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(result);
    Ok(text.map_err(|error| Failure::Output(error.into()))? + "\n")
}

/// Writes a whole file.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(|error| file(path, error))
}

/// Where results go besides the screen.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Files {
    /// Write all there is to know as JSON: to FILE, or instead of the table
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    pub(crate) json: Option<PathBuf>,
    /// Write a page with plots, which needs no network, to FILE
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

impl Files {
    /// Writes the files that were asked for. Whether the JSON is to take the place of the table.
    pub(crate) fn write(
        &self,
        result: &impl Serialize,
        page: impl FnOnce(&str) -> String,
    ) -> Result<Option<String>, Failure> {
        if self.json.is_none() && self.html.is_none() {
            return Ok(None);
        }
        let json = json(result)?;
        if let Some(path) = &self.html {
            write(path, &page(&json))?;
        }
        match self.json.as_deref() {
            Some(path) if path == Path::new("-") => Ok(Some(json)),
            Some(path) => write(path, &json).map(|()| None),
            None => Ok(None),
        }
    }
}
