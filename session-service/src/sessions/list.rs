//! The sessions that a user has. Listing judges nothing: an ended session may show until it is pruned.

use identity_proto::access::{bucket, prefix};
use uuid::Uuid;

use super::{Sessions, hex};
use crate::error::Error;

/// A session as it is stored; times in ms.
#[derive(Clone, Debug)]
pub struct Session {
    pub tenant: Uuid,
    pub user: Uuid,
    pub id: String,
    pub created: i64,
    pub expires: i64,
}

impl Sessions {
    /// The user's sessions, the newest first.
    pub async fn list(&self, tenant: Uuid, user: Uuid) -> Result<Vec<Session>, Error> {
        let bucket = bucket(tenant, user);
        let prefix = prefix(bucket);
        let owned = format!("{prefix}:us:{}:{}", hex(tenant), hex(user));
        let (ids,): (Vec<String>,) = self.redis.pipe(bucket, redis::pipe().zrevrange(owned, 0, -1)).await?;
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipe = redis::pipe();
        for id in &ids {
            pipe.hmget(format!("{prefix}:s:{id}"), &["at", "exp"]);
        }
        let times: Vec<(Option<i64>, Option<i64>)> = self.redis.pipe(bucket, &pipe).await?;
        let session = |(id, times)| match times {
            (Some(created), Some(expires)) => Some(Session {
                tenant,
                user,
                id,
                created,
                expires,
            }),
            _ => None, // it expired
        };
        Ok(ids.into_iter().zip(times).filter_map(session).collect())
    }
}
