//! The only way to PostgreSQL. [`TenantStore`] reaches the rows of one tenant, [`SystemStore`] the few tables above
//! tenants; each runs under a database role of its own, and neither as the owner of the tables.

mod audited;
mod lane;
mod lease;
mod mutation;
mod pool;
mod shares;
mod system;
mod tenant;
mod turns;

#[cfg(test)]
mod tests;

use std::time::Duration;

use runtime::Secret;

pub(crate) use audited::{Actor, Audited};
use lane::Lane;
pub(crate) use lease::Lease;
pub(crate) use mutation::{Binding, Mutation};
pub(crate) use shares::Shares;
pub use system::SystemStore;
pub(crate) use tenant::{Lockable, Tx};
pub use tenant::{TenantId, TenantStore};
pub(crate) use turns::Turns;

/// The relay's connections: one each for its link, its batches and its leases, and one to spare. With the masters of a Cluster
/// several links and renewals want one at once; each needs it for a statement, and waits for its turn.
const RELAY_SIZE: u32 = 4;

/// How long a connection of a lane with short statements may take to become usable again.
const PATIENCE: Duration = Duration::from_secs(1);

/// How many requests of a tenant may wait for each connection that it may have: more would be told late, by the time-out,
/// what they can be told at once. Logins, ends of access and validations are never refused for that.
const WAITING: usize = 16;

/// How long the lane of access waits for a lock: others are behind it. What has to wait longer does so elsewhere.
const LOCKS_OF_ACCESS: Duration = Duration::from_millis(500);

const TENANT: &str = "portcullis_tenant";
const SYSTEM: &str = "portcullis_system";

/// How the database is used.
#[derive(Clone, Debug)]
pub struct Options {
    /// `postgres://…`
    pub url: Secret,
    /// Connections for what tenants ask. The lanes for access and for the system have half of it each, that for questions a
    /// quarter, the relay four.
    pub pool_size: u32,
    /// How long one statement may run.
    pub statement_timeout: Duration,
}

/// All lanes to PostgreSQL. Connects when first used.
#[derive(Clone)]
pub struct Store {
    tenants: Lane,
    access: Lane,
    questions: Lane,
    system: Lane,
    relay: Lane,
}

impl Store {
    /// Prepares the pools. Fails only when the URL cannot be read.
    pub fn new(options: &Options) -> Result<Self, sqlx::Error> {
        let size = options.pool_size;
        let (half, quarter) = ((size / 2).max(2), (size / 4).max(2));
        let share = |size: u32| Shares::of(usize::try_from(size / 2).unwrap_or(1).max(1));
        let lane = |name, size, locks, shares, patience| -> Result<Lane, sqlx::Error> {
            Ok(Lane::new(
                name,
                pool::lazy(options, TENANT, size, locks)?,
                shares,
                patience,
            ))
        };
        let above = |name, size| -> Result<Lane, sqlx::Error> {
            let pool = pool::lazy(options, SYSTEM, size, Duration::ZERO)?;
            Ok(Lane::new(name, pool, share(size), PATIENCE))
        };
        // A list that its caller gave up still runs: dropping its connection would not stop it, only uncount it.
        let of_lists = options.statement_timeout + PATIENCE;
        Ok(Store {
            tenants: lane(
                "tenants",
                size,
                Duration::ZERO,
                share(size).with_line(WAITING),
                of_lists,
            )?,
            access: lane("access", half, LOCKS_OF_ACCESS, share(half), PATIENCE)?,
            questions: lane("questions", quarter, Duration::ZERO, share(quarter), PATIENCE)?,
            system: above("system", half)?,
            relay: above("relay", RELAY_SIZE)?,
        })
    }

    /// The rows of one tenant.
    pub fn of(&self, tenant: TenantId) -> TenantStore {
        TenantStore::new(self.tenants.clone(), tenant)
    }

    /// The rows of one tenant, by connections that are kept for logins and ends of access.
    pub fn access_of(&self, tenant: TenantId) -> TenantStore {
        TenantStore::new(self.access.clone(), tenant)
    }

    /// The rows of one tenant, by connections that are kept for what validations ask. After Redis lost its registers each
    /// validation does: logins and ends of access do not wait behind them.
    pub fn questions_of(&self, tenant: TenantId) -> TenantStore {
        TenantStore::new(self.questions.clone(), tenant)
    }

    /// The tables above tenants.
    pub fn system(&self) -> SystemStore {
        SystemStore::new(self.system.clone())
    }

    /// The tables above tenants, by connections that are kept for the relay.
    pub fn relay(&self) -> SystemStore {
        SystemStore::new(self.relay.clone())
    }

    /// The lanes' names, and how many connections each has in use and idle.
    pub(crate) fn usage(&self) -> [(&'static str, u32, u32); 5] {
        self.lanes().map(Lane::usage)
    }

    /// Closes all connections: nothing is answered afterwards.
    pub async fn close(&self) {
        for lane in self.lanes() {
            lane.close().await;
        }
    }

    fn lanes(&self) -> [&Lane; 5] {
        [&self.tenants, &self.access, &self.questions, &self.system, &self.relay]
    }
}
