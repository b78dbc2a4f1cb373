//! The models, by name. Each lists the outcomes that it accepts, and panics at any other.

mod event;
mod locked;
mod mpmc;
mod robust;
mod spsc;

use std::time::Duration;

/// A model.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    /// What it is called.
    pub name: &'static str,
    /// The file of the library that it is about.
    pub file: &'static str,
    /// How many preemptions loom tries at most; `None` is every order there is.
    pub bound: Option<usize>,
    /// Whether it takes longer than a test may.
    pub long: bool,
    run: fn(),
}

/// Every model.
pub const MODELS: &[&[Model]] = &[
    spsc::MODELS,
    mpmc::MODELS,
    locked::MODELS,
    robust::MODELS,
    event::MODELS,
];

impl Model {
    const fn exhaustive(name: &'static str, file: &'static str, run: fn()) -> Self {
        Self {
            name,
            file,
            bound: None,
            long: false,
            run,
        }
    }

    const fn bounded(name: &'static str, file: &'static str, bound: usize, run: fn()) -> Self {
        Self {
            bound: Some(bound),
            ..Self::exhaustive(name, file, run)
        }
    }

    const fn long(self) -> Self {
        Self { long: true, ..self }
    }

    /// Tries it until every order was tried, or until `most` has passed, if there is a most.
    ///
    /// # Panics
    /// At an outcome that the model does not accept.
    pub fn check(&self, most: Option<Duration>) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = self.bound;
        builder.max_branches = 20_000;
        builder.max_duration = most;
        // It looks at the clock that often.
        builder.checkpoint_interval = 200;
        builder.check(self.run);
    }
}

/// All of them in a row.
pub fn all() -> impl Iterator<Item = Model> {
    MODELS.iter().copied().flatten().copied()
}
