//! Walks through all users with sessions and ends what the registers say is over: what an event that never came would
//! have ended. Nothing waits for it.

use std::time::Duration;

use identity_proto::access::{buckets, prefix};

use super::{Prune, USERS_AT_ONCE};
use crate::error::Error;
use crate::metrics;

/// The pause between two rounds through all buckets.
const PAUSE: Duration = Duration::from_secs(30);
/// The pause between two batches, so that the sweep never crowds out validations.
const BREATH: Duration = Duration::from_millis(5);

/// Sweeps for ever, from when every bucket can be reached.
pub(super) async fn sweep(prune: Prune) {
    let _ = tokio::time::timeout(PAUSE, prune.redis.whole()).await;
    loop {
        let mut left = Some(0);
        for bucket in buckets() {
            match bucket_round(&prune, bucket).await {
                Ok(swept) => {
                    left = left.map(|left| left + swept.left);
                    if swept.ended > 0 {
                        metrics::pruned(swept.ended);
                        tracing::info!(bucket, sessions = swept.ended, "swept");
                    }
                }
                Err(error) => {
                    left = None;
                    tracing::debug!(bucket, error = &error as &dyn std::error::Error, "not swept");
                }
            }
        }
        left.into_iter().for_each(metrics::sessions);
        tokio::time::sleep(PAUSE).await;
    }
}

#[derive(Default)]
struct Swept {
    ended: i64,
    /// How many sessions live.
    left: u64,
}

async fn bucket_round(prune: &Prune, bucket: u8) -> Result<Swept, Error> {
    let prefix = prefix(bucket);
    let index = format!("{prefix}:users");
    let mut from = "-".to_owned();
    let mut swept = Swept::default();
    loop {
        let mut pipe = redis::pipe();
        pipe.zrangebylex_limit(&index, &from, "+", 0, USERS_AT_ONCE);
        let (owners,): (Vec<String>,) = prune.redis.pipe(bucket, &pipe).await?;
        let Some(last) = owners.last() else { return Ok(swept) };
        from = format!("({last}");
        swept.ended += prune.users(bucket, &owners, "").await?;
        let mut pipe = redis::pipe();
        for owner in &owners {
            pipe.zcard(format!("{prefix}:us:{owner}"));
        }
        let left: Vec<u64> = prune.redis.pipe(bucket, &pipe).await?;
        swept.left += left.iter().sum::<u64>();
        tokio::time::sleep(BREATH).await;
    }
}
