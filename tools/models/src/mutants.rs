//! Orderings weakened, each in a process of its own, and which model tells.

use std::{
    env,
    process::{Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use crate::{
    models::{self, Model},
    sync,
};

/// An ordering in the library that could be weaker.
#[derive(Clone, Copy, Debug)]
pub struct Site {
    /// Under src.
    pub file: &'static str,
    /// From 1.
    pub line: usize,
    /// The function it is in.
    pub function: &'static str,
    /// The line.
    pub code: &'static str,
    /// What it is.
    pub was: Ordering,
    /// What it could be.
    pub weaker: &'static [Ordering],
}

include!(concat!(env!("OUT_DIR"), "/sites.rs"));

/// A mutant that no model tells by itself.
#[derive(Clone, Copy, Debug)]
struct Unseen {
    /// As [`Mutant::name`] has it, without the line's number; the line holds `word`.
    name: &'static str,
    word: &'static str,
    why: Why,
}

/// Why not.
#[derive(Clone, Copy, Debug)]
enum Why {
    /// Another ordering does the same: with both weakened a model tells. Named as above.
    With(&'static [(&'static str, &'static str)]),
    /// Nothing that a model could show.
    Because(&'static str),
}

/// All of them.
const UNSEEN: &[Unseen] = &include!("unseen.in");

/// Tells a child which mutants it has.
const VARIABLE: &str = "LANEWAY_MUTANTS";

/// What a mutant without a step is called by.
const WITHOUT: &str = "without:";
/// The steps whose lack a model tells; tools/crash looks after the others.
const STEPS: &[&str] = &["Step::ReportNews"];
/// What this process leaves out.
static LEFT_OUT: OnceLock<String> = OnceLock::new();

/// Whether this process leaves a step out.
pub(crate) fn is_left_out(step: &str) -> bool {
    LEFT_OUT.get().is_some_and(|left| left == step)
}

/// Becomes the mutant that the parent wants, if it wants one.
///
/// # Panics
/// If there is no such mutant.
pub fn become_one() {
    let wanted = env::var(VARIABLE).unwrap_or_default();
    for wanted in wanted.split_whitespace() {
        if let Some(step) = wanted.strip_prefix(WITHOUT) {
            // Once at the start.
            let _ = LEFT_OUT.set(step.to_owned());
            continue;
        }
        let mutant = all().find(|mutant| mutant.key() == wanted);
        let Mutant { site, to } = mutant.expect("a mutant");
        sync::mutate(site, to);
    }
}

/// One ordering made weaker.
#[derive(Clone, Copy, Debug)]
struct Mutant {
    site: usize,
    to: Ordering,
}

fn all() -> impl Iterator<Item = Mutant> {
    SITES.iter().enumerate().flat_map(|(site, about)| {
        let weaker = about.weaker.iter();
        weaker.map(move |&to| Mutant { site, to })
    })
}

/// Those of this name whose line holds this word.
fn named(name: &str, word: &str) -> Vec<Mutant> {
    all()
        .filter(|mutant| mutant.name() == name && mutant.site().code.contains(word))
        .collect()
}

impl Mutant {
    fn site(&self) -> Site {
        SITES[self.site]
    }

    fn key(&self) -> String {
        format!("{}:{:?}", self.site, self.to)
    }

    /// As people read it.
    fn name(&self) -> String {
        let Site {
            file,
            function,
            was,
            ..
        } = self.site();
        match was {
            Ordering::SeqCst => format!("{file} {function}: {was:?} -> none"),
            _ => format!("{file} {function}: {was:?} -> {:?}", self.to),
        }
    }

    /// What is known of it, if no model tells.
    fn unseen(&self) -> Option<Unseen> {
        let code = self.site().code;
        let mut all = UNSEEN.iter();
        let found = all.find(|unseen| self.name() == unseen.name && code.contains(unseen.word));
        found.copied()
    }

    /// The models to ask, the short ones first.
    fn models(&self) -> Vec<Model> {
        let file = self.site().file;
        let mut models: Vec<Model> = models::all().filter(|model| model.file == file).collect();
        models.sort_by_key(|model| model.long);
        models
    }

    /// What becomes of it, and whether that is known.
    fn verdict(self, seconds: u64) -> (bool, String) {
        let caught = caught_by(&[self], seconds);
        match (caught, self.unseen().map(|unseen| unseen.why)) {
            (Some(model), None) => (true, format!("caught by `{model}`")),
            (None, Some(Why::Because(why))) => (true, format!("not shown: {why}")),
            (None, Some(Why::With(partners))) => self.together(partners, seconds),
            (None, None) => (false, format!("NOT CAUGHT: {}", self.site().code)),
            (Some(model), Some(_)) => (false, format!("CAUGHT by `{model}`, against unseen.in")),
        }
    }

    /// The same, with others weakened as well.
    fn together(self, partners: &[(&str, &str)], seconds: u64) -> (bool, String) {
        let mut mutants = vec![self];
        for (name, word) in partners {
            mutants.extend(named(name, word));
        }
        let names: Vec<String> = partners
            .iter()
            .map(|(name, _)| format!("`{name}`"))
            .collect();
        let names = names.join(" and ");
        if mutants.len() <= partners.len() {
            return (false, format!("NO SUCH PARTNER: {names}"));
        }
        match caught_by(&mutants, seconds) {
            Some(model) => (true, format!("caught together with {names} by `{model}`")),
            None => (false, format!("NOT CAUGHT, also together with {names}")),
        }
    }
}

/// The model that tells these, if one does.
fn caught_by(mutants: &[Mutant], seconds: u64) -> Option<&'static str> {
    let keys: Vec<String> = mutants.iter().map(Mutant::key).collect();
    let models = mutants.first().map(Mutant::models).unwrap_or_default();
    first_to_tell(models, &keys.join(" "), seconds)
}

/// The first of these models that tells these mutants, named by their keys.
fn first_to_tell(models: Vec<Model>, keys: &str, seconds: u64) -> Option<&'static str> {
    let told = |model: &Model| {
        let status = Command::new("/proc/self/exe")
            .args(["model", model.name, "--seconds", &seconds.to_string()])
            .env(VARIABLE, keys)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        !status.expect("this program runs").success()
    };
    models.into_iter().find(told).map(|model| model.name)
}

/// Tries every mutant, or those of one file, each model for so many seconds at most, and prints what told. `false` if that is
/// not what is known.
#[must_use]
pub fn run(file: Option<&str>, seconds: u64) -> bool {
    let mutants: Vec<Mutant> = all()
        .filter(|mutant| file.is_none_or(|file| mutant.site().file == file))
        .collect();
    let next = AtomicUsize::new(0);
    let (caught, wrong) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        while let Some(mutant) = mutants.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (known, told) = mutant.verdict(seconds);
            println!("{:>4} {:46} {told}", mutant.site().line, mutant.name());
            let is_caught = told.starts_with("caught");
            caught.fetch_add(is_caught.into(), Ordering::Relaxed);
            wrong.fetch_add((!known).into(), Ordering::Relaxed);
        }
    };
    thread::scope(|scope| {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..cores {
            scope.spawn(work);
        }
    });
    for step in STEPS {
        let models = models::all().filter(|model| file.is_none_or(|file| model.file == file));
        let told = first_to_tell(models.collect(), &format!("{WITHOUT}{step}"), seconds);
        let (told, missed) = match told {
            Some(model) => (format!("caught by `{model}`"), 0),
            // Another file's.
            None if file.is_some_and(|file| file != "wait.rs") => continue,
            None => ("NOT CAUGHT".to_owned(), 1),
        };
        println!("     {:46} {told}", format!("without {step}"));
        wrong.fetch_add(missed, Ordering::Relaxed);
    }
    let (caught, wrong) = (caught.into_inner(), wrong.into_inner());
    println!(
        "{caught} of {} caught, {wrong} not as it is known",
        mutants.len()
    );
    wrong == 0
}
