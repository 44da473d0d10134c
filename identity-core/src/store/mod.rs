//! The only way to PostgreSQL. [`TenantStore`] reaches the rows of one tenant, [`SystemStore`] the few tables above
//! tenants; each runs under a database role of its own, and neither as the owner of the tables.

mod mutation;
mod pool;
mod system;
mod tenant;

#[cfg(test)]
mod tests;

use std::time::Duration;

use runtime::Secret;
use sqlx::PgPool;

pub(crate) use mutation::{Binding, Mutation};
pub use system::SystemStore;
pub(crate) use tenant::{Lockable, Tx};
pub use tenant::{TenantId, TenantStore};

/// How the database is used.
#[derive(Clone, Debug)]
pub struct Options {
    /// `postgres://…`
    pub url: Secret,
    /// Connections in each of the two pools, at most.
    pub pool_size: u32,
    /// How long one statement may run.
    pub statement_timeout: Duration,
}

/// Both pools. Connects when first used.
#[derive(Clone)]
pub struct Store {
    tenants: PgPool,
    system: PgPool,
}

impl Store {
    /// Prepares both pools. Fails only when the URL cannot be read.
    pub fn new(options: &Options) -> Result<Self, sqlx::Error> {
        Ok(Store {
            tenants: pool::lazy(options, "portcullis_tenant")?,
            system: pool::lazy(options, "portcullis_system")?,
        })
    }

    /// The rows of one tenant.
    pub fn of(&self, tenant: TenantId) -> TenantStore {
        TenantStore::new(self.tenants.clone(), tenant)
    }

    /// The tables above tenants.
    pub fn system(&self) -> SystemStore {
        SystemStore::new(self.system.clone())
    }

    /// Closes both pools: nothing is answered afterwards.
    pub async fn close(&self) {
        self.tenants.close().await;
        self.system.close().await;
    }
}
