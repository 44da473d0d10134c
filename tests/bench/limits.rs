//! The limits: how often per second PostgreSQL executes the statements of an operation, by `pgbench` with as many clients,
//! and Redis the script of a validation, by `redis-benchmark`.
//!
//! Statements and script are those that the servers were seen to get, so that they cannot drift from the sources.

use std::cell::Cell;
use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, ensure};
use e2e::measure::script::{Extent, Script, Vary, script};
use e2e::measure::statement::Statement;
use identity_proto::session::v1::ValidateSessionRequest;

use crate::data::Data;
use crate::fill::id_in;
use crate::load;
use crate::operations::Operation;
use crate::stage::{DATABASE, LIMITS, Stage};

/// Sessions that the limit of a validation chooses from.
const SESSIONS: u32 = 1_000;
/// Digits that `redis-benchmark` puts in place of [`RANDOM`].
const DIGITS: usize = 12;
const RANDOM: &str = "__rand_int__";

/// How the statements of one request differ from those of another.
pub struct Variation {
    /// Lines of a script that set variables.
    pub set: String,
    pub vary: Vec<Vary>,
}

/// What limits an operation.
pub enum Limit {
    Postgres {
        alone: Script,
        /// `None` where nothing else is sent.
        as_sent: Option<Script>,
        /// Two rounds never create the same user.
        round: Cell<u32>,
        /// What makes the copy fit for the next round.
        after: Option<String>,
    },
    Redis {
        command: Vec<String>,
        /// As it was measured last: `redis-benchmark` wants to know how many requests, not how long.
        rate: Cell<f64>,
    },
}

/// Per second.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    pub alone: f64,
    pub as_sent: Option<f64>,
}

impl Limit {
    /// Learns it from one request.
    pub async fn of(operation: Operation, stage: &Stage, data: &Data) -> Result<Self> {
        if operation == Operation::ValidateSession {
            return of_validation(stage, data).await;
        }
        let (request, mut variation) = operation.model(data);
        let target = stage.target();
        let (body, statements) = stage.statements_of(load::once(&target, &request)).await?;
        ensure!(
            statements.iter().any(|statement| !statement.parameters.is_empty()),
            "PostgreSQL was not seen to get any statement of {}: {statements:?}",
            operation.name()
        );
        if operation == Operation::Create {
            Operation::with_created_id(&id_in(&body)?, &mut variation);
        }
        Ok(Self::of_statements(operation, &statements, &variation))
    }

    fn of_statements(operation: Operation, statements: &[Statement], variation: &Variation) -> Self {
        let of = |extent| script(&variation.set, statements, &variation.vary, extent);
        let (alone, as_sent) = (of(Extent::Alone), of(Extent::AsSent));
        let after = (operation == Operation::PatchActive).then(|| {
            "UPDATE users SET attributes = jsonb_set(attributes, '{active}', 'true'), keys = jsonb_set(keys, '{active}', 'true')
             WHERE active IS FALSE"
                .to_owned()
        });
        Limit::Postgres {
            as_sent: (as_sent != alone).then_some(as_sent),
            alone,
            round: Cell::default(),
            after,
        }
    }

    /// One round.
    pub fn measure(&self, stage: &Stage, connections: u32, seconds: u32) -> Result<Rates> {
        match self {
            Limit::Redis { command, rate } => {
                let requests = (rate.get() * f64::from(seconds)).round().max(1.0);
                rate.set(redis_benchmark(stage, command, connections, requests)?);
                Ok(Rates {
                    alone: rate.get(),
                    as_sent: None,
                })
            }
            Limit::Postgres {
                alone,
                as_sent,
                round,
                after,
            } => {
                let measure = |script| -> Result<f64> {
                    let start = round.replace(round.get() + 1) * 1_000_000;
                    let rate = pgbench(stage, script, connections, seconds, start)?;
                    after.iter().try_for_each(|sql| stage.sql.run(LIMITS, sql).map(drop))?;
                    Ok(rate)
                };
                Ok(Rates {
                    alone: measure(alone)?,
                    as_sent: as_sent.as_ref().map(measure).transpose()?,
                })
            }
        }
    }

    /// What `pgbench` or `redis-benchmark` is given, to be read.
    pub fn text(&self) -> String {
        match self {
            Limit::Redis { command, .. } => command.join(" "),
            Limit::Postgres { alone, as_sent, .. } => as_sent.as_ref().unwrap_or(alone).text.clone(),
        }
    }
}

