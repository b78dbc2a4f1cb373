//! Workloads that many have.

use clap::ValueEnum;
use laneway::{
    choose::{Need, Needs, Objective, Slo},
    measure::{Quantile, Shape, Sizes, Workload},
};

/// Workloads that many have, to start from: flags change what they say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Preset {
    /// 64..512 B from 4 named senders to one, 20k/s, by cpu
    Telemetry,
    /// 3110400 B (a frame of 1920x1080 in YUV 4:2:0), 60/s, p90<8ms, by cpu
    VideoFrames,
    /// 128..1024 B, each answered, 10k/s, by p99
    Rpc,
    /// 64..1024 B from 8 named senders to one, 50k/s, by cpu
    LogFanIn,
    /// 64 B, 100k/s, by p99.9
    MarketData,
    /// 256..4096 B to 4 named workers, 5k/s, by cpu
    JobQueue,
}

impl Preset {
    /// What it needs.
    pub(crate) fn needs(self) -> Needs {
        let many = |producers: u16, consumers: u16| Shape {
            producers: producers.try_into().unwrap_or(Shape::ONE_TO_ONE.producers),
            consumers: consumers.try_into().unwrap_or(Shape::ONE_TO_ONE.consumers),
        };
        let range = |least, most| Workload::of(Sizes::Range(least..=most));
        match self {
            Self::Telemetry => Needs::new(range(64, 512).shape(many(4, 1)).rate(20e3))
                .must(Need::Named)
                .by(Objective::Cpu),
            Self::VideoFrames => {
                let eight_ms = Slo {
                    quantile: Quantile::P90,
                    bound: 8_000_000,
                };
                Needs::new(Workload::new(1920 * 1080 * 3 / 2).rate(60.0))
                    .slo(eight_ms)
                    .by(Objective::Cpu)
            }
            Self::Rpc => Needs::new(range(128, 1024).rate(10e3).reply())
                .by(Objective::Latency(Quantile::P99)),
            Self::LogFanIn => Needs::new(range(64, 1024).shape(many(8, 1)).rate(50e3))
                .must(Need::Named)
                .by(Objective::Cpu),
            Self::MarketData => {
                Needs::new(Workload::new(64).rate(100e3)).by(Objective::Latency(Quantile::P999))
            }
            Self::JobQueue => Needs::new(range(256, 4096).shape(many(1, 4)).rate(5e3))
                .must(Need::Named)
                .by(Objective::Cpu),
        }
    }
}

#[cfg(test)]
mod tests {
    use laneway::{Registry, choose::shortlist};

    use super::*;

    #[test]
    fn each_has_transports_that_can_do_it() {
        for preset in Preset::value_variants() {
            let list = shortlist(&preset.needs(), &Registry::BUILTIN);
            assert!(list.fit.len() > 1, "{preset:?}: {:?}", list.refused);
        }
    }

    #[test]
    fn their_words_say_what_they_are() {
        for preset in Preset::value_variants() {
            let help = preset
                .to_possible_value()
                .and_then(|v| v.get_help().cloned());
            let help = help.expect("has help").to_string();
            let needs = preset.needs();
            let sizes = needs.workload.sizes.to_string();
            assert!(help.starts_with(&sizes), "{help}: {sizes}");
            assert!(
                help.ends_with(&format!("by {}", needs.objective())),
                "{help}"
            );
            assert_eq!(help.contains("named"), needs.must.contains(&Need::Named));
        }
    }
}
