//! CPU time of the system's processes, from `/proc`. Linux only.

use std::fs;

use rustix::param::clock_ticks_per_second;

/// The processes, in the order in which tables show them.
pub const PROCESSES: [&str; 6] = ["edge", "core", "sessions", "PostgreSQL", "Redis", "generator"];

/// Which process is which.
#[derive(Clone, Copy, Debug)]
pub struct Processes {
    pub edge: u32,
    pub core: u32,
    pub sessions: u32,
    /// Its backends are counted with it.
    pub postgres: u32,
    pub redis: u32,
}

/// CPU time so far, in clock ticks.
#[derive(Clone, Copy, Debug)]
pub struct Ticks {
    each: [u64; 6],
    /// Of all processors, by anyone.
    machine: u64,
}

/// CPU time in milliseconds between two moments.
#[derive(Clone, Copy, Debug, Default)]
pub struct Used {
    pub each: [f64; 6],
    /// By others than these processes.
    pub elsewhere: f64,
}

impl Processes {
    pub fn ticks(&self) -> Ticks {
        let one = |pid: u32| stat(&pid.to_string()).map_or(0, |stat| stat.own);
        Ticks {
            each: [
                one(self.edge),
                one(self.core),
                one(self.sessions),
                family(self.postgres),
                one(self.redis),
                stat("self").map_or(0, |stat| stat.own),
            ],
            machine: machine(),
        }
    }
}

impl Ticks {
    pub fn since(self, earlier: Ticks) -> Used {
        let each = std::array::from_fn(|index| millis(self.each[index].saturating_sub(earlier.each[index])));
        let machine = millis(self.machine.saturating_sub(earlier.machine));
        Used {
            each,
            elsewhere: (machine - each.iter().sum::<f64>()).max(0.0),
        }
    }
}

impl Used {
    pub fn plus(self, other: Used) -> Used {
        Used {
            each: std::array::from_fn(|index| self.each[index] + other.each[index]),
            elsewhere: self.elsewhere + other.elsewhere,
        }
    }
}

/// What one line of `/proc/<pid>/stat` says.
struct Stat {
    parent: u32,
    own: u64,
    /// Of children that ended.
    waited: u64,
}

fn stat(pid: &str) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command's name comes before, in parentheses, and may hold anything.
    let fields: Vec<&str> = text.rsplit(')').next()?.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        own: number(11)? + number(12)?,
        waited: number(13)? + number(14)?,
    })
}

/// A process, its children, and those children that ended.
fn family(pid: u32) -> u64 {
    let parent = stat(&pid.to_string()).map_or(0, |stat| stat.own + stat.waited);
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let stats = entries.filter_map(|entry| stat(entry.file_name().to_str().filter(|name| is_number(name))?));
    let children = stats.filter(|stat| stat.parent == pid).map(|stat| stat.own);
    parent + children.sum::<u64>()
}

fn is_number(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_digit())
}

/// All that was not idle: user, nice, system, interrupts.
fn machine() -> u64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let first = text.lines().next().unwrap_or_default().split_whitespace().skip(1);
    let fields: Vec<u64> = first.filter_map(|field| field.parse().ok()).collect();
    [0, 1, 2, 5, 6].iter().filter_map(|index| fields.get(*index)).sum()
}

#[expect(clippy::cast_precision_loss, reason = "ticks of a round are few")]
fn millis(ticks: u64) -> f64 {
    ticks as f64 * 1_000.0 / clock_ticks_per_second() as f64
}
