//! What faults do to processes: freeze, thaw, kill. Linux only, because a PostgreSQL server is many processes that are
//! found in `/proc`.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

/// Stops a process and its children where they are, until [`thaw`].
pub fn freeze(pid: u32) {
    signal_all(pid, Signal::STOP);
}

/// Lets a frozen process and its children go on.
pub fn thaw(pid: u32) {
    signal_all(pid, Signal::CONT);
}

/// Kills a process and its children, as the kernel does when memory runs out.
pub fn kill(pid: u32) {
    signal_all(pid, Signal::KILL);
}

/// Whether a process is there and not a zombie.
pub fn runs(pid: u32) -> bool {
    stat(pid).is_some_and(|(state, _)| state != 'Z')
}

fn signal_all(pid: u32, signal: Signal) {
    // The parent first, so that it starts no more.
    for one in std::iter::once(pid).chain(children(pid)) {
        if let Some(raw) = i32::try_from(one).ok().and_then(Pid::from_raw) {
            let _ = kill_process(raw, signal);
        }
    }
}

fn children(parent: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| stat(*pid).is_some_and(|(_, ppid)| ppid == parent))
        .collect()
}

/// State and parent. The command's name comes before, in parentheses, and may hold anything.
fn stat(pid: u32) -> Option<(char, u32)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = text.rsplit(')').next()?.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}
