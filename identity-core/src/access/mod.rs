//! The access fence, the core's half: epochs in PostgreSQL, the registers that say the same in Redis, and the answers
//! that let a login become a session.
//!
//! Epochs move only through the SQL functions `move_user_access` and `move_tenant_access`, in the transaction of the
//! change. [`relay`] carries them to Redis, [`generation`] agrees which Redis counts, [`lease`] says for how long its
//! registers may be trusted. `identity_proto::access` lists the keys.

pub(crate) mod changes;
mod generation;
mod lease;
mod link;
mod login;
mod logins;
mod outcome;
mod relay;
mod standing;
#[cfg(test)]
mod tests;
mod wake;

use std::sync::Arc;

use identity_proto::identity::v1::AccessState;
use redis_topology::Topology;
use runtime::{Health, Secret, Shutdown};
use uuid::Uuid;

use crate::Error;
use crate::store::{Store, SystemStore};

pub use logins::{Begun, Checked, Epochs, LoginStart, UserRef};
pub use outcome::Outcome;
pub use standing::Standing;
pub use wake::Wake;

/// The operations on access. Clones share the relay.
#[derive(Clone)]
pub struct Access {
    system: SystemStore,
    registers: relay::Links,
    wake: Wake,
    login_key: Arc<Secret>,
}

impl Access {
    /// Starts the relay once the process is ready, so that there is a schema. It ends with the shutdown.
    pub fn start(
        redis: Topology,
        store: &Store,
        wake: Wake,
        login_key: Secret,
        (health, shutdown): (&Health, &Shutdown),
    ) -> Self {
        let registers = relay::start(redis, store.relay(), wake.clone(), health.clone(), shutdown);
        Access {
            system: store.system(),
            registers,
            wake,
            login_key: Arc::new(login_key),
        }
    }
}

/// How PostgreSQL holds a state: the inverse of [`state`].
pub(crate) fn column(state: AccessState) -> &'static str {
    match state {
        AccessState::AccessActive => "active",
        AccessState::AccessInactive => "inactive",
        AccessState::AccessDeleted | AccessState::Unspecified => "deleted",
    }
}

/// A state as PostgreSQL holds it. Anything unknown is no access.
fn state(text: &str) -> AccessState {
    match text {
        "active" => AccessState::AccessActive,
        "inactive" => AccessState::AccessInactive,
        _ => AccessState::AccessDeleted,
    }
}

/// Without a user it is a tenant that there is not.
fn no_subject(user: Option<Uuid>) -> Error {
    Error::not_found(if user.is_some() { "user" } else { "tenant" })
}
