//! More requests of another tenant than can be answered, or just so many that the system has something to do.

use std::time::{Duration, Instant};

use e2e::history::{Answer, Operation, What};
use tokio::task::JoinSet;

use crate::calls;
use crate::load::Load;

/// How such a request is called in the history.
const ASKED: &str = "load";
/// A list, as a reconciliation asks for it.
const PATH: &str = "/Users?count=100&filter=title%20pr";
/// How many requests are open at once while the capacity is looked for: as many as a tenant has connections.
const AT_ONCE: usize = 8;
/// How often requests are sent.
const TICK: Duration = Duration::from_millis(10);
/// How many may be open before this client, and not the system, is what is measured.
const OPEN: usize = 2_000;

/// How many requests a second are answered when each waits for its answer.
pub async fn capacity(load: &Load, lasts: Duration) -> f64 {
    let since = Instant::now();
    let mut clients = JoinSet::new();
    for _ in 0..AT_ONCE {
        let load = load.clone();
        clients.spawn(async move {
            let mut answered = 0_u32;
            while since.elapsed() < lasts {
                let answer = calls::read(&load.history, &load.tenant, PATH, "capacity").await;
                answered += u32::from(answer == Answer::Yes);
            }
            answered
        });
    }
    let answered: u32 = clients.join_all().await.into_iter().sum();
    f64::from(answered) / since.elapsed().as_secs_f64()
}

/// Asks so often a second, whether or not there are answers, until it is dropped.
pub async fn ask(load: Load, per_second: f64) {
    let (mut open, mut due) = (JoinSet::new(), 0.0);
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        tick.tick().await;
        due += per_second * TICK.as_secs_f64();
        while due >= 1.0 {
            due -= 1.0;
            if open.len() < OPEN {
                let load = load.clone();
                open.spawn(async move { calls::read(&load.history, &load.tenant, PATH, ASKED).await });
            }
        }
        while open.try_join_next().is_some() {}
    }
}

/// What became of them.
pub fn told(operations: &[Operation], capacity: f64) -> String {
    let asked: Vec<_> = operations
        .iter()
        .filter(|one| matches!(one.what, What::Other(ASKED)))
        .collect();
    let refused = asked.iter().filter(|one| one.answer == Answer::Unavailable);
    let mut waits: Vec<_> = refused.map(|one| one.answered - one.called).collect();
    waits.sort_unstable();
    let percentile = |percent: usize| {
        waits
            .get(waits.len() * percent / 100)
            .map_or(0, |micros| micros / 1_000)
    };
    format!(
        "{capacity:.0} requests a second is the capacity; of {} at three times that {} were refused, half within {} ms, 99 of 100 within {} ms",
        asked.len(),
        waits.len(),
        percentile(50),
        percentile(99),
    )
}
