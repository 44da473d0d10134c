//! Tells the core how many sessions ended with an epoch. The counts wait in Redis until the core has them, so an
//! acknowledgement outlives a core, or a session service, that is down.

use std::sync::LazyLock;
use std::time::Duration;

use identity_proto::access::prefix;
use identity_proto::identity::v1::AcknowledgePruneRequest;
use redis::Script;
use uuid::Uuid;

use super::Prune;
use crate::error::{Error, is_about_what_was_asked};
use crate::redis_link::Process;

/// How often waiting counts are looked for.
const EVERY: Duration = Duration::from_millis(200);
/// How many are taken from a bucket at once.
const COUNT: usize = 50;

/// Takes an ending off the list, if its count is still the one that was acknowledged.
static SETTLE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if (redis.call('GET', KEYS[1] .. ':pruned:' .. ARGV[1]) or '0') == ARGV[2] then
           return redis.call('SREM', KEYS[1] .. ':acks', ARGV[1])
         end
         return 0",
    )
});

/// Acknowledges for ever.
pub(super) async fn acknowledge(prune: Prune) {
    loop {
        tokio::time::sleep(EVERY).await;
        for process in prune.redis.processes() {
            if let Err(error) = round(&prune, &process).await {
                tracing::debug!(error = &error as &dyn std::error::Error, "acknowledgements wait");
                tokio::time::sleep(EVERY * 4).await;
            }
        }
    }
}

async fn round(prune: &Prune, process: &Process) -> Result<(), Error> {
    let mut pipe = redis::pipe();
    for bucket in process.buckets() {
        pipe.cmd("SRANDMEMBER")
            .arg(format!("{}:acks", prefix(*bucket)))
            .arg(COUNT);
    }
    let waiting: Vec<Vec<String>> = process.pipe(&pipe).await?;
    for (bucket, endings) in process.buckets().iter().zip(waiting) {
        for ending in endings {
            match send(prune, *bucket, &ending).await {
                // The core refused this one; else it is away, and the others wait with it.
                Err(Error::Core(status)) if is_about_what_was_asked(&status) => {
                    tracing::debug!(ending, %status, "not acknowledged yet");
                }
                sent => sent?,
            }
        }
    }
    Ok(())
}

async fn send(prune: &Prune, bucket: u8, ending: &str) -> Result<(), Error> {
    let mut pipe = redis::pipe();
    pipe.get(format!("{}:pruned:{ending}", prefix(bucket)));
    let (count,): (Option<i64>,) = prune.redis.pipe(bucket, &pipe).await?;
    let pruned = count.unwrap_or(0);
    if let Some(request) = request(bucket, ending, pruned) {
        prune.core.acknowledge(request).await?;
    }
    prune
        .redis
        .run::<i64>(&SETTLE, bucket, &[ending, &pruned.to_string()])
        .await?;
    Ok(())
}

/// Reads `<tenant>:<user>:<epoch>`, the user empty for a tenant's ending.
fn request(bucket: u8, ending: &str, pruned: i64) -> Option<AcknowledgePruneRequest> {
    let mut parts = ending.split(':');
    let (tenant, user, epoch) = (parts.next()?, parts.next()?, parts.next()?);
    let tenant: Uuid = tenant.parse().ok()?;
    let user_id = match user {
        "" => String::new(),
        user => user.parse::<Uuid>().ok()?.to_string(),
    };
    let epoch = epoch.parse().ok()?;
    Some(AcknowledgePruneRequest {
        tenant_id: tenant.to_string(),
        user_id,
        epoch,
        bucket: i32::from(bucket),
        pruned,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_are_read_as_the_script_writes_them() {
        let (tenant, user) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let read = request(3, &format!("{}:{}:55", tenant.simple(), user.simple()), 4).unwrap();
        assert_eq!((read.user_id, read.epoch, read.pruned), (user.to_string(), 55, 4));
        assert_eq!(request(3, &format!("{}::55", tenant.simple()), 0).unwrap().user_id, "");
        for wrong in [
            "",
            "x:y:1",
            "00000000000000000000000000000001:2",
            "00000000000000000000000000000001::x",
        ] {
            assert_eq!(request(3, wrong, 1), None, "{wrong}");
        }
    }
}
