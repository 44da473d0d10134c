//! Lanes: pools that do not wait for each other. Lists and lock waits of tenants fill one, and endings, validations and
//! the relay still have theirs. Within a lane no tenant may hold more than its share.

use std::sync::Arc;
use std::time::{Duration, Instant};

use runtime::RequestId;
use sqlx::PgPool;
use tracing::Span;
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

    /// A connection for the rows of this tenant, or for what stands above tenants, once the holder's share has room.
    pub(super) async fn connection(&self, tenant: Option<Uuid>) -> Result<Lease, sqlx::Error> {
        // What the relay does of itself belongs to no trace.
        let span = match RequestId::current() {
            Some(_) => tracing::info_span!("postgresql", lane = self.name),
            None => Span::none(),
        };
        let asked = Instant::now();
        let lease = tokio::time::timeout(ACQUIRE_TIMEOUT, self.lease(tenant.unwrap_or_default(), span)).await;
        metrics::waited(self.name, asked.elapsed());
        lease.unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }

    async fn lease(&self, holder: Uuid, span: Span) -> Result<Lease, sqlx::Error> {
        let part = self.shares.take(holder).await?;
        let (pool, patience) = (self.pool.clone(), self.patience);
        let leasing = async move { Ok(Lease::new(pool.acquire().await?, patience, part, span)) };
        if self.pool.num_idle() > 0 {
            return leasing.await;
        }
        // Connecting outlives who asked for it: where each gives up before a connection is made, none ever is.
        tokio::spawn(leasing).await.unwrap_or(Err(sqlx::Error::PoolClosed))
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
