//! Private PostgreSQL and Redis child processes, for running the whole system on one machine, for tests and for
//! benchmarks. They use the machine's own programs, listen on loopback only, keep their data in a folder of ours, and
//! never touch the system's own servers.
//!
//! Both programs refuse or dislike root, so root starts them as an unprivileged user ([`user`]), in a place that this
//! user can reach ([`place`]). They die with the process that started them ([`process`]); what a killed process left
//! behind is ended by the next start ([`leftover`]). [`test`] is what tests use.

pub mod leftover;
pub mod place;
pub mod port;
pub mod postgres;
pub mod process;
pub mod programs;
pub mod redis;
pub mod redis_cluster;
pub mod secret;
pub mod sentinel;
pub mod test;
pub mod user;

mod install;

pub use postgres::Postgres;
pub use process::Process;
pub use redis::Redis;
pub use redis_cluster::RedisCluster;
pub use sentinel::Sentinels;
