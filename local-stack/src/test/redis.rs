//! The test process's Redis, with a numbered database for each test.

use std::ops::{Deref, DerefMut};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::folder::RunFolder;
use crate::redis;

/// Enough for the tests of one process.
const DATABASES: u32 = 4_096;

/// A Redis server for tests.
#[derive(Debug)]
pub struct Redis {
    server: crate::Redis,
    next: AtomicU32,
    // After the server: dropped in this order.
    _folder: RunFolder,
}

impl Redis {
    /// This process's server, started by the first call. Not to be flushed or killed: others use it.
    pub fn shared() -> &'static Redis {
        static SHARED: LazyLock<Redis> = LazyLock::new(|| start(DATABASES, true));
        &SHARED
    }

    /// A server of the caller's own, for tests that flush, freeze, kill or restart it. It keeps its data on disk, as a
    /// real one does.
    pub fn start_fresh() -> Redis {
        start(1, false)
    }

    /// The URL of an empty numbered database that no other test has.
    pub fn database(&self) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        format!("{}/{number}", self.server.url())
    }
}

/// The server itself: `url`, `process`, `start_again`.
impl Deref for Redis {
    type Target = crate::Redis;

    fn deref(&self) -> &crate::Redis {
        &self.server
    }
}

impl DerefMut for Redis {
    fn deref_mut(&mut self) -> &mut crate::Redis {
        &mut self.server
    }
}

/// A Redis Cluster for tests, of the caller's own.
#[derive(Debug)]
pub struct RedisCluster {
    cluster: crate::RedisCluster,
    // After the servers: dropped in this order.
    _folder: RunFolder,
}

impl RedisCluster {
    /// Three masters, each with a replica.
    pub fn start_fresh() -> RedisCluster {
        let folder = RunFolder::new().expect("the folder of a test server must be made");
        RedisCluster {
            cluster: crate::RedisCluster::start(&folder.path).expect("a Redis Cluster for tests must start"),
            _folder: folder,
        }
    }
}

impl Deref for RedisCluster {
    type Target = crate::RedisCluster;

    fn deref(&self) -> &crate::RedisCluster {
        &self.cluster
    }
}

impl DerefMut for RedisCluster {
    fn deref_mut(&mut self) -> &mut crate::RedisCluster {
        &mut self.cluster
    }
}

/// A master, its replica, and the Sentinels that watch them, of the caller's own.
#[derive(Debug)]
pub struct Sentinels {
    pub sentinels: crate::Sentinels,
    pub master: Redis,
    pub replica: crate::Redis,
    // After the servers: dropped in this order.
    _folder: RunFolder,
}

impl Sentinels {
    /// Once they know of each other.
    pub fn start_fresh() -> Sentinels {
        let folder = RunFolder::new().expect("the folder of a test server must be made");
        let master = Redis::start_fresh();
        let options = redis::Options {
            replica_of: Some(master.as_master(master.port())),
            ..redis::Options::default()
        };
        let replica = crate::Redis::start(&folder.path.join("replica"), &options).expect("a replica must start");
        let sentinels = crate::Sentinels::start(&folder.path, &master).expect("Sentinels must start");
        let deadline = Instant::now() + Duration::from_secs(30);
        while !sentinels.know(1).expect("Sentinels must answer") {
            assert!(Instant::now() < deadline, "the Sentinels do not find each other");
            std::thread::sleep(Duration::from_millis(50));
        }
        Sentinels {
            sentinels,
            master,
            replica,
            _folder: folder,
        }
    }
}

fn start(databases: u32, throwaway: bool) -> Redis {
    let folder = RunFolder::new().expect("the folder of a test server must be made");
    let options = redis::Options {
        throwaway,
        databases,
        ..redis::Options::default()
    };
    Redis {
        server: crate::Redis::start(&folder.path, &options).expect("a Redis server for tests must start"),
        next: AtomicU32::new(0),
        _folder: folder,
    }
}
