//! Whole choices on this machine: every part is there, the same figures give the same words, bounds that nothing keeps
//! are named, and what is broken off leaves nothing.

use std::{env, fs, ops::ControlFlow, process, time::Duration};

use laneway::{
    Registry,
    choose::{self, Bound, Choice, Judgement, Need, Needs, Objective, Refusal, Standing, Verdict},
    measure::{self, Progress, SCHEMA, Workload},
};
use libtest_mimic::{Arguments, Trial};

/// Enough for every part, not for a good answer.
const SHORT: Duration = Duration::from_secs(2);

fn main() {
    measure::serve(&Registry::BUILTIN);
    let tests: &[(&str, fn())] = &[
        ("whole", whole),
        ("objectives", objectives),
        ("slo", slo),
        ("budget", budget),
        ("rate", rate),
        ("needs", needs),
        ("interrupted", interrupted),
    ];
    let trials = tests.iter().map(|(name, test)| {
        Trial::test(*name, move || {
            test();
            Ok(())
        })
    });
    let mut arguments = Arguments::from_args();
    // Each measures.
    arguments.test_threads = Some(1);
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    nothing_is_left();
    conclusion.exit();
}

/// No object that this process named is there, and no child.
fn nothing_is_left() {
    let own = format!("laneway-measure.{}.", process::id());
    for folder in [env::temp_dir(), "/dev/shm".into()] {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            assert!(!name.contains(&own), "{name} was left");
        }
    }
    let pid = process::id();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    assert_eq!(children.expect("the kernel tells"), "");
}

fn choice(needs: &Needs) -> Choice {
    let watch = &mut |_: Progress<'_>| ControlFlow::<()>::Continue(());
    let choice = choose::choose(needs, &Registry::BUILTIN, SHORT, watch);
    choice.expect("not interrupted")
}

fn whole() {
    let workload = Workload::new(64).rate(5000.0);
    let mut steps = Vec::new();
    let mut watch = |progress: Progress<'_>| {
        steps.push((progress.done, progress.total));
        ControlFlow::<()>::Continue(())
    };
    // No machine is this slow.
    let needs = Needs::new(workload).slo("p50<1s".parse().expect("a service level"));
    let choice = choose::choose(&needs, &Registry::BUILTIN, SHORT, &mut watch);
    let choice = choice.expect("not interrupted");

    assert_eq!(choice.schema, SCHEMA);
    assert!(
        steps
            .iter()
            .enumerate()
            .all(|(n, step)| step.0 == n && n < step.1)
    );
    let all = Registry::BUILTIN.drivers().len();
    assert_eq!(choice.comparison.reports.len() + choice.refused.len(), all);
    assert_eq!(choice.ceilings.len(), choice.comparison.reports.len());
    assert!(
        choice
            .ceilings
            .iter()
            .all(|ceiling| ceiling.tried > 0 && ceiling.rate.is_some())
    );
    assert!(choice.neighbours.len() >= 4, "{}", choice.neighbours.len());
    assert!(choice.comparison.hiccups.p999().is_some());

    let answer = &choice.recommendation;
    assert!(matches!(answer.verdict, Verdict::Answer | Verdict::Tie));
    assert_eq!(answer.objective, Objective::Cpu, "since it has a rate");
    let pick = answer.pick.as_deref().expect("one");
    assert!(
        choice
            .comparison
            .reports
            .iter()
            .any(|report| report.address == pick)
    );
    // A busy machine may hold up one or another for longer than its rate allows, but not the one that is picked.
    let standing = |standing: &&Standing| standing.address == pick;
    let picked = answer.standings.iter().find(standing).expect("is judged");
    assert_eq!(picked.judgement, Judgement::Meets, "{pick}");
    assert!(
        picked
            .figure
            .is_some_and(|figure| figure.median.is_finite())
    );

    // The same figures, saved and read, give the same words.
    let saved = serde_json::to_string(&choice).expect("saves");
    let read: Choice = serde_json::from_str(&saved).expect("reads");
    assert_eq!(read, choice);
    let again = read.ranked_again();
    assert_eq!(again, choice);
    assert_eq!(serde_json::to_string(&again).expect("saves"), saved);
}

