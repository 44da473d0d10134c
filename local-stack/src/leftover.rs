//! Servers that outlived the process that started them, and pid files that outlived their servers.
//!
//! A pid file alone proves nothing: the number may have been given to another process since. A process is ours only
//! if its command line names our folder.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rustix::process::{Signal, kill_process, test_kill_process};

use crate::process::raw_pid;
use crate::{postgres, redis};

const POLL: Duration = Duration::from_millis(20);
/// For each of: asked to stop, told to stop, killed.
const PATIENCE: Duration = Duration::from_secs(8);

/// Ends the servers that still run in `folder`, and removes their stale pid files.
pub fn end(folder: &Path) -> Result<()> {
    end_one(
        &folder.join(postgres::PID_FILE),
        &folder.join(postgres::DATA),
        [Signal::INT, Signal::QUIT, Signal::KILL],
    )?;
    end_one(
        &folder.join(redis::PID_FILE),
        &folder.join(redis::CONFIGURATION),
        [Signal::TERM, Signal::TERM, Signal::KILL],
    )
}

/// Ends the process that a pid file names, if it still runs and its command line contains the path `mark`; removes the
/// file. The signals are sent in turn, each with time to obey.
pub fn end_one(pid_file: &Path, mark: &Path, signals: [Signal; 3]) -> Result<()> {
    let Ok(text) = fs::read_to_string(pid_file) else {
        return Ok(());
    };
    let pid = text.lines().next().and_then(|line| line.trim().parse::<u32>().ok());
    if let Some(pid) = pid.filter(|&pid| is_ours(pid, mark)) {
        tracing::info!(pid, folder = %mark.display(), "ending a server that was left running");
        end_process(pid, mark, signals)?;
    }
    // The server removes it itself when it stops in order.
    match fs::remove_file(pid_file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

fn end_process(pid: u32, mark: &Path, signals: [Signal; 3]) -> Result<()> {
    let Some(raw) = raw_pid(pid) else { return Ok(()) };
    for signal in signals {
        // It may have ended since we looked.
        let _ = kill_process(raw, signal);
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if !is_ours(pid, mark) {
                return Ok(());
            }
            thread::sleep(POLL);
        }
    }
    bail!("process {pid}, left over from an earlier run, cannot be ended: end it and start again")
}

/// Whether `pid` runs now and its command line names `mark`.
fn is_ours(pid: u32, mark: &Path) -> bool {
    let alive = raw_pid(pid).is_some_and(|raw| test_kill_process(raw) != Err(rustix::io::Errno::SRCH));
    alive && command_line(pid).is_some_and(|line| line.contains(&*mark.to_string_lossy()))
}

fn command_line(pid: u32) -> Option<String> {
    if Path::new("/proc/self/cmdline").exists() {
        let bytes = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        return Some(String::from_utf8_lossy(&bytes).replace('\0', " "));
    }
    let output = Command::new("ps")
        .args(["-o", "command=", "-p", &pid.to_string()])
        .output()
        .ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}
