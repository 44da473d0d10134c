//! The changes: at a steady pace, however long answers take, by as many connections as that needs.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use e2e::fence_model::rng::Rng;
use e2e::measure::figures::Latencies;
use futures_util::stream::{FuturesUnordered, StreamExt};
use identity_proto::identity::v1::Event;
use identity_proto::identity::v1::event::Payload;

use super::consumers::Way;
use super::report::Followed;
use crate::cpu::Used;
use crate::data::{Data, FIRST};
use crate::http::Connection;
use crate::requests::patch_title;
use crate::stage::Target;

/// More than are ever busy at a time while the pace is kept.
const CONNECTIONS: u32 = 32;

/// What is asked for, what was answered, and what of it arrived with whom.
pub struct Changes {
    rate: u32,
    /// The title of the first change.
    first: u64,
    total: u64,
    answered: RefCell<Vec<Option<Instant>>>,
    count: Cell<u64>,
    arrived: [RefCell<Arrived>; 2],
}

/// What came to a consumer.
struct Arrived {
    at: Vec<Option<Instant>>,
    count: u64,
    /// Came before, or is no change of ours.
    unexpected: u64,
    /// Did not have the number after the last one.
    out_of_order: u64,
    next: i64,
    /// Calls that had to be made again.
    failed: u64,
    most_waiting: u64,
}

/// What came of the changes.
pub struct Made {
    pub latencies: Latencies,
    pub errors: u64,
    pub took: Duration,
}

impl Changes {
    /// So many a second, for so long: each is a title that no user ever had. Their first event has the number `next`.
    pub fn new(data: &Data, rate: u32, seconds: u32, next: i64) -> Self {
        let total = u64::from(rate) * u64::from(seconds);
        let none = vec![None; usize::try_from(total).unwrap_or_default()];
        let arrived = || {
            RefCell::new(Arrived {
                at: none.clone(),
                count: 0,
                unexpected: 0,
                out_of_order: 0,
                next,
                failed: 0,
                most_waiting: 0,
            })
        };
        Changes {
            rate,
            first: data.titles(total),
            total,
            arrived: [arrived(), arrived()],
            answered: RefCell::new(none),
            count: Cell::new(0),
        }
    }

    /// Makes all of them.
    pub async fn make(&self, target: &Target, data: &Data) -> Made {
        let (begun, next) = (Instant::now(), Cell::new(0));
        let clients = 0..u64::from(CONNECTIONS);
        let mut running: FuturesUnordered<_> = clients
            .map(|number| self.client(number, target, data, begun, &next))
            .collect();
        let (mut latencies, mut errors) = (Latencies::default(), 0);
        while let Some(one) = running.next().await {
            latencies.append(one.0);
            errors += one.1;
        }
        Made {
            latencies,
            errors,
            took: begun.elapsed(),
        }
    }

