//! Whether sessions can be validated: Redis answers, and either leases stand or the core can be asked.

use identity_proto::access::{BUCKETS, prefix};
use runtime::Standing;
use runtime::grpc::Channel;

use crate::redis_link::RedisLink;

/// One look. A bucket in which a change of access waits has no lease. Some masters of several may be away: the users of the
/// others are served.
pub(crate) async fn look(redis: RedisLink, core: Channel) -> Standing {
    let (mut reached, mut leased) = (false, 0);
    for process in redis.processes() {
        let mut pipe = redis::pipe();
        for bucket in process.buckets() {
            pipe.exists(format!("{}:lease", prefix(*bucket)));
        }
        if let Ok(leases) = process.pipe::<Vec<bool>>(&pipe).await {
            reached = true;
            leased += leases.into_iter().filter(|stands| *stands).count();
        }
    }
    match reached {
        false => Standing::NotReady("Redis cannot be reached"),
        true if leased == usize::from(BUCKETS) => Standing::Ready,
        true if runtime::health::serves(core).await => Standing::Ready,
        true => Standing::NotReady("leases are missing, and identity-core cannot be reached"),
    }
}
