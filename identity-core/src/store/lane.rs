//! Lanes: pools that do not wait for each other. Lists and lock waits of tenants fill one, and endings, validations and
//! the relay still have theirs. Within a lane no tenant may hold more than its share.

use std::sync::Arc;
use std::time::{Duration, Instant};

use runtime::RequestId;
use sqlx::PgPool;
use tokio::sync::OwnedSemaphorePermit;
use tracing::{Instrument, Span};
use uuid::Uuid;

use super::lease::Lease;
use super::shares::Shares;
use crate::metrics;

/// How long a request waits for a connection, its holder's share included, before it is told that the database is
/// unavailable.
pub(super) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);

/// A pool, and the rules for taking connections from it.
#[derive(Clone)]
pub(crate) struct Lane {
    name: &'static str,
    pool: PgPool,
    shares: Arc<Shares<Uuid>>,
    /// How long a connection that comes back may take to become usable again.
    patience: Duration,
}

impl Lane {
    /// A lane of connections, divided so.
    pub(super) fn new(name: &'static str, pool: PgPool, shares: Shares<Uuid>, patience: Duration) -> Self {
        Lane {
            name,
            pool,
            shares: Arc::new(shares),
            patience,
        }
    }

    /// A connection for the rows of this tenant, once its share has room.
    pub(super) async fn connection_for(&self, tenant: Uuid) -> Result<Lease, sqlx::Error> {
        let share = async { self.shares.take(tenant).await.map(Some) };
        self.lease(async { share.await.inspect_err(|_| metrics::refused(self.name)) })
            .await
    }

    /// A connection for what stands above tenants.
    pub(super) async fn connection(&self) -> Result<Lease, sqlx::Error> {
        self.lease(async { Ok(None) }).await
    }

    async fn lease(
        &self,
        share: impl Future<Output = Result<Option<OwnedSemaphorePermit>, sqlx::Error>>,
    ) -> Result<Lease, sqlx::Error> {
        // What the relay does of itself belongs to no trace.
        let span = match RequestId::current() {
            Some(_) => tracing::info_span!("postgresql", lane = self.name),
            None => Span::none(),
        };
        let asked = Instant::now();
        let taken = tokio::time::timeout(ACQUIRE_TIMEOUT, async { self.take(share.await?, span).await });
        let taken = taken.await.unwrap_or(Err(sqlx::Error::PoolTimedOut));
        // Who was refused did not wait.
        if matches!(taken, Ok(_) | Err(sqlx::Error::PoolTimedOut)) {
            metrics::waited(self.name, asked.elapsed());
        }
        taken
    }

    async fn take(&self, share: Option<OwnedSemaphorePermit>, span: Span) -> Result<Lease, sqlx::Error> {
        let (pool, patience) = (self.pool.clone(), self.patience);
        let taking = async move { Ok(Lease::new(pool.acquire().await?, patience, share, span)) };
        let is_full = self.pool.size() >= self.pool.options().get_max_connections();
        if is_full || self.pool.num_idle() > 0 {
            return taking.await;
        }
        // Connecting outlives who asked for it: where each gives up before a connection is made, none ever is.
        let taking = tokio::spawn(taking.in_current_span());
        taking.await.unwrap_or(Err(sqlx::Error::PoolClosed))
    }

    /// The name, and how many connections are in use and idle.
    pub(super) fn usage(&self) -> (&'static str, u32, u32) {
        let idle = u32::try_from(self.pool.num_idle()).unwrap_or(u32::MAX);
        (self.name, self.pool.size().saturating_sub(idle), idle)
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}
