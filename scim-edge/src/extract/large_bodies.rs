//! Places for large bodies, which take many times their length in memory for a moment. So many are read at once, and of
//! one tenant half of them, so that none keeps all others waiting. Waiting counts as time to arrive.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio::time::Instant;

use crate::error::Error;

/// A body up to this length is read at any time.
pub const SMALL: usize = 256 * 1024;
const LARGE_AT_ONCE: usize = 16;
const OF_ONE_TENANT: usize = 8;

/// All places.
pub struct LargeBodies {
    all: Semaphore,
    /// Those of tenants that have or await one.
    of_tenants: Mutex<HashMap<String, Weak<Semaphore>>>,
}

impl Default for LargeBodies {
    fn default() -> Self {
        LargeBodies {
            all: Semaphore::new(LARGE_AT_ONCE),
            of_tenants: Mutex::default(),
        }
    }
}

impl LargeBodies {
    /// `None` never comes: the semaphores are not closed.
    async fn take(&self, tenant: &str) -> Option<(OwnedSemaphorePermit, SemaphorePermit<'_>)> {
        // Who waits for the tenant's own places holds none that others could have.
        let own = self.of_tenant(tenant).acquire_owned().await.ok()?;
        Some((own, self.all.acquire().await.ok()?))
    }

    fn of_tenant(&self, tenant: &str) -> Arc<Semaphore> {
        let mut of_tenants = self.of_tenants.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = of_tenants.get(tenant).and_then(Weak::upgrade) {
            return known;
        }
        of_tenants.retain(|_, places| places.strong_count() > 0);
        let new = Arc::new(Semaphore::new(OF_ONE_TENANT));
        of_tenants.insert(tenant.to_owned(), Arc::downgrade(&new));
        new
    }
}

/// A body's place, once it needs one.
pub struct Place<'a> {
    of: &'a LargeBodies,
    tenant: &'a str,
    until: Instant,
    taken: Option<(OwnedSemaphorePermit, SemaphorePermit<'a>)>,
}

impl<'a> Place<'a> {
    /// For a body of this tenant, which waits no longer than this.
    pub fn new(of: &'a LargeBodies, tenant: &'a str, until: Instant) -> Self {
        Place {
            of,
            tenant,
            until,
            taken: None,
        }
    }

    /// Waits for a place if so many bytes need one.
    pub async fn for_length(&mut self, length: usize) -> Result<(), Error> {
        if length > SMALL && self.taken.is_none() {
            let taken = tokio::time::timeout_at(self.until, self.of.take(self.tenant)).await;
            self.taken = taken.map_err(|_| Error::NotReady("too many large bodies are on their way"))?;
        }
        Ok(())
    }
}
