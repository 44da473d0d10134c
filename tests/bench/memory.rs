//! How much memory a process has, and had at most meanwhile, from `/proc`. Linux only.

use std::fs;

use anyhow::{Context, Result};

/// Resident memory in MiB.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    pub before: f64,
    pub peak: f64,
}

/// A process that is watched.
pub struct Watch {
    pid: u32,
    before: f64,
}

impl Memory {
    /// Forgets what was the most so far.
    pub fn watch(pid: u32) -> Result<Watch> {
        fs::write(format!("/proc/{pid}/clear_refs"), "5")
            .context("the peak of a process's memory cannot be forgotten")?;
        let before = field(pid, "VmRSS:")?;
        Ok(Watch { pid, before })
    }
}

impl Watch {
    pub fn since(&self) -> Result<Memory> {
        Ok(Memory {
            before: self.before,
            peak: field(self.pid, "VmHWM:")?,
        })
    }
}

fn field(pid: u32, name: &str) -> Result<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    let kibibytes = value.and_then(|value| value.split_whitespace().next()?.parse::<f64>().ok());
    Ok(kibibytes.with_context(|| format!("{name} of process {pid} is not told"))? / 1_024.0)
}
