//! Redis with Sentinels, and Redis Cluster: other servers under the same system, and what happens to them.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use e2e::cluster::Member;
use e2e::processes::{freeze, thaw};
use e2e::proxy::Way;
use local_stack::{Redis, RedisCluster, Sentinels, place, user};
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{Cmd, Pipeline, RedisFuture, Value};
use redis_topology::Topology;

use crate::acts;
use crate::fault::{Fault, SESSIONS_LOST, USUAL};
use crate::world::World;

/// What Redis the system has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A master and a replica that the campaign leads to.
    One,
    /// The same, and three Sentinels.
    Sentinel,
    /// Three masters, each with a replica.
    Cluster,
}

/// What a world has beside its master and replica, or instead of them.
pub enum Other {
    Sentinels(Sentinels),
    Cluster(RedisCluster),
}

/// Where their data are, in the world's folder.
pub const FOLDER: &str = "redis-kinds";

/// How long a replica may take to take over.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(20);

/// The node of the Cluster that is broken: a master.
const BROKEN: usize = 0;

pub const FAULTS: [Fault; 4] = [
    Fault {
        name: "redis-sentinel",
        what: "the master dies, and Sentinel gives its place to a replica without the last writes",
        seconds: (3, 5),
        inject: |world, _| Box::pin(replica_lags(world)),
        heal: |world, _| Box::pin(sentinels_fail_over(world)),
        expect: SESSIONS_LOST,
        on: Kind::Sentinel,
        ..USUAL
    },
    Fault {
        name: "redis-sentinel-frozen",
        what: "the master is frozen (SIGSTOP), Sentinel gives its place away, and it comes back",
        seconds: (6, 20),
        inject: |world, _| {
            freeze(world.redis.process().pid());
            acts::nothing_more()
        },
        heal: |world, _| Box::pin(thawed_beside_another(world)),
        expect: SESSIONS_LOST,
        on: Kind::Sentinel,
        ..USUAL
    },
    Fault {
        name: "redis-cluster-killed",
        what: "one of three masters of a Redis Cluster is killed, and its replica takes over",
        seconds: (6, 20),
        inject: |world, _| acts::now(broken(world, |node| Ok(node.process().kill().map(drop)?))),
        heal: |world, _| Box::pin(cluster_fails_over(world, Redis::start_again)),
        expect: SESSIONS_LOST,
        on: Kind::Cluster,
        ..USUAL
    },
    Fault {
        name: "redis-cluster-frozen",
        what: "one of three masters of a Redis Cluster is frozen (SIGSTOP), its replica takes over, and it comes back",
        seconds: (6, 20),
        inject: |world, _| {
            let frozen = |node: &mut Redis| {
                freeze(node.process().pid());
                Ok(())
            };
            acts::now(broken(world, frozen))
        },
        heal: |world, _| {
            let thawed = |node: &mut Redis| {
                thaw(node.process().pid());
                Ok(())
            };
            Box::pin(cluster_fails_over(world, thawed))
        },
        expect: SESSIONS_LOST,
        on: Kind::Cluster,
        ..USUAL
    },
];

/// A world on such a Redis.
pub async fn world(seed: u64, kind: Kind) -> Result<World> {
    let mut world = World::start(seed, None).await?;
    let folder = place::make(&world.folder.join(FOLDER), user::unprivileged()?)?;
    let other = match kind {
        Kind::One => return Ok(world),
        Kind::Sentinel => {
            let sentinels = Sentinels::start(&folder, &world.redis)?;
            until("the Sentinels find each other", || sentinels.know(1)).await?;
            Other::Sentinels(sentinels)
        }
        Kind::Cluster => Other::Cluster(RedisCluster::start(&folder)?),
    };
    let url = other.url();
    world.other = Some(other);
    let members: Vec<&mut Member> = world.cores.iter_mut().chain(&mut world.sessions).collect();
    for member in members {
        member.set("REDIS_URL", Some(&url));
        member.stop().await;
        member.start();
        member.ready().await;
    }
    Ok(world)
}

impl World {
    /// Whether it is on such a Redis, as it was at first.
    pub fn is_on(&self, kind: Kind) -> bool {
        kind == Kind::One && self.other.is_none()
    }
}

