//! Whether this process can serve. At first that means all of it: leases stand in all buckets, without which no session can be
//! created. A process that was ready once stays so while sessions can be validated, by the leases or by asking the core: a
//! change of access that waits keeps leases back, and nobody is to be refused for that.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use identity_proto::access::{BUCKETS, prefix};
use runtime::Standing;
use runtime::grpc::Channel;

use crate::redis_link::RedisLink;

/// After this long a new process is ready without all leases: where something holds them back for longer, those who validate
/// must not lose their processes one after the other as they are restarted.
const LEASES_WITHIN: Duration = Duration::from_secs(10);

/// What is looked at, and what was seen before.
pub(crate) struct Needs {
    redis: RedisLink,
    core: Channel,
    since: Instant,
    was_ready: AtomicBool,
}

impl Needs {
    pub(crate) fn new(redis: RedisLink, core: Channel) -> Self {
        Needs {
            redis,
            core,
            since: Instant::now(),
            was_ready: AtomicBool::new(false),
        }
    }

    /// One look. A bucket in which a change of access waits has no lease. Some masters of several may be away: the users of
    /// the others are served.
    pub(crate) async fn look(&self) -> Standing {
        let (mut reached, mut leased) = (false, 0);
        for process in self.redis.processes() {
            let mut pipe = redis::pipe();
            for bucket in process.buckets() {
                pipe.exists(format!("{}:lease", prefix(*bucket)));
            }
            if let Ok(leases) = process.pipe::<Vec<bool>>(&pipe).await {
                reached = true;
                leased += leases.into_iter().filter(|stands| *stands).count();
            }
        }
        let may_ask = self.was_ready.load(Ordering::Relaxed) || self.since.elapsed() > LEASES_WITHIN;
        let standing = match reached {
            false => Standing::NotReady("Redis cannot be reached"),
            true if leased == usize::from(BUCKETS) => Standing::Ready,
            true if !may_ask => Standing::NotReady("leases are yet to come from identity-core"),
            true if runtime::health::serves(self.core.clone()).await => Standing::Ready,
            true => Standing::NotReady("leases are missing, and identity-core cannot be reached"),
        };
        if standing == Standing::Ready {
            self.was_ready.store(true, Ordering::Relaxed);
        }
        standing
    }
}
