//! Whether sessions can be validated: Redis answers, and either leases stand or the core can be asked.

use identity_proto::access::{buckets, prefix};
use runtime::Standing;
use runtime::grpc::Channel;

use crate::redis_link::RedisLink;

/// One look. A bucket in which a change of access waits has no lease.
pub(crate) async fn look(redis: RedisLink, core: Channel) -> Standing {
    let mut pipe = redis::pipe();
    for bucket in buckets() {
        pipe.exists(format!("{}:lease", prefix(bucket)));
    }
    match redis.pipe::<Vec<bool>>(&pipe).await {
        Err(_) => Standing::NotReady("Redis cannot be reached"),
        Ok(leases) if leases.iter().all(|stands| *stands) => Standing::Ready,
        Ok(_) if runtime::health::serves(core).await => Standing::Ready,
        Ok(_) => Standing::NotReady("leases are missing, and identity-core cannot be reached"),
    }
}
