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
    /// How many may hold or wait for a part of one share.
    places: usize,
    held: Mutex<HashMap<K, Weak<Share>>>,
}

/// One holder's share, which lives for as long as someone holds or waits for a part of it.
struct Share {
    parts: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

/// A part of a share, given back when dropped.
pub(crate) struct Part {
    _held: OwnedSemaphorePermit,
    _place: OwnedSemaphorePermit,
    _share: Arc<Share>,
}

impl<K: Eq + Hash> Shares<K> {
    /// So much for each, and any number may wait.
    pub(crate) fn of(each: usize) -> Self {
        Shares {
            each,
            places: Semaphore::MAX_PERMITS,
            held: Mutex::default(),
        }
    }

    /// So many may wait for each part; who comes when they do is refused at once.
    pub(crate) fn with_line(self, waiting: usize) -> Self {
        Shares {
            places: self.each.saturating_mul(waiting.saturating_add(1)),
            ..self
        }
    }

    /// One part of the holder's share. Waits without end.
    pub(crate) async fn take(&self, holder: K) -> Result<Part, sqlx::Error> {
        let share = self.share(holder);
        let place = share.places.clone().try_acquire_owned();
        let place = place.map_err(|_| sqlx::Error::PoolTimedOut)?;
        let part = share.parts.clone().acquire_owned().await;
        Ok(Part {
            _held: part.map_err(|_| sqlx::Error::PoolClosed)?,
            _place: place,
            _share: share,
        })
    }

    fn share(&self, holder: K) -> Arc<Share> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = held.get(&holder).and_then(Weak::upgrade) {
            return share;
        }
        if held.len() >= REMEMBERED {
            held.retain(|_, share| share.strong_count() > 0);
        }
        let share = Arc::new(Share {
            parts: Arc::new(Semaphore::new(self.each)),
            places: Arc::new(Semaphore::new(self.places)),
        });
        held.insert(holder, Arc::downgrade(&share));
        share
    }
}
