//! On what it was measured, in a line.

use std::fs;
use std::thread::available_parallelism;

use anyhow::Result;
use local_stack::programs;

use crate::options::Options;

/// Processors, memory, servers, and how long it was measured.
pub fn described(options: &Options) -> Result<String> {
    let model = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown processors".to_owned());
    let memory = field("/proc/meminfo", "MemTotal").and_then(|size| size.split(' ').next()?.parse::<u64>().ok());
    Ok(format!(
        "{} × {model}, {} GiB of memory; PostgreSQL {}, Redis {}; medians of {} rounds of {} s",
        available_parallelism()?,
        memory.unwrap_or_default() >> 20,
        programs::postgres()?.version,
        programs::redis()?.version,
        options.rounds(),
        options.seconds(),
    ))
}

/// The first value of that name in a file of lines `name : value`.
fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.split_once(':'));
    Some(value?.1.trim().to_owned())
}
