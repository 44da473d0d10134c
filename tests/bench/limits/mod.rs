//! The limits: how often per second PostgreSQL executes the statements of an operation, by `pgbench` with as many clients,
//! and Redis the script of a validation, by `redis-benchmark`.
//!
//! Statements and script are those that the servers were seen to get, so that they cannot drift from the sources.

mod pgbench;
mod redis_benchmark;

use std::cell::Cell;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use e2e::measure::script::{Extent, Script, Vary, script};
use e2e::measure::statement::Statement;

use crate::data::Data;
use crate::fill::id_in;
use crate::load;
use crate::operations::Operation;
use crate::stage::{LIMITS, Stage};

/// How the statements of one request differ from those of another.
#[derive(Default)]
pub struct Variation {
    /// Lines of a script that set variables.
    pub set: String,
    pub vary: Vec<Vary>,
    /// SQL that makes the copy fit for the next round.
    pub after: Option<String>,
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

impl Rates {
    /// What all that is sent comes to.
    pub fn whole(self) -> f64 {
        self.as_sent.unwrap_or(self.alone)
    }
}

impl Limit {
    /// Learns it from one request.
    pub async fn of(operation: Operation, stage: &Stage, data: &Data) -> Result<Self> {
        if operation == Operation::ValidateSession {
            return redis_benchmark::of_validation(stage, data).await;
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
        Ok(Self::of_statements(&statements, variation))
    }

    /// Of statements that were seen.
    pub fn of_statements(statements: &[Statement], variation: Variation) -> Self {
        let of = |extent| script(&variation.set, statements, &variation.vary, extent);
        let (alone, as_sent) = (of(Extent::Alone), of(Extent::AsSent));
        Limit::Postgres {
            as_sent: (as_sent != alone).then_some(as_sent),
            alone,
            round: Cell::default(),
            after: variation.after,
        }
    }

    /// One round.
    pub fn measure(&self, stage: &Stage, connections: u32, seconds: u32) -> Result<Rates> {
        match self {
            Limit::Redis { command, rate } => {
                let requests = (rate.get() * f64::from(seconds)).round().max(1.0);
                rate.set(redis_benchmark::run(stage, command, connections, requests)?);
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
                    let rate = pgbench::run(stage, script, connections, seconds, start)?;
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

/// What a program says that ended well.
fn output(command: &mut Command) -> Result<String> {
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
