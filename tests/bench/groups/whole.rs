//! Whole groups: how soon they begin to come, how long they take, and what memory that takes.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use e2e::measure::figures::Latencies;
use futures_util::future::try_join_all;
use serde_json::{Value, json};

use crate::data::Changing;
use crate::http::Connection;
use crate::limits::{Limit, Variation};
use crate::load;
use crate::memory::Memory;
use crate::options::Options;
use crate::requests::{Request, get_group};
use crate::stage::{Stage, Target};
use crate::table::thousands;

/// How many are read at a time.
const AT_A_TIME: [u32; 2] = [1, 8];

/// A group that was read again and again.
pub struct Reading {
    members: u32,
    with_members: bool,
    at_a_time: u32,
    times: Times,
    /// The same statements without a system around them.
    limit_ms: f64,
    edge: Memory,
    core: Memory,
}

/// Medians in milliseconds, and the size.
struct Times {
    first_ms: f64,
    whole_ms: f64,
    bytes: usize,
}

/// Reads each of the groups, which are given by number and size, without and with its members. Some of those who come and go
/// are left in them.
pub async fn measure<'a>(
    stage: &mut Stage,
    changing: &Changing,
    groups: impl Iterator<Item = &'a (u64, u32)>,
    options: &Options,
) -> Result<Vec<Reading>> {
    let mut readings = Vec::new();
    for &(number, members) in groups {
        for with_members in [false, true] {
            let count = usize::try_from(members)? + changing.members_of(number);
            let request = get_group(number, count, with_members);
            let (_, statements) = stage.statements_of(load::once(&stage.target(), &request)).await?;
            let limit = Limit::of_statements(&statements, Variation::default());
            if options.scripts {
                eprintln!("{}", limit.text());
            }
            for at_a_time in AT_A_TIME {
                eprintln!("{members} members: GET, {at_a_time} at a time");
                let (times, edge, core) = read(stage, &request, at_a_time, options).await?;
                let rate = limit.measure(stage, at_a_time, options.seconds())?.whole();
                let reading = Reading {
                    members,
                    with_members,
                    at_a_time,
                    times,
                    limit_ms: f64::from(at_a_time) * 1_000.0 / rate,
                    edge,
                    core,
                };
                if options.json {
                    println!("{}", reading.json());
                }
                readings.push(reading);
            }
        }
    }
    Ok(readings)
}

/// So many at a time, until the time is over: times, and the memory of edge and core.
async fn read(
    stage: &mut Stage,
    request: &Request,
    at_a_time: u32,
    options: &Options,
) -> Result<(Times, Memory, Memory)> {
    let (target, processes) = (stage.target(), stage.processes());
    let mut connections = Vec::new();
    for _ in 0..at_a_time {
        connections.push(Connection::open(&target.host).await?);
    }
    let (edge, core) = (Memory::watch(processes.edge)?, Memory::watch(processes.core)?);
    let (mut first, mut whole, mut bytes) = (Latencies::default(), Latencies::default(), 0);
    let until = Instant::now() + Duration::from_secs(options.seconds().into());
    let mut rounds = 0;
    while rounds < options.rounds() || Instant::now() < until {
        rounds += 1;
        let all = connections
            .iter_mut()
            .map(|connection| one(connection, &target, request));
        for (begun, took, size) in try_join_all(all).await? {
            first.push(begun);
            whole.push(took);
            bytes = size;
        }
    }
    let times = Times {
        first_ms: first.percentile(50),
        whole_ms: whole.percentile(50),
        bytes,
    };
    Ok((times, edge.since()?, core.since()?))
}

/// When it began to come, when it was there, and how large it was.
async fn one(connection: &mut Connection, target: &Target, request: &Request) -> Result<(Duration, Duration, usize)> {
    let mut text = String::new();
    request.write(&target.base, &target.head, &mut text);
    let asked = Instant::now();
    let answer = connection.ask(text.as_bytes()).await?;
    let took = asked.elapsed();
    ensure!(
        request.expected.is_met_by(answer.status, answer.body),
        "not the right answer: {} of {} bytes",
        answer.status,
        answer.body.len()
    );
    Ok((answer.first - asked, took, answer.body.len()))
}

impl Reading {
    fn ratio(&self) -> f64 {
        self.limit_ms / self.times.whole_ms
    }

    /// For programs.
    fn json(&self) -> Value {
        json!({
            "operation": "GET of a group", "members": self.members, "with_members": self.with_members,
            "at_a_time": self.at_a_time, "first_byte_ms": self.times.first_ms, "whole_ms": self.times.whole_ms,
            "bytes": self.times.bytes, "limit_as_sent_ms": self.limit_ms, "ratio_as_sent": self.ratio(),
            "edge_before_mib": self.edge.before, "edge_peak_mib": self.edge.peak,
            "core_before_mib": self.core.before, "core_peak_mib": self.core.peak,
        })
    }

    fn cells(&self) -> Vec<String> {
        let name = if self.with_members {
            "GET"
        } else {
            "GET without members"
        };
        let mut cells = vec![
            name.to_owned(),
            thousands(self.members),
            self.at_a_time.to_string(),
            format!("{:.2}", self.times.first_ms),
            format!("{:.2}", self.times.whole_ms),
            thousands(u32::try_from(self.times.bytes).unwrap_or(u32::MAX)),
            format!("{:.2}", self.limit_ms),
            format!("{:.2}", self.ratio()),
        ];
        let memory = [self.edge.before, self.edge.peak, self.core.before, self.core.peak];
        cells.extend(memory.map(|mebibytes| format!("{mebibytes:.1}")));
        cells
    }
}

/// All readings.
pub fn table(readings: &[Reading], markdown: bool) -> String {
    let head = [
        "request",
        "members",
        "at a time",
        "first byte ms",
        "whole ms",
        "bytes",
        "limit as sent ms",
        "ratio",
        "edge before MiB",
        "peak",
        "core before MiB",
        "peak",
    ];
    let head = head.map(str::to_owned).to_vec();
    crate::table::table(head, readings.iter().map(Reading::cells), markdown)
}
