//! When it is over: what every session is answered, and whether PostgreSQL, the registers and the sessions in Redis say what
//! the clients were told.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use e2e::history::{Answer, Operation, SUSPENDED, Subject, What};
use identity_proto::access::{bucket, buckets, prefix, register};
use redis::AsyncCommands;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::calls::validate;
use crate::load::Load;
use crate::redis_kinds::Registers;
use crate::world::World;

/// How long an answer may be unavailable when nothing is broken any more.
const PATIENCE: Duration = Duration::from_secs(15);
const AGAIN: Duration = Duration::from_millis(100);

/// What does not fit.
#[derive(Default)]
pub struct Aftermath {
    /// Ends that were answered with success, and that PostgreSQL or Redis does not have.
    pub lost: Vec<String>,
    pub other: Vec<String>,
}

#[derive(sqlx::FromRow)]
struct Access {
    user_id: Uuid,
    epoch: i64,
    state: String,
    /// Changes of access that the outbox has.
    changes: i64,
    unapplied: i64,
}

/// Looks at everything. What was done in a time that was undone is not asked of PostgreSQL.
pub async fn look(world: &World, load: &Load, is_undone: bool, pruned: bool) -> Result<Aftermath> {
    let mut found = Aftermath::default();
    let valid = last_validations(load, &mut found).await;
    let operations = load.history.operations();
    let tenant: Uuid = load.tenant.id.parse()?;
    let mut sql = world.sql().await?;
    let mut registers = world.registers().await?;
    generations(&mut sql, &mut registers, &mut found).await?;
    let access: Vec<Access> = sqlx::query_as(
        "SELECT a.user_id, a.epoch, a.state,
                (SELECT count(*) FROM outbox AS o WHERE o.tenant_id = a.tenant_id AND o.user_id = a.user_id
                    AND o.access_epoch IS NOT NULL) AS changes,
                (SELECT count(*) FROM outbox AS o WHERE o.tenant_id = a.tenant_id AND o.user_id = a.user_id
                    AND o.access_epoch IS NOT NULL AND o.applied_at IS NULL) AS unapplied
         FROM user_access AS a WHERE a.tenant_id = $1",
    )
    .bind(tenant)
    .fetch_all(&mut sql)
    .await?;
    let (tenant_epoch, tenant_state): (i64, String) =
        sqlx::query_as("SELECT epoch, state FROM tenant_access WHERE tenant_id = $1")
            .bind(tenant)
            .fetch_one(&mut sql)
            .await?;
    let looked = Instant::now();
    let access: BTreeMap<Uuid, Access> = access.into_iter().map(|row| (row.user_id, row)).collect();
    for user in load.users() {
        let Some(access) = access.get(&user.id.parse()?) else {
            found
                .other
                .extend((!is_undone).then(|| format!("PostgreSQL does not know user {}", user.id)));
            continue;
        };
        let done: Vec<_> = operations.iter().filter(|one| one.subject == user.subject).collect();
        if !is_undone {
            found.lost.extend(lost(&done, access));
        }
        if access.unapplied > 0 {
            found.other.push(format!(
                "{} changes of user {} are not applied",
                access.unapplied, user.id
            ));
        }
        let truth = Truth {
            tenant,
            tenant_epoch,
            is_active: tenant_state == "active" && access.state == "active",
            access,
        };
        let expect = valid.get(&user.subject).copied().unwrap_or_default() + load.untold(user.subject);
        in_redis(&mut registers, &truth, expect, &mut found).await?;
        if pruned {
            gone(&mut registers, &truth, expect, looked, &mut found).await?;
        }
    }
    Ok(found)
}