    /// Takes the next change when it is free, and makes it when it is due.
    async fn client(
        &self,
        number: u64,
        target: &Target,
        data: &Data,
        begun: Instant,
        next: &Cell<u64>,
    ) -> (Latencies, u64) {
        let (mut latencies, mut errors) = (Latencies::default(), 0);
        let (mut rng, mut text, mut connection) = (Rng::new(number), String::new(), None);
        loop {
            let change = next.replace(next.get() + 1);
            if change >= self.total {
                return (latencies, errors);
            }
            let due = begun + Duration::from_micros(change * 1_000_000 / u64::from(self.rate));
            tokio::time::sleep_until(due.into()).await;
            let request = patch_title(FIRST + rng.below(data.users / 2), self.first + change);
            request.write(&target.base, &target.head, &mut text);
            let asked = Instant::now();
            match ask(&mut connection, &target.host, text.as_bytes()).await {
                Some((status, body)) if request.expected.is_met_by(status, &body) => {
                    latencies.push(asked.elapsed());
                    self.answered(change);
                }
                other => {
                    errors += 1;
                    eprintln!("not the right answer: {other:?}");
                    // What fails at once must not take all that is due.
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
        }
    }

    fn answered(&self, change: u64) {
        self.answered.borrow_mut()[index(change)] = Some(Instant::now());
        self.count.set(self.count.get() + 1);
        for (arrived, waiting) in self.arrived.iter().zip(self.waiting()) {
            let mut arrived = arrived.borrow_mut();
            arrived.most_waiting = arrived.most_waiting.max(waiting);
        }
    }

    /// An event came to a consumer.
    pub fn arrived(&self, way: Way, event: &Event) {
        let now = Instant::now();
        let mut arrived = self.arrived[way.index()].borrow_mut();
        arrived.out_of_order += u64::from(arrived.next != event.sequence);
        arrived.next = event.sequence + 1;
        match self.change(event) {
            Some(change) if arrived.at[change].is_none() => {
                arrived.at[change] = Some(now);
                arrived.count += 1;
            }
            _ => arrived.unexpected += 1,
        }
    }

    /// The number that a consumer has not got yet.
    pub fn next(&self, way: Way) -> i64 {
        self.arrived[way.index()].borrow().next
    }

    /// A consumer's call failed.
    pub fn failed(&self, way: Way) {
        self.arrived[way.index()].borrow_mut().failed += 1;
    }

    /// How many answered changes have not come to each consumer.
    pub fn waiting(&self) -> [u64; 2] {
        self.arrived
            .each_ref()
            .map(|arrived| self.count.get().saturating_sub(arrived.borrow().count))
    }

    /// Which change an event tells of.
    fn change(&self, event: &Event) -> Option<usize> {
        let Some(Payload::UserPatched(patched)) = &event.payload else {
            return None;
        };
        let title = patched.user.as_ref()?.title.as_ref()?.strip_prefix("Engineer ")?;
        let change = title.parse::<u64>().ok()?.checked_sub(self.first)?;
        (change < self.total).then(|| index(change))
    }

    /// The row of each consumer.
    pub fn followed(&self, made: &mut Made, waiting: [u64; 2], used: Used) -> Vec<Followed> {
        let answered = self.answered.borrow();
        let rows = Way::BOTH.into_iter().zip(waiting).map(|(way, waiting)| {
            let arrived = self.arrived[way.index()].borrow();
            let (mut delays, mut missing, mut early) = (Latencies::default(), 0, 0);
            for (answered, arrived) in answered.iter().zip(&arrived.at) {
                match (answered, arrived) {
                    (Some(answered), Some(arrived)) => {
                        early += u64::from(arrived < answered);
                        delays.push(arrived.saturating_duration_since(*answered));
                    }
                    (Some(_), None) => missing += 1,
                    _ => {}
                }
            }
            Followed {
                way: way.name(),
                asked: self.rate,
                changes: per_second(self.count.get(), made.took),
                change_ms: [50, 99].map(|percent| made.latencies.percentile(percent)),
                errors: [made.errors, arrived.failed],
                delay_ms: [50, 99, 100].map(|percent| delays.percentile(percent)),
                early,
                most_waiting: arrived.most_waiting,
                waiting,
                faults: [missing, arrived.unexpected, arrived.out_of_order],
                cpu: used.each.map(|millis| millis / made.took.as_secs_f64() / 1_000.0),
                elsewhere: used.elsewhere / made.took.as_secs_f64() / 1_000.0,
            }
        });
        rows.collect()
    }
}

async fn ask(kept: &mut Option<Connection>, host: &str, request: &[u8]) -> Option<(u16, String)> {
    let mut connection = match kept.take() {
        Some(connection) => connection,
        None => Connection::open(host).await.ok()?,
    };
    let answer = connection.ask(request).await.ok()?;
    let answer = (answer.status, answer.body.to_owned());
    *kept = Some(connection);
    Some(answer)
}

fn index(change: u64) -> usize {
    usize::try_from(change).expect("a number of changes fits")
}

#[expect(clippy::cast_precision_loss, reason = "changes are few")]
fn per_second(count: u64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}
