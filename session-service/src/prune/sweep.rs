//! Walks through all users with sessions and ends what the registers say is over: what an event that never came would
//! have ended. Nothing waits for it.

use std::time::Duration;

use identity_proto::access::{buckets, prefix};

use super::{Prune, USERS_AT_ONCE};
use crate::error::Error;

/// The pause between two rounds through all buckets.
const PAUSE: Duration = Duration::from_secs(30);
/// The pause between two batches, so that the sweep never crowds out validations.
const BREATH: Duration = Duration::from_millis(5);

/// Sweeps for ever.
pub(super) async fn sweep(prune: Prune) {
    loop {
        tokio::time::sleep(PAUSE).await;
        for bucket in buckets() {
            match bucket_round(&prune, bucket).await {
                Ok(0) => {}
                Ok(sessions) => tracing::info!(bucket, sessions, "swept"),
                Err(error) => tracing::debug!(bucket, error = &error as &dyn std::error::Error, "not swept"),
            }
        }
    }
}

async fn bucket_round(prune: &Prune, bucket: u8) -> Result<i64, Error> {
    let index = format!("{}:users", prefix(bucket));
    let mut from = "-".to_owned();
    let mut swept = 0;
    loop {
        let mut pipe = redis::pipe();
        pipe.zrangebylex_limit(&index, &from, "+", 0, USERS_AT_ONCE);
        let (owners,): (Vec<String>,) = prune.redis.pipe(&pipe).await?;
        swept += prune.users(bucket, &owners, "").await?;
        match owners.last() {
            Some(last) => from = format!("({last}"),
            None => return Ok(swept),
        }
        tokio::time::sleep(BREATH).await;
    }
}
