//! Shares: how much of a thing each of many may hold at once, those that come too many waiting in the order in which they came.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Holders that were seen, before those that hold nothing are forgotten.
const REMEMBERED: usize = 1_000;

/// What each holder may have.
pub(crate) struct Shares<K> {
    each: usize,
    held: Mutex<HashMap<K, Weak<Semaphore>>>,
}

impl<K: Eq + Hash> Shares<K> {
    /// So much for each.
    pub(crate) fn of(each: usize) -> Self {
        Shares {
            each,
            held: Mutex::default(),
        }
    }

    /// One part of the holder's share, given back when dropped. Waits without end.
    pub(crate) async fn take(&self, holder: K) -> Result<OwnedSemaphorePermit, sqlx::Error> {
        let share = self.share(holder);
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
