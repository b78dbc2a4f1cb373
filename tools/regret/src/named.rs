//! The questions that are asked again and again.

use laneway::{
    choose::{Need, Needs, Objective, Slo},
    measure::{Quantile, Shape, Sizes, Workload},
};

fn shape(text: &str) -> Shape {
    // All are constants, and right.
    text.parse().unwrap_or(Shape::ONE_TO_ONE)
}

/// The presets of `laneway choose`, by name.
pub(crate) fn all() -> [(&'static str, Needs); 6] {
    let range = |least, most| Workload::of(Sizes::Range(least..=most));
    let eight_ms = Slo {
        quantile: Quantile::P90,
        bound: 8_000_000,
    };
    let named = |workload: Workload| Needs::new(workload).must(Need::Named).by(Objective::Cpu);
    [
        (
            "telemetry",
            named(range(64, 512).shape(shape("4x1")).rate(20e3)),
        ),
        (
            "video-frames",
            Needs::new(Workload::new(1920 * 1080 * 3 / 2).rate(60.0))
                .slo(eight_ms)
                .by(Objective::Cpu),
        ),
        (
            "rpc",
            Needs::new(range(128, 1024).rate(10e3).reply()).by(Objective::Latency(Quantile::P99)),
        ),
        (
            "log-fan-in",
            named(range(64, 1024).shape(shape("8x1")).rate(50e3)),
        ),
        (
            "market-data",
            Needs::new(Workload::new(64).rate(100e3)).by(Objective::Latency(Quantile::P999)),
        ),
        (
            "job-queue",
            named(range(256, 4096).shape(shape("1x4")).rate(5e3)),
        ),
    ]
}
