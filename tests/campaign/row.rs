//! One fault from beginning to end: prepared, broken under load, healed, watched, judged.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use e2e::history::{Answer, Judgement, Rules, check};
use futures_util::FutureExt;
use sqlx::PgConnection;
use tokio::task::JoinSet;

use crate::aftermath::{self, Aftermath};
use crate::calls::{self, begin};
use crate::crowd::gather;
use crate::fault::{Also, Answers, Fault};
use crate::load::{Load, Plan};
use crate::options::Options;
use crate::overload;
use crate::world::World;

/// The promise: no session is valid for longer after the answer.
const BOUND: Duration = Duration::from_secs(5);
/// Within which all is well after a fault.
const RECOVERY: Duration = Duration::from_secs(10);
/// How long that is looked for.
const PATIENCE: Duration = Duration::from_mins(1);
/// Load before the fault, and after it.
const BEFORE: Duration = Duration::from_secs(1);
const AFTER: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(50);
/// How many logins race each change of access where that is the fault.
const RACERS: usize = 5;
/// For how long the capacity is looked for.
const CAPACITY: Duration = Duration::from_secs(2);
/// How often a settled session is validated where many end.
const SELDOM: Duration = Duration::from_secs(1);
/// A machine that validates no more often than this, ms, has no time for all that it is asked.
const BUSY: f64 = 50.0;
/// And one that validates no more often than this has none for anything.
const OVERWHELMED: f64 = 250.0;
/// How many users of a crowd have sessions that are watched.
const WATCHED: usize = 10;

/// What came of it.
pub struct Row {
    pub name: &'static str,
    pub outcome: Outcome,
}

pub enum Outcome {
    /// What the machine has not got.
    NotRun(String),
    /// The system could not be brought so far, or a fault could not be healed.
    Broken(String),
    Judged(Box<Judged>),
}

pub struct Judged {
    pub history: Judgement,
    pub recovery: Duration,
    /// Why it failed; empty if it passed.
    pub failures: Vec<String>,
    /// What else is to be told.
    pub notes: Vec<String>,
    pub load: Load,
}

pub async fn run(world: &mut World, fault: &Fault, options: &Options, seed: u64) -> Row {
    let row = |outcome| Row {
        name: fault.name,
        outcome,
    };
    if let Err(missing) = (fault.needs)() {
        return row(Outcome::NotRun(format!("{missing:#}")));
    }
    // What the harness has no answer for, such as a process that does not start, is this row's failure and not the others'.
    match AssertUnwindSafe(judged(world, fault, options, seed))
        .catch_unwind()
        .await
    {
        Ok(Ok(judged)) => row(Outcome::Judged(Box::new(judged))),
        Ok(Err(error)) => row(Outcome::Broken(format!("{error:#}"))),
        Err(_) => row(Outcome::Broken("see the panic above".to_owned())),
    }
}

async fn judged(world: &mut World, fault: &Fault, options: &Options, seed: u64) -> Result<Judged> {
    let lasts = fault.lasts(options.long);
    let load = prepare(world, fault, options, seed, lasts).await?;
    let mut beside = JoinSet::new();
    let suspended = match fault.also {
        Also::Suspend(short, long) => Some(crowd(world, &load, if options.long { long } else { short }).await?),
        _ => None,
    };
    let mut capacity = None;
    match fault.also {
        Also::Overload(times) => {
            let crowd = load.beside(0).await?;
            let found = overload::capacity(&crowd, CAPACITY).await;
            capacity = Some((crowd, found, times * found));
        }
        Also::Steady(per_second) => {
            beside.spawn(overload::ask(load.beside(0).await?, per_second));
        }
        _ => {}
    }
    let mut running = JoinSet::new();
    running.spawn(load.clone().run(options.every()));
    beside.spawn(load.clone().stand_by());
    tokio::time::sleep(BEFORE).await;

    let (from, since) = (load.history.now(), Instant::now());
    if let Some(crowd) = suspended {
        running.spawn(crowd.suspend());
    }
    let capacity = capacity.map(|(crowd, found, asked)| {
        beside.spawn(overload::ask(crowd, asked));
        found
    });
    (fault.inject)(world, lasts).await.context("the fault")?;
    tokio::time::sleep(lasts.saturating_sub(since.elapsed())).await;
    (fault.heal)(world, lasts).await.context("the end of the fault")?;
    let (to, healed) = (load.history.now(), Instant::now());
    let recovery = recovered(world, &load, fault.expect.sessions_may_go).await?;
    let recovery = recovery.map(|at| at - healed);

    while let Some(done) = running.join_next().await {
        done?;
    }
    drop(beside);
    world.ready().await;
    let aftermath = aftermath::look(world, &load, fault.expect.undone, fault.expect.pruned).await?;
    let rules = Rules {
        bound: u64::try_from(BOUND.as_micros())?,
        sessions_may_go: fault.expect.sessions_may_go,
        may_flap: fault.expect.may_flap,
        undone: fault.expect.undone.then_some((from, to)),
    };
    let operations = load.history.operations();
    let notes = capacity
        .map(|found| overload::told(&operations, found))
        .into_iter()
        .collect();
    let mut history = check(&operations, &rules);
    let failures = failures(fault, &mut history, aftermath, recovery, options.long);
    Ok(Judged {
        history,
        recovery: recovery.unwrap_or(PATIENCE),
        failures,
        notes,
        load,
    })
}