/// Each session is answered at last by both services: how many of each user's are valid.
async fn last_validations(load: &Load, found: &mut Aftermath) -> BTreeMap<Subject, usize> {
    let mut valid = BTreeMap::new();
    for session in load.sessions() {
        for number in 0..load.clients.each.len() {
            let since = Instant::now();
            loop {
                let answer = validate(&load.history, &load.clients.each[number], Some(number), &session, true).await;
                if matches!(answer, Answer::Yes | Answer::No) {
                    let count: &mut usize = valid.entry(session.subject).or_default();
                    *count += usize::from(answer == Answer::Yes && number == 0);
                    break;
                }
                if since.elapsed() > PATIENCE {
                    found
                        .other
                        .push(format!("session {} is not answered: {answer:?}", session.number));
                    break;
                }
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
    valid
}

/// What clients were told and PostgreSQL does not have.
fn lost(done: &[&Operation], access: &Access) -> Option<String> {
    let changes: Vec<_> = done
        .iter()
        .filter(|one| matches!(one.what, What::End(_) | What::Reactivate))
        .collect();
    let told = |wanted: fn(&What) -> bool| changes.iter().any(|one| wanted(&one.what) && one.answer == Answer::Yes);
    let phases = i64::from(told(|what| matches!(what, What::End(how) if *how != SUSPENDED)))
        + i64::from(told(|what| matches!(what, What::Reactivate)));
    if access.changes < phases {
        return Some(format!(
            "user {} has {} changes, not {phases}",
            access.user_id, access.changes
        ));
    }
    let last = changes.last()?;
    let expect = match (&last.what, &last.answer) {
        (What::End("patch" | "put"), Answer::Yes) => "inactive",
        (What::End("delete" | "grpc-delete"), Answer::Yes) => "deleted",
        _ => return None,
    };
    (access.state != expect).then(|| format!("user {} is {}, not {expect}", access.user_id, access.state))
}

async fn generations(sql: &mut PgConnection, registers: &mut Registers, found: &mut Aftermath) -> Result<()> {
    let truth: Vec<i64> = sqlx::query_scalar("SELECT gen FROM access_bucket ORDER BY bucket")
        .fetch_all(sql)
        .await?;
    for (bucket, generation) in buckets().zip(truth) {
        let standing: Option<i64> = registers.get(format!("{}:gen", prefix(bucket))).await?;
        if standing != Some(generation) {
            let text = format!("bucket {bucket} is of generation {standing:?} in Redis and {generation} in PostgreSQL");
            found.other.push(text);
        }
    }
    Ok(())
}

/// One user as PostgreSQL has it.
struct Truth<'a> {
    tenant: Uuid,
    tenant_epoch: i64,
    is_active: bool,
    access: &'a Access,
}

impl Truth<'_> {
    fn prefix(&self) -> String {
        prefix(bucket(self.tenant, self.access.user_id))
    }

    /// Te and ue of each of the user's sessions in Redis.
    async fn sessions(&self, registers: &mut Registers) -> Result<Vec<(i64, i64)>> {
        let (prefix, tenant, user) = (self.prefix(), self.tenant.simple(), self.access.user_id.simple());
        let ids: Vec<String> = registers.zrange(format!("{prefix}:us:{tenant}:{user}"), 0, -1).await?;
        let mut sessions = Vec::new();
        for id in ids {
            let mut fields = redis::cmd("HMGET");
            fields.arg(format!("{prefix}:s:{id}")).arg("te").arg("ue");
            if let (Some(te), Some(ue)) = fields.query_async(registers).await? {
                sessions.push((te, ue));
            }
        }
        Ok(sessions)
    }
}

/// The register is blank or says what PostgreSQL does; no session would be valid that was not answered so.
async fn in_redis(registers: &mut Registers, truth: &Truth<'_>, valid: usize, found: &mut Aftermath) -> Result<()> {
    let (prefix, user) = (truth.prefix(), truth.access.user_id);
    let generation: Option<String> = registers.get(format!("{prefix}:gen")).await?;
    let key = format!(
        "{prefix}:r:{}:{}",
        generation.unwrap_or_default(),
        register(truth.tenant, Some(user))
    );
    let standing: Option<String> = registers.get(key).await?;
    let letter = truth.access.state.chars().next().unwrap_or('?');
    let expect = format!("{}:{letter}", truth.access.epoch);
    if let Some(standing) = standing.filter(|standing| *standing != expect) {
        found
            .other
            .push(format!("the register of user {user} is {standing}, not {expect}"));
    }
    let sessions = truth.sessions(registers).await?;
    let alive = (truth.tenant_epoch, truth.access.epoch);
    let would = sessions
        .iter()
        .filter(|epochs| truth.is_active && **epochs == alive)
        .count();
    if would > valid {
        found.lost.push(format!(
            "user {user} has {would} sessions of the epoch that stands, not {valid}"
        ));
    }
    Ok(())
}

/// What ended is deleted, in time for all users together.
async fn gone(
    registers: &mut Registers,
    truth: &Truth<'_>,
    valid: usize,
    since: Instant,
    found: &mut Aftermath,
) -> Result<()> {
    loop {
        let left = truth.sessions(registers).await?.len();
        if left <= valid {
            return Ok(());
        }
        if since.elapsed() > PATIENCE {
            let user = truth.access.user_id;
            found.other.push(format!(
                "user {user} has {left} sessions in Redis, of which {valid} are valid"
            ));
            return Ok(());
        }
        tokio::time::sleep(AGAIN).await;
    }
}
