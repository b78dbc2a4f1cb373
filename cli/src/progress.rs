//! How far a measurement is, where standard error is a terminal.

use std::ops::ControlFlow;

use indicatif::{ProgressBar, ProgressStyle};
use laneway::measure::Progress;

use crate::{exit::Failure, stop::Stop};

/// Runs a measurement, shows how far it is, and breaks it off between two steps if a signal came, so that nothing is left
/// behind.
pub(crate) fn watched<T>(
    about: &str,
    work: impl FnOnce(&mut dyn FnMut(Progress<'_>) -> ControlFlow<Failure>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let stop = Stop::catch()?;
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let mut watch = |progress: Progress<'_>| {
        if let Err(signal) = stop.check() {
            return ControlFlow::Break(signal);
        }
        bar.set_length(progress.total as u64);
        bar.set_position(progress.done as u64);
        bar.set_message(format!("{} {about}", progress.address));
        ControlFlow::Continue(())
    };
    let done = work(&mut watch);
    bar.finish_and_clear();
    done
}
