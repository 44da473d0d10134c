//! PostgreSQL's limit.

use std::fs;

use anyhow::{Context, Result};
use e2e::measure::script::Script;

use crate::stage::{LIMITS, Stage};

/// Transactions per second. `start` is where this round's numbers begin.
pub fn run(stage: &Stage, script: &Script, clients: u32, seconds: u32, start: u32) -> Result<f64> {
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
    let said = super::output(command.arg(LIMITS))?;
    let rate = said.lines().find_map(|line| {
        line.strip_prefix("tps = ")?
            .split_whitespace()
            .next()?
            .parse::<f64>()
            .ok()
    });
    rate.with_context(|| format!("pgbench said no rate: {said}"))
}
