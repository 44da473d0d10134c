//! The tables above tenants: tenants and their access, credentials, the outbox as the relay sees it, generations. The
//! database role of this store may do nothing else, save for removing the users of a deleted tenant.

use sqlx::PgPool;
use sqlx::postgres::PgRow;

use super::{Binding, Mutation};
use crate::outbox::Event;

/// Access to the tables above tenants.
#[derive(Clone)]
pub struct SystemStore {
    pool: PgPool,
}

impl SystemStore {
    pub(super) fn new(pool: PgPool) -> Self {
        SystemStore { pool }
    }

    /// The connections under the system role.
    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Executes a change of a tenant together with its event.
    pub(crate) async fn change<T>(
        &self,
        tenant: uuid::Uuid,
        mutation: &Mutation,
        event: Event,
        bind: impl FnOnce(Binding<T>) -> Binding<T>,
    ) -> Result<Option<T>, sqlx::Error>
    where
        T: for<'r> sqlx::FromRow<'r, PgRow> + Send + Unpin,
    {
        bind(mutation.with(tenant, event)).fetch_optional(&self.pool).await
    }
}
