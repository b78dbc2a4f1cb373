//! Where figures were taken.

use std::{fmt, fs};

use nix::sys::utsname;
use serde::{Deserialize, Serialize};

use crate::measure::{cores, workload::Workload};

/// The machine that figures were taken on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Machine {
    /// The processor, as it calls itself.
    pub cpu: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// The system and its version.
    pub kernel: String,
    /// How the clock of the cores is governed, if the system tells.
    pub governor: Option<String>,
    /// Whether the cores are lent by a hypervisor, if the system tells.
    pub is_virtual: Option<bool>,
}

impl Machine {
    /// This one.
    #[must_use]
    pub fn this() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let value = |key: &str| {
            let mut lines = cpuinfo.lines().filter_map(|line| line.split_once(':'));
            let found = lines.find(|(name, _)| name.trim() == key);
            found.map(|(_, value)| value.trim().to_owned())
        };
        let flags = value("flags");
        let kernel = utsname::uname().map(|name| {
            let words = [name.sysname(), name.release(), name.machine()];
            words.map(|word| word.to_string_lossy()).join(" ")
        });
        let governor = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor";
        Self {
            cpu: value("model name").unwrap_or_else(|| "unknown processor".to_owned()),
            cores: cores::allowed().len(),
            kernel: kernel.unwrap_or_default(),
            governor: fs::read_to_string(governor)
                .ok()
                .map(|text| text.trim().to_owned()),
            is_virtual: flags.map(|all| all.split(' ').any(|flag| flag == "hypervisor")),
        }
    }

    /// What about it speaks against the figures.
    #[must_use]
    pub fn warnings(&self, workload: &Workload) -> Vec<Warning> {
        let processes = workload.shape.processes();
        let mut warnings = Vec::new();
        if self.cores < processes {
            warnings.push(Warning::FewerCoresThanProcesses {
                cores: self.cores,
                processes,
            });
        }
        if self.is_virtual == Some(true) {
            warnings.push(Warning::Virtual);
        }
        match &self.governor {
            Some(governor) if governor != "performance" => {
                let governor = governor.clone();
                warnings.push(Warning::FrequencyScaling { governor });
            }
            _ => {}
        }
        warnings
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.is_virtual {
            Some(true) => "virtual ",
            _ => "",
        };
        let cores = plural(self.cores);
        let (cpu, kernel) = (&self.cpu, &self.kernel);
        write!(f, "{cpu}, {} {kind}{cores}, {kernel}", self.cores)?;
        match &self.governor {
            Some(governor) => write!(f, ", governor {governor}"),
            None => Ok(()),
        }
    }
}

const fn plural(cores: usize) -> &'static str {
    match cores {
        1 => "core",
        _ => "cores",
    }
}

/// What speaks against figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "warning", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Warning {
    /// Processes had to share cores.
    FewerCoresThanProcesses {
        /// Cores to use.
        cores: usize,
        /// Processes that want one.
        processes: usize,
    },
    /// A hypervisor moves the cores about.
    Virtual,
    /// The clock of the cores changes.
    FrequencyScaling {
        /// What governs it.
        governor: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FewerCoresThanProcesses { cores, processes } => write!(
                f,
                "{processes} processes share {cores} {}: waiting in a spin is not representative",
                plural(*cores)
            ),
            Self::Virtual => f.write_str(
                "virtual cores are moved by the hypervisor: figures change by up to 2 between minutes, ratios less",
            ),
            Self::FrequencyScaling { governor } => write!(
                f,
                "governor {governor} changes the clock: set it to performance for steadier figures"
            ),
        }
    }
}
