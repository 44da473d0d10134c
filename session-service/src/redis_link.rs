//! The way to Redis: one shared connection that comes back by itself, a short time-out, and a breaker, so that a Redis
//! that is gone costs each caller microseconds and not the time-out.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use identity_proto::access::LEASE_MS;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{FromRedisValue, Pipeline, RedisError, Script};

use crate::error::Error;
use crate::metrics;

/// How long Redis may take to answer a caller before it counts as down.
pub const CALLER: Duration = Duration::from_millis(250);
/// How long it may take for work that nobody waits for.
pub const BACKGROUND: Duration = Duration::from_secs(2);
/// How long after a failure callers are refused without a try.
const BREAK_MS: u64 = 100;

/// Clones share the connection, the breaker, and what is known of the process at the other end.
#[derive(Clone)]
pub struct RedisLink {
    connection: ConnectionManager,
    breaker: Arc<Breaker>,
    process: Arc<RedisProcess>,
    timeout: Duration,
}

struct Breaker {
    since: Instant,
    /// Milliseconds after `since` until which the breaker is open.
    open_until: AtomicU64,
}

/// Which Redis process answers. After a failure it may be another one: a replica that took over has the leases that the
/// master had, and not its last writes.
struct RedisProcess {
    run_id: Mutex<Option<String>>,
    /// Counts failures. The process is known if there was none since.
    failures: AtomicU64,
    known_after: AtomicU64,
    /// Until when (as the breaker counts) leases may be of the process before.
    inherits_until: AtomicU64,
}

impl RedisLink {
    /// A link that connects when first used. Fails only when the URL is wrong.
    pub fn new(client: redis::Client, timeout: Duration) -> Result<Self, RedisError> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(timeout))
            .set_response_timeout(Some(timeout))
            .set_number_of_retries(0)
            .set_min_delay(Duration::from_millis(50))
            .set_max_delay(Duration::from_millis(250));
        let connection = ConnectionManager::new_lazy_with_config(client, config)?;
        let breaker = Arc::new(Breaker {
            since: Instant::now(),
            open_until: AtomicU64::new(0),
        });
        Ok(RedisLink {
            connection,
            breaker,
            process: Arc::new(RedisProcess {
                run_id: Mutex::new(None),
                failures: AtomicU64::new(1),
                known_after: AtomicU64::new(0),
                inherits_until: AtomicU64::new(0),
            }),
            timeout,
        })
    }

    /// Runs a script on one bucket.
    pub async fn run<T: FromRedisValue>(&self, script: &Script, bucket: u8, arguments: &[&str]) -> Result<T, Error> {
        let mut invocation = script.key(identity_proto::access::prefix(bucket));
        for argument in arguments {
            invocation.arg(*argument);
        }
        let mut connection = self.connection.clone();
        self.guarded(async move { invocation.invoke_async(&mut connection).await })
            .await
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
        let mut connection = self.connection.clone();
        self.guarded(async move { script.load_async(&mut connection).await })
            .await?;
        let mut pipe = redis::pipe();
        for arguments in calls {
            pipe.cmd("EVALSHA")
                .arg(script.get_hash())
                .arg(1)
                .arg(identity_proto::access::prefix(bucket))
                .arg(arguments);
        }
        self.pipe(&pipe).await
    }

    /// Runs commands in one round trip.
    pub async fn pipe<T: FromRedisValue>(&self, pipe: &Pipeline) -> Result<T, Error> {
        let mut connection = self.connection.clone();
        self.guarded(async move { pipe.query_async(&mut connection).await })
            .await
    }

    /// Whether a lease that stands may have come from another process, which knew less than the registers that were refused by
    /// before. Such a lease lapses in time.
    pub async fn inherits_leases(&self) -> Result<bool, Error> {
        if self.is_unsure() {
            self.identify().await?;
        }
        Ok(self.breaker.now() < self.process.inherits_until.load(Ordering::Relaxed))
    }

    /// Whether something failed since the process was last known.
    pub fn is_unsure(&self) -> bool {
        self.process.failures.load(Ordering::Acquire) != self.process.known_after.load(Ordering::Acquire)
    }

    async fn identify(&self) -> Result<(), Error> {
        // Before it is asked: a failure meanwhile leaves it unsure.
        let failures = self.process.failures.load(Ordering::Acquire);
        let mut pipe = redis::pipe();
        pipe.cmd("INFO").arg("server");
        let (server,): (String,) = self.pipe(&pipe).await?;
        let run_id = server.lines().find_map(|line| line.strip_prefix("run_id:"));
        let run_id = run_id.unwrap_or_default().trim().to_owned();
        let mut known = self.process.run_id.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_ref().is_some_and(|before| *before != run_id) {
            tracing::warn!("Redis is another process: leases that it may have inherited are not believed");
            let until = self.breaker.now() + LEASE_MS;
            self.process.inherits_until.store(until, Ordering::Relaxed);
        }
        *known = Some(run_id);
        self.process.known_after.store(failures, Ordering::Release);
        Ok(())
    }

    async fn guarded<T>(&self, call: impl Future<Output = Result<T, RedisError>>) -> Result<T, Error> {
        if self.breaker.is_open() {
            metrics::redis_failed();
            return Err(Error::Down);
        }
        let answer = match tokio::time::timeout(2 * self.timeout, call).await {
            Ok(answer) => answer.map_err(Error::Redis),
            Err(_) => Err(Error::Down),
        };
        // Of a wrong kind of value only this one command fails: what comes behind it must not wait.
        let is_of_the_command =
            |error: &Error| matches!(error, Error::Redis(error) if error.code() == Some("WRONGTYPE"));
        if answer.as_ref().is_err_and(is_of_the_command) {
            metrics::redis_failed();
        } else if answer.is_err() {
            metrics::redis_failed();
            self.breaker.open();
            self.process.failures.fetch_add(1, Ordering::Release);
        }
        answer
    }
}

impl Breaker {
    fn now(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn is_open(&self) -> bool {
        self.now() < self.open_until.load(Ordering::Relaxed)
    }

    fn open(&self) {
        self.open_until.store(self.now() + BREAK_MS, Ordering::Relaxed);
    }
}
