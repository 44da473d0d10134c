//! A connection that was taken from a pool, and its way back.
//!
//! The driver pings every connection that comes back, without a time-out, and keeps its place in the pool meanwhile. After
//! a network that was cut silently those pings wait for many minutes, and with them all places. So the way back has a
//! time here, after which the connection is dropped and its place is free. No ping of our own is needed for it.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, Executor, PgConnection, Postgres};
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tracing::Span;

/// A connection in use.
pub(crate) struct Lease {
    /// `None` only while it is dropped.
    connection: Option<PoolConnection<Postgres>>,
    patience: Duration,
    /// In a transaction that was not committed.
    open: bool,
    share: Option<OwnedSemaphorePermit>,
    /// What was done with it, in the trace of the request.
    _span: Span,
}

impl Lease {
    pub(super) fn new(
        connection: PoolConnection<Postgres>,
        patience: Duration,
        share: Option<OwnedSemaphorePermit>,
        span: Span,
    ) -> Self {
        Lease {
            connection: Some(connection),
            patience,
            open: false,
            share,
            _span: span,
        }
    }

    /// Begins a transaction. Without a commit it is rolled back when the connection goes back, also when its request was
    /// given up at any point: the driver's own `begin` leaves it open then.
    pub(crate) async fn begin(&mut self, statement: String) -> Result<(), sqlx::Error> {
        self.open = true;
        self.execute(AssertSqlSafe(statement)).await?;
        Ok(())
    }

    /// Commits the transaction.
    pub(crate) async fn commit(&mut self) -> Result<(), sqlx::Error> {
        self.execute("COMMIT").await?;
        self.open = false;
        Ok(())
    }
}

impl Deref for Lease {
    type Target = PgConnection;

    #[expect(clippy::expect_used, reason = "only `drop` takes the connection out")]
    fn deref(&self) -> &PgConnection {
        self.connection.as_ref().expect("in use")
    }
}

impl DerefMut for Lease {
    #[expect(clippy::expect_used, reason = "only `drop` takes the connection out")]
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.connection.as_mut().expect("in use")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        let (patience, open, share) = (self.patience, self.open, self.share.take());
        let Ok(runtime) = Handle::try_current() else {
            drop(connection.detach());
            return;
        };
        runtime.spawn(async move {
            give_back(connection, open, patience).await;
            // A statement that its caller gave up counts against the tenant until PostgreSQL is done with it.
            drop(share);
        });
    }
}

async fn give_back(mut connection: PoolConnection<Postgres>, open: bool, patience: Duration) {
    if open {
        let rolled_back = tokio::time::timeout(patience, connection.execute("ROLLBACK")).await;
        if !matches!(rolled_back, Ok(Ok(_))) {
            tracing::warn!("a connection to PostgreSQL was dropped: its transaction could not be rolled back");
            return drop(connection.detach());
        }
    }
    // What is dropped with the future on time-out is the connection itself, and its place in the pool is free.
    if tokio::time::timeout(patience, connection.return_to_pool())
        .await
        .is_err()
    {
        tracing::warn!("a connection to PostgreSQL was dropped: it did not become ready in time");
    }
}
