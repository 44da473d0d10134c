//! The tables above tenants: tenants and their access, credentials, the outbox as the relay sees it, generations. What
//! its database role may touch, and how, is listed in ARCHITECTURE.md and granted by the migrations.

use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::lane::Lane;
use super::lease::Lease;
use super::{Binding, Mutation};
use crate::error::{Error, database};
use crate::outbox::Event;

/// Keeps two requests from counting what a tenant has at the same time.
const LOCK_TENANT: &str = "SELECT 1 FROM tenant WHERE tenant_id = $1 AND state <> 'deleted' FOR NO KEY UPDATE";

/// Access to the tables above tenants.
#[derive(Clone)]
pub struct SystemStore {
    lane: Lane,
}

impl SystemStore {
    pub(super) fn new(lane: Lane) -> Self {
        SystemStore { lane }
    }

    /// A connection under the system role. What it writes has no event: neither a credential, whose changes are
    /// [`Audited`](super::Audited), nor a lease of a bucket has one, and the users of a deleted tenant went with the tenant's.
    /// Whatever has one goes through [`SystemStore::change`].
    pub(crate) async fn connection(&self) -> Result<Lease, Error> {
        self.lane.connection().await.map_err(database)
    }

    /// A transaction that may count what the tenant has and add to it: there is one for a tenant at a time.
    pub(crate) async fn counting(&self, tenant: Uuid) -> Result<Lease, Error> {
        let mut connection = self.connection().await?;
        connection.begin("BEGIN".to_owned()).await.map_err(database)?;
        let found = sqlx::query(LOCK_TENANT).bind(tenant);
        let found = found.fetch_optional(&mut *connection).await.map_err(database)?;
        found.ok_or_else(|| Error::not_found("tenant"))?;
        Ok(connection)
    }

    /// Executes a change of a tenant together with its event.
    pub(crate) async fn change<T>(
        &self,
        tenant: Uuid,
        mutation: &Mutation,
        event: Event,
        bind: impl FnOnce(Binding<T>) -> Binding<T>,
    ) -> Result<Option<T>, sqlx::Error>
    where
        T: for<'r> sqlx::FromRow<'r, PgRow> + Send + Unpin,
    {
        let mut connection = self.lane.connection().await?;
        let statement = bind(mutation.with(tenant, event));
        statement.fetch_optional(&mut *connection).await
    }
}
