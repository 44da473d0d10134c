//! Lanes: pools that do not wait for each other. Lists and lock waits of tenants fill one, and endings, validations and
//! the relay still have theirs. Within a lane no tenant may hold more than its share.

use std::sync::Arc;
use std::time::{Duration, Instant};

use runtime::RequestId;
use sqlx::PgPool;
use tokio::sync::OwnedSemaphorePermit;
use tracing::Span;
use uuid::Uuid;

use super::lease::Lease;
use super::shares::Shares;
use crate::metrics;

/// How long a request waits for a connection, its tenant's share included, before it is told that the database is
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
    /// A lane of `size` connections, of which one tenant may hold half.
    pub(super) fn new(name: &'static str, pool: PgPool, size: u32, patience: Duration) -> Self {
        let each = usize::try_from(size / 2).unwrap_or(1).max(1);
        Lane {
            name,
            pool,
            shares: Arc::new(Shares::of(each)),
            patience,
        }
    }

    /// A connection for the rows of this tenant, once its share has room.
    pub(super) async fn connection_for(&self, tenant: Uuid) -> Result<Lease, sqlx::Error> {
        self.lease(async { self.shares.take(tenant).await.map(Some) }).await
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
        let taken = tokio::time::timeout(ACQUIRE_TIMEOUT, async {
            let share = share.await?;
            Ok((self.pool.acquire().await?, share))
        });
        let taken = taken.await.unwrap_or(Err(sqlx::Error::PoolTimedOut));
        metrics::waited(self.name, asked.elapsed());
        let (connection, share) = taken?;
        Ok(Lease::new(connection, self.patience, share, span))
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
