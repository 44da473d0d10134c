//! Sessions in Redis. In a bucket, beside what `identity_proto::access` lists:
//!
//! | key | holds |
//! |---|---|
//! | `{b7}:s:<id>` | a session: `te`, `ue` the epochs that it was created under, `at`, `exp` in ms; expires by itself |
//! | `{b7}:us:<tenant>:<user>` | sorted set of the user's session ids, by creation |
//! | `{b7}:users` | sorted set (score 0) of `<tenant>:<user>` that may have sessions, for the sweep |
//! | `{b7}:login:<jti>` | in the login's own bucket: the user that it was first used for |
//! | `{b7}:jti:<jti>` | in the user's bucket: a login that became a session |
//! | `{b7}:pruned:<tenant>:<user>:<epoch>`, `{b7}:acks` | counts of ended sessions, and which are yet to be acknowledged |

mod create;
mod list;
mod revoke;
mod validate;

use uuid::Uuid;

use crate::core_client::CoreClient;
use crate::error::Error;
use crate::redis_link::RedisLink;

pub use create::NewSession;
pub use list::Session;
pub use validate::Verdict;

/// The operations on sessions. Clones share the connections.
#[derive(Clone)]
pub struct Sessions {
    pub(crate) redis: RedisLink,
    pub(crate) core: CoreClient,
    /// How many sessions a user may have; the oldest give way.
    pub(crate) cap: u32,
}

/// How the ids are written in Redis.
fn hex(id: Uuid) -> String {
    id.simple().to_string()
}

/// A script answered in a form that this version does not know.
fn unknown_answer() -> Error {
    Error::Redis(redis::RedisError::from((
        redis::ErrorKind::UnexpectedReturnType,
        "a script's answer is unknown",
    )))
}
