//! One link to each master, made again when it is over or when the buckets are elsewhere. A link is to one process and
//! never reconnects by itself, so who has it knows which process answers.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::select_all;
use futures_util::stream::FuturesUnordered;
use identity_proto::access::BUCKETS;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{Master, Topology};

/// How often the masters are asked for while all is well.
const EVERY: Duration = Duration::from_secs(2);
/// The least pause after something failed.
const PAUSE: Duration = Duration::from_millis(100);
/// How often the masters are asked for while there are buckets that none of them holds.
const WHILE_UNHELD: Duration = Duration::from_millis(500);
/// After a link that lasted no longer the pause is as long: a Redis that lets in and then refuses would be linked and lost
/// in a loop.
const SHORT_LIVED: Duration = Duration::from_millis(500);

/// What is made for each master.
pub trait Link: Send + Sync + 'static {
    /// Cancelled when the link is over, by whoever sees it first.
    fn over(&self) -> &CancellationToken;
}

/// The link of each bucket, at one moment.
#[derive(Debug)]
pub struct Table<L>(Arc<[Option<Arc<L>>]>);

/// The links as they come and go. Clones see the same.
#[derive(Debug)]
pub struct Links<L>(watch::Receiver<Table<L>>);

/// Keeps the links for ever, once it runs: a link to each master, made by `make`.
pub fn links<L, E, F>(topology: Topology, make: impl Fn(Master) -> F + Send) -> (Links<L>, impl Future<Output = ()>)
where
    L: Link,
    E: std::error::Error + Send + Sync + 'static,
    F: Future<Output = Result<L, E>> + Send,
{
    let (sender, receiver) = watch::channel(Table::of_links(&[]));
    (Links(receiver), keep(topology, sender, make))
}

struct Held<L> {
    master: Master,
    link: Arc<L>,
    since: Instant,
}

impl<L: Link> Held<L> {
    /// Ends a link to what is no master any more, or has other buckets.
    fn is_good(&self, masters: &[Master]) -> bool {
        if !masters.iter().any(|now| now.is_still(&self.master)) {
            self.link.over().cancel();
        }
        !self.link.over().is_cancelled()
    }
}

async fn keep<L, E, F>(topology: Topology, table: watch::Sender<Table<L>>, make: impl Fn(Master) -> F)
where
    L: Link,
    E: std::error::Error + Send + Sync + 'static,
    F: Future<Output = Result<L, E>>,
{
    let (mut masters, mut held): (Vec<Master>, Vec<Held<L>>) = (Vec::new(), Vec::new());
    let (mut told, mut told_unheld) = (false, false);
    loop {
        let mut failed: Option<Box<dyn std::error::Error + Send + Sync>> = None;
        match topology.masters().await {
            Ok(now) => masters = now,
            // Those that were known may be there all the same.
            Err(error) => failed = Some(Box::new(error)),
        }
        let linked = held.len();
        held.retain(|one| one.is_good(&masters));
        if held.len() < linked {
            table.send_replace(Table::of_links(&held));
        }
        let is_held = |master: &&Master| held.iter().any(|one| one.master.is_still(master));
        let missing: Vec<Master> = masters.iter().filter(|master| !is_held(master)).cloned().collect();
        let making = missing
            .into_iter()
            .map(async |master| (make(master.clone()).await, master));
        let mut making: FuturesUnordered<_> = making.collect();
        while let Some((made, master)) = making.next().await {
            match made {
                Ok(link) => {
                    tracing::info!(at = %master.address(), buckets = master.buckets.len(), "linked to Redis");
                    let (link, since) = (Arc::new(link), Instant::now());
                    held.push(Held { master, link, since });
                    table.send_replace(Table::of_links(&held));
                }
                Err(error) => failed = Some(Box::new(error)),
            }
        }
        if let Some(error) = failed.as_deref().filter(|_| !told) {
            tracing::warn!(
                error = error as &dyn std::error::Error,
                "not linked to every Redis master; trying again"
            );
        }
        told = failed.is_some();
        let unheld = unheld(&masters);
        if unheld > 0 && !told_unheld {
            tracing::warn!(buckets = unheld, "no Redis master holds the slots of some buckets");
        }
        told_unheld = unheld > 0;
        let is_whole = table.borrow().is_whole();
        let pause = wait(&held, is_whole).await;
        let least = if told_unheld { WHILE_UNHELD } else { Duration::ZERO };
        tokio::time::sleep(pause.max(least)).await;
    }
}

/// How many buckets none of the masters holds, as far as any is known.
fn unheld(masters: &[Master]) -> usize {
    if masters.is_empty() {
        return 0;
    }
    let held: usize = masters.iter().map(|master| master.buckets.len()).sum();
    usize::from(BUCKETS).saturating_sub(held)
}

/// Waits until there may be something to do, and answers for how long to leave it.
async fn wait<L: Link>(held: &[Held<L>], is_whole: bool) -> Duration {
    // At odd times, so that two who disturbed each other do not do so again.
    let odd = PAUSE + Duration::from_millis(u64::from(Uuid::new_v4().as_bytes()[0]));
    if !is_whole {
        return odd;
    }
    let ends = held.iter().map(|one| Box::pin(one.link.over().cancelled()));
    tokio::select! {
        ((), which, _) = select_all(ends) => {
            tracing::warn!(at = %held[which].master.address(), "a link to Redis is over; making another");
            if held[which].since.elapsed() < SHORT_LIVED { SHORT_LIVED } else { Duration::ZERO }
        }
        () = tokio::time::sleep(EVERY) => Duration::ZERO,
    }
}

impl<L: Link> Table<L> {
    fn of_links(held: &[Held<L>]) -> Self {
        let mut table: Vec<Option<Arc<L>>> = vec![None; usize::from(BUCKETS)];
        for one in held {
            for bucket in &one.master.buckets {
                table[usize::from(*bucket)] = Some(one.link.clone());
            }
        }
        Table(table.into())
    }

    /// The link of a bucket, unless there is none now.
    pub fn of(&self, bucket: u8) -> Option<&Arc<L>> {
        let link = self.0.get(usize::from(bucket))?.as_ref();
        link.filter(|link| !link.over().is_cancelled())
    }

    /// Each link that there is, once.
    pub fn all(&self) -> Vec<Arc<L>> {
        let mut all: Vec<Arc<L>> = Vec::new();
        for link in (0..BUCKETS).filter_map(|bucket| self.of(bucket)) {
            if !all.iter().any(|known| Arc::ptr_eq(known, link)) {
                all.push(link.clone());
            }
        }
        all
    }

    /// Whether every bucket has a link.
    pub fn is_whole(&self) -> bool {
        (0..BUCKETS).all(|bucket| self.of(bucket).is_some())
    }
}

impl<L: Link> Links<L> {
    /// As they are now.
    pub fn now(&self) -> Table<L> {
        self.0.borrow().clone()
    }

    /// The link of a bucket, unless there is none now.
    pub fn of(&self, bucket: u8) -> Option<Arc<L>> {
        self.0.borrow().of(bucket).cloned()
    }

    /// Waits until some were made or are gone; for ever, once they are no longer kept.
    pub async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl<L> Clone for Table<L> {
    fn clone(&self) -> Self {
        Table(self.0.clone())
    }
}

impl<L> Clone for Links<L> {
    fn clone(&self) -> Self {
        Links(self.0.clone())
    }
}
