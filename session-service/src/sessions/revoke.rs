//! The end of one session: a log-out. As durable as Redis.

use std::sync::LazyLock;

use redis::Script;

use super::{Sessions, hex};
use crate::error::Error;
use crate::token::Locator;

static REVOKE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("revoke.lua")));

impl Sessions {
    /// Deletes one session; answers whether the user had it.
    pub async fn revoke(&self, session: &Locator) -> Result<bool, Error> {
        let arguments = [&*hex(session.tenant), &*hex(session.user), &*session.id];
        Ok(self.redis.run::<i64>(&REVOKE, session.bucket, &arguments).await? > 0)
    }
}
