//! The key sets that were fetched, by their URLs. A set is asked for again when it is ten minutes old, and sooner for a key that is not in it;
//! while none can be fetched, an old one goes on being used for a day.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use identity_proto::identity::v1::ErrorReason;
use tokio::time::Instant;

use super::jwk::Key;
use crate::Error;

/// For how long a set is used without asking: after that, a key that its issuer withdrew is not accepted.
const FRESH: Duration = Duration::from_mins(10);
/// For how long it is used while none can be fetched.
const USABLE: Duration = Duration::from_hours(24);
/// How often a source is asked for keys that are not in its set: anybody can name such a key.
const UNKNOWN: Duration = Duration::from_secs(30);
/// How soon a source that failed is asked again.
const FAILED: Duration = Duration::from_secs(5);
/// The most URLs. Beyond, the least recently used is forgotten.
const CAPACITY: usize = 1_000;

/// Where keys come from.
pub(super) trait Fetch: Send + Sync + 'static {
    fn fetch(&self, url: &str) -> impl Future<Output = Result<Vec<Key>, Failure>> + Send;
}

/// Why keys were not fetched.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    /// For whoever chose the URL: what it does not do.
    pub(super) said: String,
    pub(super) kind: FailureKind,
    /// For the log, where that is not all.
    pub(super) cause: Option<String>,
}

/// What helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FailureKind {
    /// Another URL: we did not ask, as it is where we must not.
    Refused,
    /// Another URL, or another answer: there is no key set.
    NoKeys,
    /// Time, as far as we know.
    Down,
}

/// The keys of a URL.
#[derive(Clone)]
pub(super) struct KeySet {
    pub(super) fetched: Instant,
    pub(super) keys: Arc<[Key]>,
}

/// The cache.
pub(super) struct KeySets<F> {
    fetch: F,
    slots: Mutex<Slots>,
}

#[derive(Default)]
struct Slots {
    by_url: HashMap<String, (u64, Arc<Slot>)>,
    /// Counts uses.
    clock: u64,
}

#[derive(Default)]
struct Slot {
    known: Mutex<Known>,
    /// Held by the one fetch.
    fetching: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Default)]
struct Known {
    set: Option<KeySet>,
    /// When the last fetch ended, and how if it failed.
    last: Option<(Instant, Option<Failure>)>,
}

#[derive(Clone, Copy)]
enum Wanted {
    Current,
    NewerThan(Instant),
}

impl<F: Fetch> KeySets<F> {
    pub(super) fn new(fetch: F) -> Arc<Self> {
        Arc::new(KeySets {
            fetch,
            slots: Mutex::default(),
        })
    }

    /// The keys of `url`, fetched when those at hand are too old. When there are none, `ClientInvalid` if the URL is wrong, and
    /// `Unavailable` if its source is down.
    pub(super) async fn current(self: &Arc<Self>, url: &str) -> Result<KeySet, Error> {
        self.get(url, Wanted::Current).await
    }

    /// Keys that were fetched later, or the same where its source was asked a moment ago. The same errors when it failed then.
    pub(super) async fn newer(self: &Arc<Self>, url: &str, than: Instant) -> Result<KeySet, Error> {
        self.get(url, Wanted::NewerThan(than)).await
    }

    async fn get(self: &Arc<Self>, url: &str, wanted: Wanted) -> Result<KeySet, Error> {
        let slot = self.slot(url);
        if let Some(known) = slot.answer(wanted) {
            return known.map_err(Error::from);
        }
        let turn = slot.fetching.clone().lock_owned().await;
        if let Some(known) = slot.answer(wanted) {
            return known.map_err(Error::from);
        }
        // Not given up with the request that began it: a source would be asked as often as somebody hangs up.
        let (sets, of, url) = (self.clone(), slot.clone(), url.to_owned());
        let fetched = tokio::spawn(async move {
            let _turn = turn;
            let fetched = sets.fetch.fetch(&url).await;
            of.keep(fetched, &url);
        });
        fetched.await.map_err(Error::internal)?;
        slot.after_fetch(wanted).map_err(Error::from)
    }

    fn slot(&self, url: &str) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.clock += 1;
        let now = slots.clock;
        if let Some((used, slot)) = slots.by_url.get_mut(url) {
            *used = now;
            return slot.clone();
        }
        if slots.by_url.len() >= CAPACITY {
            let oldest = slots.by_url.iter().min_by_key(|(_, (used, _))| used);
            if let Some(oldest) = oldest.map(|(url, _)| url.clone()) {
                slots.by_url.remove(&oldest);
            }
        }
        let slot = Arc::<Slot>::default();
        slots.by_url.insert(url.to_owned(), (now, slot.clone()));
        slot
    }
}

impl Slot {
    /// What can be said without a fetch.
    fn answer(&self, wanted: Wanted) -> Option<Result<KeySet, Failure>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let set = known.usable();
        match wanted {
            Wanted::Current if set.is_some_and(|set| set.fetched.elapsed() < FRESH) => {}
            Wanted::Current => {
                let (at, failure) = known.last.as_ref()?;
                if failure.is_none() || at.elapsed() >= FAILED {
                    return None;
                }
            }
            Wanted::NewerThan(than) if set.is_some_and(|set| set.fetched > than) => {}
            Wanted::NewerThan(_) => {
                let (at, _) = known.last.as_ref()?;
                if at.elapsed() >= UNKNOWN {
                    return None;
                }
            }
        }
        Some(known.settle(wanted))
    }

    fn after_fetch(&self, wanted: Wanted) -> Result<KeySet, Failure> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).settle(wanted)
    }

    fn keep(&self, fetched: Result<Vec<Key>, Failure>, url: &str) {
        let now = Instant::now();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match fetched {
            Ok(keys) => {
                let keys = keys.into();
                known.set = Some(KeySet { fetched: now, keys });
                known.last = Some((now, None));
            }
            Err(failure) => {
                let then = known.usable().map_or("", |_| "; its old keys are used");
                tracing::warn!(
                    url,
                    cause = failure.cause,
                    "no keys of a client's issuer: {}{then}",
                    failure.said
                );
                known.last = Some((now, Some(failure)));
            }
        }
    }
}

impl Known {
    fn usable(&self) -> Option<&KeySet> {
        self.set.as_ref().filter(|set| set.fetched.elapsed() < USABLE)
    }

    /// The best that there is. Old keys do where any will, but cannot tell whether a newer one signed.
    fn settle(&self, wanted: Wanted) -> Result<KeySet, Failure> {
        let failure = self.last.as_ref().and_then(|(_, failure)| failure.as_ref());
        match (self.usable(), failure) {
            (Some(set), None) => Ok(set.clone()),
            (Some(set), Some(failure)) => match wanted {
                Wanted::NewerThan(than) if set.fetched <= than => Err(failure.clone()),
                _ => Ok(set.clone()),
            },
            (None, Some(failure)) => Err(failure.clone()),
            (None, None) => Err(Failure {
                said: "it was not asked".to_owned(),
                kind: FailureKind::Down,
                cause: None,
            }),
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let message = format!("no keys could be fetched from this client's JWKS URL: {}", failure.said);
        let reason = match failure.kind {
            FailureKind::Refused | FailureKind::NoKeys => ErrorReason::ClientInvalid,
            FailureKind::Down => ErrorReason::Unavailable,
        };
        let error = Error::new(reason, message);
        match failure.cause {
            Some(cause) => error.with_source(cause),
            None => error,
        }
    }
}
