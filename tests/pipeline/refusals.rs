//! What cannot be a pipeline is refused before anything starts, with the remedy.

use laneway::{
    OpenErrorKind,
    process::{Pipeline, StartError, pipeline::PipelineError},
    typed::Plain,
};
use libtest_mimic::Trial;

use crate::{entries::Number, flow::two_stages, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("refusals/of_what_is_no_pipeline", no_pipeline),
        trial("refusals/of_links", links),
        trial("refusals/of_types", types),
    ]
}

fn refused(pipeline: Pipeline, words: &[&str]) -> PipelineError {
    let error = pipeline.start().expect_err("is refused");
    let told = error.to_string();
    for word in words {
        assert!(told.contains(word), "{told}");
    }
    error
}

fn no_pipeline() {
    let error = refused(Pipeline::new(), &["add one"]);
    assert!(matches!(error, PipelineError::NoStages));
    let error = refused(Pipeline::new().stage("pass", 0), &["pass", "one at least"]);
    assert!(matches!(error, PipelineError::NoWorkers { .. }));
    let error = refused(Pipeline::new().stage("nobody", 1), &["nobody", "double"]);
    let unknown = |error: &StartError| matches!(error, StartError::UnknownEntry { .. });
    assert!(matches!(&error, PipelineError::Start { error, .. } if unknown(error)));
    for (pipeline, wanted) in [
        (Pipeline::new().stage("parent", 1), "stage"),
        (Pipeline::new().stage("numbers", 1), "stage"),
        (Pipeline::new().stage("sum_is", 1), "stage"),
        (
            Pipeline::new()
                .stage("pass", 1)
                .source("double", &Plain(1_u8)),
            "source",
        ),
        (
            Pipeline::new()
                .stage("pass", 1)
                .sink("numbers", &Plain(1_u8)),
            "sink",
        ),
    ] {
        let error = refused(pipeline, &[&format!("Entries::{wanted}")]);
        assert!(matches!(error, PipelineError::Misplaced { wanted: w, .. } if w == wanted));
    }
    // A source with arguments of another type than it takes.
    let pipeline = Pipeline::new()
        .stage("pass", 1)
        .source("numbers", &Plain(1_u8));
    let error = refused(pipeline, &["numbers takes a", "[u64; 2]", "<u8>"]);
    let arguments = |error: &StartError| matches!(error, StartError::Arguments { .. });
    assert!(matches!(&error, PipelineError::Start { error, .. } if arguments(error)));
}

fn links() {
    let kind = |error: &PipelineError| match error {
        PipelineError::Link { error, .. } => error.kind,
        other => panic!("{other}"),
    };
    for narrow in ["pipe:", "shm+spsc:"] {
        let pipeline = two_stages("pass", "double", [4, 2], Some(narrow));
        let error = refused(pipeline, &["from source to pass", "shm+mpmc:"]);
        assert_eq!(kind(&error), OpenErrorKind::Narrow);
    }
    let pipeline = Pipeline::new()
        .stage("pass", 2)
        .stage("double", 2)
        .link("pipe:");
    let error = refused(pipeline, &["from double to sink"]);
    assert_eq!(kind(&error), OpenErrorKind::Narrow);
    let name = format!("shm+spsc:laneway-pipeline.{}", std::process::id());
    let pipeline = Pipeline::new().link(&name).stage("pass", 2).ordered();
    let error = refused(pipeline, &["cannot share a name"]);
    assert!(matches!(kind(&error), OpenErrorKind::Refused(_)));
    for wrong in ["carrier pigeon", "pigeon:", "shm+mpmc:?colour=red"] {
        let error = refused(Pipeline::new().link(wrong).stage("pass", 1), &[]);
        assert!(matches!(error, PipelineError::Address(_)), "{error}");
    }
    let error = refused(
        Pipeline::new().link("fifo:").stage("pass", 1),
        &["needs a name"],
    );
    drop(error);
}

fn types() {
    let error = refused(
        two_stages("sizes", "pass", [1, 1], None),
        &["sizes", "pass", "u8", "u64"],
    );
    assert!(matches!(error, PipelineError::Types { .. }));
    let pipeline = two_stages("words", "pass", [1, 1], None);
    let error = refused(pipeline, &["BTreeMap"]);
    assert!(matches!(error, PipelineError::Types { .. }));
    let mut running = two_stages("pass", "double", [2, 2], None)
        .start()
        .expect("starts");
    let error = running.source::<Plain<i64>>().expect_err("another type");
    assert!(error.to_string().contains("i64"), "{error}");
    let error = running.sink::<Plain<i64>>().expect_err("another type");
    assert!(error.to_string().contains("i64"), "{error}");
    // It was not taken by that.
    let mut source = running.source::<Number>().expect("is here");
    let mut sink = running.sink::<Number>().expect("is here");
    assert!(matches!(
        running.source::<Number>(),
        Err(PipelineError::Taken { end: "source" })
    ));
    assert!(matches!(
        running.sink::<Number>(),
        Err(PipelineError::Taken { end: "sink" })
    ));
    source.send(&Plain(21)).expect("sends");
    assert_eq!(sink.recv().expect("comes"), Some(Plain(42)));
}
