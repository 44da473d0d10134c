//! Whether sessions can be validated: Redis answers, and either a lease stands or the core can be asked.

use std::time::Duration;

use identity_proto::access::prefix;
use runtime::Standing;
use runtime::grpc::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::redis_link::RedisLink;

/// How long the core may take to say that it serves.
const PATIENCE: Duration = Duration::from_secs(1);
/// One look.
pub(crate) async fn look(redis: RedisLink, core: Channel) -> Standing {
    let mut pipe = redis::pipe();
    // The leases of all buckets are renewed together.
    pipe.exists(format!("{}:lease", prefix(0)));
    match redis.pipe::<(bool,)>(&pipe).await {
        Err(_) => Standing::NotReady("Redis cannot be reached"),
        Ok((true,)) => Standing::Ready,
        Ok((false,)) if core_serves(core).await => Standing::Ready,
        Ok((false,)) => Standing::NotReady("no lease stands, and identity-core cannot be reached"),
    }
}

async fn core_serves(core: Channel) -> bool {
    let mut core = HealthClient::new(core);
    let asked = tokio::time::timeout(PATIENCE, core.check(HealthCheckRequest::default())).await;
    asked.is_ok_and(|answer| answer.is_ok_and(|answer| answer.into_inner().status() == ServingStatus::Serving))
}
