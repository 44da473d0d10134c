//! Shares: how much of a thing each of many may hold at once. Those that come too many wait in the order in which they came.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What the log says of who was refused.
const TOO_MANY: &str = "too many requests of this tenant wait already";

/// Holders that were seen, before those that hold nothing are forgotten.
const REMEMBERED: usize = 1_000;

/// What each holder may have.
pub(crate) struct Shares<K> {
    each: usize,
    /// How many may hold or wait for a part of one share.
    places: usize,
    held: Mutex<HashMap<K, Weak<Semaphore>>>,
}

impl<K: Eq + Hash> Shares<K> {
    /// So much for each, and any number may wait.
    pub(crate) fn of(each: usize) -> Self {
        Shares {
            each,
            places: usize::MAX,
            held: Mutex::default(),
        }
    }

    /// So many may wait for each part.
    pub(crate) fn with_line(self, waiting: usize) -> Self {
        Shares {
            places: self.each.saturating_mul(waiting.saturating_add(1)),
            ..self
        }
    }

    /// One part of the holder's share, given back when dropped. Waits for it without end, or is refused at once where too
    /// many wait.
    pub(crate) async fn take(&self, holder: K) -> Result<OwnedSemaphorePermit, sqlx::Error> {
        let share = self.share(holder);
        // Whoever holds a part, or waits for one, has a reference.
        if Arc::strong_count(&share) > self.places {
            return Err(sqlx::Error::Io(std::io::Error::other(TOO_MANY)));
        }
        share.acquire_owned().await.map_err(|_| sqlx::Error::PoolClosed)
    }

    /// The holder's semaphore, which lives for as long as someone holds or waits for a part of it.
    fn share(&self, holder: K) -> Arc<Semaphore> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = held.get(&holder).and_then(Weak::upgrade) {
            return share;
        }
        if held.len() >= REMEMBERED {
            held.retain(|_, share| share.strong_count() > 0);
        }
        let share = Arc::new(Semaphore::new(self.each));
        held.insert(holder, Arc::downgrade(&share));
        share
    }
}