fn pgbench(stage: &Stage, script: &Script, clients: u32, seconds: u32, start: u32) -> Result<f64> {
    let file = stage.scratch("limit.sql");
    fs::write(&file, &script.text)?;
    // Role and tenant as the core sets them; and the time-out, which costs a timer for each statement.
    let options = format!(
        "-c role=portcullis_tenant -c portcullis.tenant_id={} -c statement_timeout=60s",
        stage.tenant.id
    );
    let mut command = stage.sql.program("pgbench", local_stack::postgres::OWNER);
    command
        .env("PGOPTIONS", options)
        .args(["-n", "-M", "prepared", "-j", "1"])
        .args(["-c", &clients.to_string(), "-T", &seconds.to_string(), "-f"])
        .arg(&file);
    let counters = [
        ("i", "-1".to_owned()),
        ("clients", clients.to_string()),
        ("start", start.to_string()),
    ];
    for (name, value) in counters {
        command.arg("-D").arg(format!("{name}={value}"));
    }
    for (name, value) in &script.variables {
        command.arg("-D").arg(format!("{name}={value}"));
    }
    let said = run(command.arg(LIMITS))?;
    let rate = said.lines().find_map(|line| {
        line.strip_prefix("tps = ")?
            .split_whitespace()
            .next()?
            .parse::<f64>()
            .ok()
    });
    rate.with_context(|| format!("pgbench said no rate: {said}"))
}

fn redis_benchmark(stage: &Stage, eval: &[String], clients: u32, requests: f64) -> Result<f64> {
    let url = stage.redis.url();
    let password = url.split(['@', ':']).nth(2).unwrap_or_default();
    let mut command = Command::new("redis-benchmark");
    command
        .args(["-p", &stage.redis.port().to_string(), "-a", password])
        .args(["-c", &clients.to_string(), "-n", &requests.to_string()])
        .args(["-r", &SESSIONS.to_string(), "--csv"])
        .args(eval);
    let said = run(&mut command).context("redis-benchmark comes with Debian's redis-tools")?;
    // "test","rps","avg_latency_ms" … The test's name holds the whole command.
    let last = said.lines().last().unwrap_or_default();
    let rate = last.rsplit(',').nth(6).map(|field| field.trim_matches('"'));
    rate.and_then(|rate| rate.parse().ok())
        .with_context(|| format!("redis-benchmark said no rate: {said}"))
}

fn run(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {program}"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(
        output.status.success(),
        "{program} failed: {said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(said)
}

/// The command that a validation is for Redis, from its log of slow commands, for which none is too fast here; and copies
/// of the session under names that `redis-benchmark` can make.
async fn of_validation(stage: &Stage, data: &Data) -> Result<Limit> {
    let mut redis = redis::Client::open(stage.redis.url())?
        .get_multiplexed_async_connection()
        .await?;
    let session = data.sessions.first().context("there is no session")?;
    let threshold = |micros: &str| {
        let mut command = redis::cmd("CONFIG");
        command.arg("SET").arg("slowlog-log-slower-than").arg(micros);
        command
    };
    threshold("0").exec_async(&mut redis).await?;
    let request = ValidateSessionRequest {
        session_token: session.token.clone(),
    };
    stage.system().grpc().sessions().validate_session(request).await?;
    let log: Vec<(i64, i64, i64, Vec<String>, String, String)> =
        redis::cmd("SLOWLOG").arg("GET").arg(-1).query_async(&mut redis).await?;
    threshold("10000").exec_async(&mut redis).await?;
    let user = session.user.replace('-', "");
    let mut command = log
        .into_iter()
        .map(|(_, _, _, command, _, _)| command)
        .find(|command| command[0].eq_ignore_ascii_case("EVALSHA") && command.contains(&user))
        .ok_or_else(|| anyhow!("Redis was not seen to get the script of a validation"))?;
    let [prefix, id] = [3, command.len() - 1].map(|index| command[index].clone());
    let name = id[..id.len() - DIGITS].to_owned();
    let mut copies = redis::pipe();
    for number in 0..SESSIONS {
        let copy = format!("{prefix}:s:{name}{number:0DIGITS$}");
        copies.cmd("COPY").arg(format!("{prefix}:s:{id}")).arg(copy).ignore();
    }
    copies.exec_async(&mut redis).await?;
    if let Some(last) = command.last_mut() {
        *last = format!("{name}{RANDOM}");
    }
    let rate = Cell::new(20_000.0);
    Ok(Limit::Redis { command, rate })
}

/// Forgets what was counted.
pub fn forget_statements(stage: &Stage) -> Result<()> {
    stage.sql.run(DATABASE, "SELECT pg_stat_statements_reset()").map(drop)
}

/// The statements of the system's database that took the most time since.
pub fn top_statements(stage: &Stage) -> Result<String> {
    stage.sql.run(
        DATABASE,
        "SELECT format('%10s calls %8s ms each %10s ms in all  %s', calls, round(mean_exec_time::numeric, 4),
                       round(total_exec_time::numeric), left(regexp_replace(query, '\\s+', ' ', 'g'), 130))
         FROM pg_stat_statements JOIN pg_database ON pg_database.oid = dbid
         WHERE datname = current_database() AND query NOT LIKE '%pg_stat_statements%'
         ORDER BY total_exec_time DESC LIMIT 10",
    )
}
