//! Servers for tests: one PostgreSQL and one Redis for each test process, started when first asked for, gone with the
//! process. Nothing has to be set up by hand.
//!
//! ```no_run
//! # async fn example() {
//! use local_stack::test::{Postgres, Redis};
//!
//! let database = Postgres::shared().database("core", async |url| migrate(url).await).await;
//! let redis = Redis::shared().database();
//! # }
//! # async fn migrate(_url: &str) -> anyhow::Result<()> { Ok(()) }
//! ```
//!
//! These functions panic instead of returning errors: a test without its servers has failed.

pub(crate) mod folder;
mod postgres;
mod redis;

pub use postgres::Postgres;
pub use redis::{Redis, RedisCluster, Sentinels};
