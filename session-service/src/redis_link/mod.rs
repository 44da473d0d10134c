//! The way to Redis: a connection to each master, with a short time-out and a breaker, so that a Redis that is gone costs each
//! caller microseconds and not the time-out. A connection that failed is over, and another is made in the background.

mod breaker;
mod holders;

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use identity_proto::access::{LEASE_MS, prefix};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, FromRedisValue, Pipeline, RedisError, Script, ServerErrorKind, Value};
use redis_topology::{Links, Master, Topology};
use runtime::Shutdown;
use tokio_util::sync::CancellationToken;

use self::breaker::{Breaker, Failure};
use self::holders::{Holders, OwnLeases};
use crate::error::Error;
use crate::metrics;

/// How long Redis may take to answer a caller before it counts as down.
pub const CALLER: Duration = Duration::from_millis(250);
/// How long it may take for work that nobody waits for.
pub const BACKGROUND: Duration = Duration::from_secs(2);
/// How long it may take to let anybody in.
const CONNECT: Duration = Duration::from_millis(250);

/// How long a lease may have left to be believed (ms). One that has longer was granted by another clock than the one that it is
/// judged by.
pub static LONGEST_LEASE: LazyLock<String> = LazyLock::new(|| LEASE_MS.to_string());

/// The processes that hold the buckets. Clones share the connections.
#[derive(Clone)]
pub struct RedisLink(Links<Process>);

/// A connection to one Redis process. It never reconnects, so all that it answers is this process's.
pub struct Process {
    connection: MultiplexedConnection,
    buckets: Vec<u8>,
    /// By bucket: from when on leases are its own.
    own_leases: OwnLeases,
    breaker: Breaker,
    over: CancellationToken,
}

impl RedisLink {
    /// Links that come and go until the shutdown; none is there yet.
    pub fn start(topology: Topology, timeout: Duration, shutdown: &Shutdown) -> Self {
        let holders = Arc::new(Holders::default());
        let connect = move |master| Process::connect(master, timeout, holders.clone());
        let (links, linking) = redis_topology::links(topology, connect);
        shutdown.spawn_endless("links to Redis", linking);
        RedisLink(links)
    }

    /// The process that holds a bucket.
    pub fn holder(&self, bucket: u8) -> Result<Arc<Process>, Error> {
        let holder = self.0.of(bucket).filter(|holder| !holder.breaker.is_open());
        holder.ok_or_else(|| {
            metrics::redis_failed();
            Error::Down
        })
    }

    /// Waits until every bucket can be reached.
    pub async fn whole(&self) {
        let mut links = self.0.clone();
        while !links.now().is_whole() {
            links.changed().await;
        }
    }

    /// All processes that can be reached.
    pub fn processes(&self) -> Vec<Arc<Process>> {
        self.0.now().all()
    }

    /// Runs a script on one bucket.
    pub async fn run<T: FromRedisValue>(&self, script: &Script, bucket: u8, arguments: &[&str]) -> Result<T, Error> {
        self.holder(bucket)?.run(script, bucket, arguments).await
    }

    /// Runs a script on one bucket for each list of arguments, all in one round trip after making sure that it is loaded.
    pub async fn run_each<T: FromRedisValue>(
        &self,
        script: &Script,
        bucket: u8,
        calls: &[[&str; 4]],
    ) -> Result<Vec<T>, Error> {
        if calls.is_empty() {
            return Ok(Vec::new());
        }
        let holder = self.holder(bucket)?;
        let mut connection = holder.connection.clone();
        holder
            .guarded(async move { script.load_async(&mut connection).await })
            .await?;
        let mut pipe = redis::pipe();
        for arguments in calls {
            pipe.cmd("EVALSHA")
                .arg(script.get_hash())
                .arg(1)
                .arg(prefix(bucket))
                .arg(arguments);
        }
        holder.pipe(&pipe).await
    }

    /// Runs commands on one bucket in one round trip.
    pub async fn pipe<T: FromRedisValue>(&self, bucket: u8, pipe: &Pipeline) -> Result<T, Error> {
        self.holder(bucket)?.pipe(pipe).await
    }
}

impl Process {
    async fn connect(master: Master, timeout: Duration, holders: Arc<Holders>) -> Result<Self, Error> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(timeout));
        let connecting = async {
            let mut connection = master
                .client
                .get_multiplexed_async_connection_with_config(&config)
                .await?;
            let mut pipe = redis::pipe();
            pipe.cmd("INFO").arg("server").cmd("INFO").arg("replication");
            let (server, replication): (String, String) = pipe.query_async(&mut connection).await?;
            Ok::<_, RedisError>((connection, server, replication))
        };
        let (connection, server, replication) = tokio::time::timeout(2 * CONNECT, connecting)
            .await
            .map_err(|_| Error::Down)??;
        if !replication.lines().any(|line| line == "role:master") {
            return Err(Error::Down);
        }
        let run_id = server.lines().find_map(|line| line.strip_prefix("run_id:"));
        Ok(Process {
            connection,
            own_leases: holders.now_is(run_id.unwrap_or_default().trim(), &master.buckets),
            buckets: master.buckets,
            breaker: Breaker::new(),
            over: CancellationToken::new(),
        })
    }

    /// How long a lease may have left to be believed (ms). None is while it may have come from another process, with registers
    /// behind those that were refused by before: such a lease lapses in time.
    pub fn longest_lease(&self, bucket: u8) -> &'static str {
        if Instant::now() < self.own_leases[usize::from(bucket)] {
            "0"
        } else {
            &LONGEST_LEASE
        }
    }

    /// The buckets that it holds.
    pub fn buckets(&self) -> &[u8] {
        &self.buckets
    }

    /// Runs a script on one of its buckets.
    pub async fn run<T: FromRedisValue>(&self, script: &Script, bucket: u8, arguments: &[&str]) -> Result<T, Error> {
        let size: usize = arguments.iter().map(|argument| argument.len()).sum();
        let mut call = Cmd::with_capacity(4 + arguments.len(), 64 + size);
        call.arg("EVALSHA")
            .arg(script.get_hash())
            .arg(1)
            .arg(prefix(bucket))
            .arg(arguments);
        let mut connection = self.connection.clone();
        self.guarded(async move {
            let mut answer = connection.send_packed_command(&call).await?;
            if matches!(&answer, Value::ServerError(error) if error.kind() == Some(ServerErrorKind::NoScript)) {
                // Rare, and far larger than the rest.
                answer = Box::pin(async {
                    script.load_async(&mut connection).await?;
                    connection.send_packed_command(&call).await
                })
                .await?;
            }
            Ok(redis::from_redis_value(answer.extract_error()?)?)
        })
        .await
    }

    /// Runs commands in one round trip.
    pub async fn pipe<T: FromRedisValue>(&self, pipe: &Pipeline) -> Result<T, Error> {
        let mut connection = self.connection.clone();
        self.guarded(async move { pipe.query_async(&mut connection).await })
            .await
    }

    /// Each command has the connection's time-out.
    async fn guarded<T>(&self, call: impl Future<Output = Result<T, RedisError>>) -> Result<T, Error> {
        let answer = call.await.map_err(Error::Redis);
        match &answer {
            Ok(_) => self.breaker.close(),
            Err(error) => {
                metrics::redis_failed();
                let is_over = match Failure::of(error) {
                    Failure::Command => false,
                    Failure::Late => self.breaker.opens_for_good(),
                    Failure::Link => true,
                };
                if is_over {
                    self.over.cancel();
                }
            }
        }
        answer
    }
}

impl redis_topology::Link for Process {
    fn over(&self) -> &CancellationToken {
        &self.over
    }
}