async fn prepare(world: &World, fault: &Fault, options: &Options, seed: u64, lasts: Duration) -> Result<Load> {
    let turns = (BEFORE + lasts + AFTER).div_duration_f64(options.every());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number")]
    let plan = Plan {
        users: turns.ceil() as usize,
        racers: if fault.also == Also::Racers { RACERS } else { 1 },
        settled: match fault.also {
            Also::Steady(_) => SELDOM,
            _ => options.settled(),
        },
        anywhere: fault.also == Also::Anywhere,
    };
    Load::prepare(world.clients(), seed, plan).await
}

/// Another tenant, some of whose users are watched.
async fn crowd(world: &World, load: &Load, count: u32) -> Result<Load> {
    let crowd = load.beside(WATCHED).await?;
    let model = crowd.users().pop().context("a tenant without users")?;
    gather(world, &crowd.tenant, &model, count).await?;
    Ok(crowd)
}

/// The first instant at which everything is answered and nothing waits that came before.
async fn recovered(world: &World, load: &Load, sessions_may_go: bool) -> Result<Option<Instant>> {
    let mut sql = world.sql().await?;
    let healed: String = sqlx::query_scalar("SELECT clock_timestamp()::text")
        .fetch_one(&mut sql)
        .await?;
    let since = Instant::now();
    while since.elapsed() < PATIENCE {
        if applied(&mut sql, &healed).await? && answered(load, sessions_may_go).await {
            return Ok(Some(Instant::now()));
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(None)
}

async fn applied(sql: &mut PgConnection, healed: &str) -> Result<bool> {
    let waiting: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM outbox WHERE access_epoch IS NOT NULL AND applied_at IS NULL
                        AND created_at < $1::text::timestamptz)",
    )
    .bind(healed)
    .fetch_one(sql)
    .await?;
    Ok(!waiting)
}

/// SCIM, validation by each service, and a login.
async fn answered(load: &Load, sessions_may_go: bool) -> bool {
    let bystanders = load.bystanders();
    let Some((user, session)) = bystanders.first() else {
        return false;
    };
    let path = format!("/Users/{}", user.id);
    let mut all = calls::read(&load.history, &load.tenant, &path, "read").await == Answer::Yes;
    for at in &load.clients.each {
        let answer = calls::validate(&load.history, at, None, session, false).await;
        all &= answer == Answer::Yes || sessions_may_go && answer == Answer::No;
    }
    if !all {
        return false;
    }
    let Ok(begun) = begin(&load.history, &load.tenant, &load.clients.all, user.subject).await else {
        return false;
    };
    load.session(user, &begun).await.is_ok()
}

/// What did not hold. Times other than the bound and the recovery are told, and decide nothing: the machine may be busy.
fn failures(
    fault: &Fault,
    history: &mut Judgement,
    aftermath: Aftermath,
    recovery: Option<Duration>,
    is_long: bool,
) -> Vec<String> {
    history.lost.extend(aftermath.lost);
    let mut failures = aftermath.other;
    failures.extend(history.lost.iter().map(|text| format!("lost: {text}")));
    failures.extend(history.revived.iter().map(|text| format!("revived: {text}")));
    failures.extend(history.wrong.iter().map(|text| format!("wrong: {text}")));
    failures.extend(
        history
            .forbidden
            .iter()
            .map(|text| format!("never to be answered: {text}")),
    );
    // A machine that also builds and tests has no time to recover: told all the same, and decided by the long form.
    let overwhelmed = !is_long && history.gap(99) >= OVERWHELMED;
    if recovery.is_none_or(|recovery| recovery > RECOVERY && !overwhelmed) {
        failures.push(format!("not recovered within {RECOVERY:?}: {recovery:?}"));
    }
    let must_answer = match fault.expect.answers {
        Answers::Any => false,
        Answers::UnlessBusy => history.gap(99) < BUSY,
        Answers::All => true,
    };
    if must_answer && history.unavailable > 0 {
        failures.push(format!("{} answers were unavailable", history.unavailable));
    }
    if fault.expect.scim_goes_on && history.scim_unavailable > 0 {
        failures.push(format!(
            "{} ends of access by SCIM were unavailable",
            history.scim_unavailable
        ));
    }
    if history.endings == 0 {
        failures.push("no access ended: nothing was tested".to_owned());
    }
    failures
}

/// The seed of one row, the same whichever rows are run.
pub fn of_row(seed: u64, number: usize) -> u64 {
    seed.wrapping_add(u64::try_from(number).unwrap_or_default().wrapping_mul(1_000_003))
}
