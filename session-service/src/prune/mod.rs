//! Deletes sessions that are over, and tells the core how many: on each event from the core's relay, and in a sweep that
//! needs no event. Both are idempotent, and no safety rests on either.

mod acknowledge;
mod announcement;
mod consumer;
pub mod dead_letters;
mod sweep;

use std::sync::LazyLock;

use identity_proto::access::prefix;
use redis::Script;
use redis_topology::Topology;
use runtime::Shutdown;
use runtime::sabotage::script;

use crate::core_client::CoreClient;
use crate::error::Error;
use crate::redis_link::RedisLink;

pub(crate) static PRUNE: LazyLock<Script> =
    LazyLock::new(|| Script::new(script("prune.lua", include_str!("prune.lua"))));

/// How many users one round trip prunes. Redis does nothing else meanwhile: ten users of a hundred sessions take 4 ms.
const USERS_AT_ONCE: isize = 10;

/// What pruning works with.
#[derive(Clone)]
pub struct Prune {
    redis: RedisLink,
    core: CoreClient,
}

impl Prune {
    /// Starts the consumer, the sweep and the acknowledgements; they end with the shutdown.
    pub fn start(redis: RedisLink, core: CoreClient, topology: Topology, shutdown: &Shutdown) {
        let prune = Prune { redis, core };
        shutdown.spawn_endless("prune consumer", consumer::consume(prune.clone(), topology));
        shutdown.spawn_endless("prune sweep", sweep::sweep(prune.clone()));
        shutdown.spawn_endless("dead letters", dead_letters::count(prune.clone()));
        shutdown.spawn_endless("prune acknowledgements", acknowledge::acknowledge(prune));
    }

    /// Ends the sessions of one user below an epoch.
    async fn user(&self, bucket: u8, tenant: &str, user: &str, epoch: &str) -> Result<i64, Error> {
        self.redis.run(&PRUNE, bucket, &[tenant, user, epoch, ""]).await
    }

    /// Ends the sessions of a tenant in one bucket below an epoch, a few users at a time.
    async fn tenant(&self, bucket: u8, tenant: &str, epoch: &str) -> Result<i64, Error> {
        let index = format!("{}:users", prefix(bucket));
        let (mut from, end) = (format!("[{tenant}:"), format!("({tenant};"));
        let mut pruned = 0;
        loop {
            let mut pipe = redis::pipe();
            pipe.zrangebylex_limit(&index, &from, &end, 0, USERS_AT_ONCE);
            let (owners,): (Vec<String>,) = self.redis.pipe(bucket, &pipe).await?;
            pruned += self.users(bucket, &owners, epoch).await?;
            match owners.last() {
                Some(last) => from = format!("({last}"),
                None => break,
            }
        }
        // Of nobody's sessions: it notes that the bucket was gone through, also when there was nothing in it.
        Ok(pruned + self.redis.run::<i64>(&PRUNE, bucket, &[tenant, "", "", epoch]).await?)
    }

    /// Ends, for these `tenant:user`, what is below the tenant's epoch, or what the registers say is over if it is
    /// empty. One round trip.
    async fn users(&self, bucket: u8, owners: &[String], tenant_epoch: &str) -> Result<i64, Error> {
        let calls: Vec<[&str; 4]> = owners
            .iter()
            .filter_map(|owner| owner.split_once(':'))
            .map(|(tenant, user)| [tenant, user, "", tenant_epoch])
            .collect();
        let pruned: Vec<i64> = self.redis.run_each(&PRUNE, bucket, &calls).await?;
        Ok(pruned.iter().sum())
    }
}
