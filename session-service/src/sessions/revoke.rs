//! The end of one session: a log-out. As durable as Redis.

use identity_proto::access::prefix;

use super::{Sessions, hex};
use crate::error::Error;
use crate::token::Locator;

impl Sessions {
    /// Deletes one session; answers whether there was one.
    pub async fn revoke(&self, session: &Locator) -> Result<bool, Error> {
        let prefix = prefix(session.bucket);
        let mut pipe = redis::pipe();
        pipe.del(format!("{prefix}:s:{}", session.id));
        pipe.zrem(
            format!("{prefix}:us:{}:{}", hex(session.tenant), hex(session.user)),
            &session.id,
        )
        .ignore();
        let (deleted,): (i64,) = self.redis.pipe(&pipe).await?;
        Ok(deleted > 0)
    }
}