impl Other {
    fn url(&self) -> String {
        match self {
            Other::Sentinels(sentinels) => sentinels.url(),
            Other::Cluster(cluster) => cluster.url(),
        }
    }
}

fn cluster(world: &mut World) -> Result<&mut RedisCluster> {
    match &mut world.other {
        Some(Other::Cluster(cluster)) => Ok(cluster),
        _ => anyhow::bail!("this world has no Redis Cluster"),
    }
}

fn broken(world: &mut World, act: impl FnOnce(&mut Redis) -> Result<()>) -> Result<()> {
    act(&mut cluster(world)?.nodes[BROKEN])
}

/// Sentinel would lead the replica past the proxy, but not at once.
async fn replica_lags(world: &mut World) -> Result<()> {
    let through = format!("REPLICAOF 127.0.0.1 {}", world.to_master.port());
    ensure!(
        world.replica.ask(&through)?.starts_with("+OK"),
        "the replica does not follow"
    );
    let replica = &world.replica;
    until("the replica follows", || {
        Ok(replica.ask("INFO replication")?.contains("master_link_status:up"))
    })
    .await?;
    world.replica_is_up_to_date().await?;
    world.to_master.turn(Way::Swallow);
    Ok(())
}

async fn sentinels_fail_over(world: &mut World) -> Result<()> {
    world.redis.process().kill()?;
    taken_over(world).await?;
    world.replica.start_again()
}

async fn thawed_beside_another(world: &mut World) -> Result<()> {
    let pid = world.redis.process().pid();
    taken_over(world).await?;
    thaw(pid);
    Ok(())
}

/// Waits until the replica is the master, as which it is known from then on.
async fn taken_over(world: &mut World) -> Result<()> {
    let replica = &world.replica;
    until("the replica takes over", || Ok(replica.ask("ROLE")?.contains("master"))).await?;
    std::mem::swap(&mut world.redis, &mut world.replica);
    Ok(())
}

async fn cluster_fails_over(world: &mut World, back: impl FnOnce(&mut Redis) -> Result<()>) -> Result<()> {
    let cluster = cluster(world)?;
    let replica = &cluster.nodes[RedisCluster::partner(BROKEN)];
    until("the replica takes over", || Ok(replica.ask("ROLE")?.contains("master"))).await?;
    broken(world, back)
}

async fn until(what: &str, done: impl Fn() -> Result<bool>) -> Result<()> {
    let since = Instant::now();
    while !done()? {
        ensure!(since.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// Connections to the masters of this moment, past the proxies. A command goes to the one that holds its bucket.
pub struct Registers(Vec<(Vec<u8>, MultiplexedConnection)>);

impl Registers {
    pub async fn of(world: &World) -> Result<Self> {
        // Sentinels may not have noticed yet who is the master; the campaign knows.
        let url = match &world.other {
            Some(Other::Cluster(cluster)) => cluster.url(),
            _ => world.redis.url(),
        };
        let mut connections = Vec::new();
        for master in Topology::parse(&url)?.masters().await? {
            let connection = master.client.get_multiplexed_async_connection().await?;
            connections.push((master.buckets, connection));
        }
        ensure!(!connections.is_empty(), "no Redis master");
        Ok(Registers(connections))
    }

    /// The connection for a command as it is sent, by the `{b7}` that its first key begins with; the first for one without.
    fn route(&mut self, sent: &[u8]) -> &mut MultiplexedConnection {
        let text = String::from_utf8_lossy(sent);
        let bucket = text
            .split_once("{b")
            .and_then(|(_, rest)| rest.split_once('}')?.0.parse().ok());
        let at = self
            .0
            .iter()
            .position(|(held, _)| bucket.is_some_and(|bucket| held.contains(&bucket)));
        &mut self.0[at.unwrap_or(0)].1
    }
}

impl ConnectionLike for Registers {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        self.route(&command.get_packed_command()).req_packed_command(command)
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipe: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        let first = pipe.get_packed_pipeline();
        self.route(&first).req_packed_commands(pipe, offset, count)
    }

    fn get_db(&self) -> i64 {
        0
    }
}