/// The same figures answer other questions.
fn objectives() {
    let choice = choice(&Needs::new(Workload::new(64)));
    assert_eq!(choice.recommendation.objective, Objective::Rate);
    assert!(choice.ceilings.is_empty(), "nothing is to be kept");
    for word in ["rate", "p50", "p99.9", "cpu", "simplicity"] {
        let objective = word.parse().expect("an objective");
        let needs = choice.needs.clone().by(objective);
        let answer = choose::rank(&needs, &choice.comparison);
        assert_eq!(answer.objective, objective);
        assert!(answer.pick.is_some() && !answer.why.is_empty());
        let first = choice.comparison.reports.first().expect("some");
        if objective == Objective::Simplicity {
            assert_eq!(answer.pick.as_ref(), Some(&first.address));
            assert_eq!(answer.verdict, Verdict::Answer);
        }
    }
}

/// What nothing keeps is named, with what comes closest.
fn slo() {
    let workload = Workload::new(64).rate(2000.0);
    let needs = Needs::new(workload).slo("p50<1ns".parse().expect("a service level"));
    let answer = choice(&needs).recommendation;
    assert_eq!(answer.verdict, Verdict::Nothing);
    assert_eq!(answer.verdict.exit_code(), 4);
    assert_eq!(answer.pick, None);
    assert!(answer.too_noisy, "every machine is later than that");
    let relax = answer.relax.expect("there is one");
    assert_eq!(relax.bound, Bound::Slo);
    assert!(relax.achieved > 1.0 && relax.achieved.is_finite());
    assert!(answer.why.contains(&relax.words), "{:?}", answer.why);
    let all_late = answer
        .standings
        .iter()
        .all(|s| matches!(s.judgement, Judgement::Late { .. }));
    assert!(all_late, "{:?}", answer.standings);
}

fn budget() {
    let workload = Workload::new(64).rate(2000.0);
    let answer = choice(&Needs::new(workload).cpu_budget(1e-9)).recommendation;
    assert_eq!(answer.verdict, Verdict::Nothing);
    let relax = answer.relax.expect("there is one");
    assert_eq!(relax.bound, Bound::CpuBudget);
    assert!(relax.achieved > 1e-9 && relax.achieved < 2.0, "{relax:?}");
}

fn rate() {
    let answer = choice(&Needs::new(Workload::new(64).rate(1e12))).recommendation;
    assert_eq!(answer.verdict, Verdict::Nothing);
    let relax = answer.relax.expect("there is one");
    assert_eq!(relax.bound, Bound::Rate);
    assert!(relax.achieved > 100.0, "{relax:?}");
}

fn needs() {
    let needs = Needs::new(Workload::new(64))
        .must(Need::Select)
        .must(Need::Named)
        .must(Need::NoShm);
    let choice = choice(&needs);
    for report in &choice.comparison.reports {
        let scheme = report.address.split(':').next().unwrap_or_default();
        assert!(
            ["fifo", "unix+seqpacket", "unix+stream"].contains(&scheme),
            "{scheme}"
        );
    }
    let lacks = |refusal: &Refusal| matches!(refusal, Refusal::Lacks { .. } | Refusal::Lossy);
    assert!(choice.refused.iter().all(|refused| lacks(&refused.reason)));
    assert!(!choice.refused.is_empty());
}

/// What is broken off leaves nothing, wherever that is.
fn interrupted() {
    let slo = "p50<1s".parse().expect("a service level");
    let needs = Needs::new(Workload::new(64).rate(1000.0)).slo(slo);
    for part in [0.0, 0.3, 0.6, 0.95] {
        let mut watch = |progress: Progress<'_>| {
            if progress.done as f64 >= progress.total as f64 * part {
                ControlFlow::Break(progress.done)
            } else {
                ControlFlow::Continue(())
            }
        };
        let broken = choose::choose(&needs, &Registry::BUILTIN, SHORT, &mut watch);
        assert!(broken.is_err(), "at {part}");
        nothing_is_left();
    }
}
