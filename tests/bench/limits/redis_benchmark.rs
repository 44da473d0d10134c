//! Redis's limit.

use std::cell::Cell;
use std::process::Command;

use anyhow::{Context, Result, anyhow};
use identity_proto::session::v1::ValidateSessionRequest;

use super::Limit;
use crate::data::Data;
use crate::stage::Stage;

/// Sessions that the limit of a validation chooses from.
const SESSIONS: u32 = 1_000;
/// Digits that `redis-benchmark` puts in place of [`RANDOM`].
const DIGITS: usize = 12;
/// Where the session's id stands in the command.
const SESSION: usize = 6;
const RANDOM: &str = "__rand_int__";

/// Requests per second.
pub fn run(stage: &Stage, eval: &[String], clients: u32, requests: f64) -> Result<f64> {
    let url = stage.redis.url();
    let password = url.split(['@', ':']).nth(2).unwrap_or_default();
    let mut command = Command::new("redis-benchmark");
    command
        .args(["-p", &stage.redis.port().to_string(), "-a", password])
        .args(["-c", &clients.to_string(), "-n", &requests.to_string()])
        .args(["-r", &SESSIONS.to_string(), "--csv"])
        .args(eval);
    let said = super::output(&mut command).context("redis-benchmark comes with Debian's redis-tools")?;
    // "test","rps","avg_latency_ms" … The test's name holds the whole command.
    let last = said.lines().last().unwrap_or_default();
    let rate = last.rsplit(',').nth(6).map(|field| field.trim_matches('"'));
    rate.and_then(|rate| rate.parse().ok())
        .with_context(|| format!("redis-benchmark said no rate: {said}"))
}

/// The command that a validation is for Redis, from its log of slow commands, for which none is too fast here; and copies
/// of the session under names that `redis-benchmark` can make.
pub async fn of_validation(stage: &Stage, data: &Data) -> Result<Limit> {
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
        // Not the sweep's, which names the user too and no session.
        .find(|command| {
            command[0].eq_ignore_ascii_case("EVALSHA")
                && command.get(5) == Some(&user)
                && command.get(SESSION).is_some_and(|id| id.len() > DIGITS)
        })
        .ok_or_else(|| anyhow!("Redis was not seen to get the script of a validation"))?;
    // EVALSHA, the script, 1, the bucket's prefix, the tenant, the user, the session's id, and what else there is.
    let [prefix, id] = [3, SESSION].map(|index| command[index].clone());
    let name = id[..id.len() - DIGITS].to_owned();
    let mut copies = redis::pipe();
    for number in 0..SESSIONS {
        let copy = format!("{prefix}:s:{name}{number:0DIGITS$}");
        copies.cmd("COPY").arg(format!("{prefix}:s:{id}")).arg(copy).ignore();
    }
    copies.exec_async(&mut redis).await?;
    command[SESSION] = format!("{name}{RANDOM}");
    let rate = Cell::new(20_000.0);
    Ok(Limit::Redis { command, rate })
}
