//! Which Redis masters there are, and which buckets each holds: one Redis, the master that Sentinel names, or the masters
//! of a Redis Cluster. [`links`] keeps a link to each of them.
//!
//! | `REDIS_URL` | means |
//! |---|---|
//! | `redis://[user:password@]host[:port][/db]` | this Redis holds all buckets |
//! | `redis+sentinel://[user:password@]host[:port],…/service[/db]` | the master that these Sentinels elected last does |
//! | `redis+cluster://[user:password@]host[:port],…` | each master holds the buckets of its slots; these nodes are asked |
//!
//! Sentinels have the same password as Redis, or none.

mod ask;
mod links;
#[cfg(test)]
mod tests;

use std::time::Duration;

use identity_proto::access::buckets;
use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisError};

pub use links::{Link, Links, Table, links};

/// How long each of several that are asked may take to answer. They are asked at once.
const PATIENCE: Duration = Duration::from_millis(250);

/// Where Redis is, as it was set. Clones are the same.
#[derive(Clone, Debug)]
pub struct Topology(Kind);

#[derive(Clone, Debug)]
enum Kind {
    One(ConnectionInfo),
    /// `node` is how to log in to the master; its address is found.
    Sentinel {
        sentinels: Vec<ConnectionInfo>,
        service: String,
        node: ConnectionInfo,
    },
    Cluster(Vec<ConnectionInfo>),
}

/// A master and the buckets that it holds.
#[derive(Clone, Debug)]
pub struct Master {
    pub client: Client,
    pub buckets: Vec<u8>,
    /// Of a Cluster, which takes no command over keys of two buckets.
    pub is_one_of_many: bool,
}

/// What is wrong with a `REDIS_URL`. Never shows it: it may hold a password.
#[derive(Debug, thiserror::Error)]
#[error(
    "this is no URL of the form redis://[user:password@]host[:port][/db], \
     redis+sentinel://[user:password@]host[:port],…/service[/db] or redis+cluster://[user:password@]host[:port],…"
)]
pub struct UrlError;

/// Why the masters are not known.
#[derive(Debug, thiserror::Error)]
pub enum Unknown {
    #[error("no Sentinel names a master")]
    Sentinels(#[source] Option<RedisError>),
    #[error("no node of the Redis Cluster says which masters there are")]
    Nodes(#[source] Option<RedisError>),
}

impl Topology {
    /// Reads a `REDIS_URL`. Nothing is asked yet.
    pub fn parse(url: &str) -> Result<Topology, UrlError> {
        let (scheme, rest) = url.split_once("://").ok_or(UrlError)?;
        let (login, rest) = match rest.rsplit_once('@') {
            Some((login, rest)) => (format!("{login}@"), rest),
            None => (String::new(), rest),
        };
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        // How a password is written in a URL is the library's to know.
        let at = |host: &str, db: &str| format!("redis://{login}{host}/{db}").into_connection_info();
        let all = |hosts: &str| hosts.split(',').map(|host| at(host, "")).collect::<Result<Vec<_>, _>>();
        let kind = match scheme {
            "redis" => Kind::One(url.into_connection_info().map_err(|_| UrlError)?),
            "redis+sentinel" => {
                let (service, db) = path.split_once('/').unwrap_or((path, ""));
                let sentinels = all(hosts).map_err(|_| UrlError)?;
                let node = at("to-be-found", db).map_err(|_| UrlError)?;
                Kind::Sentinel {
                    sentinels: (!service.is_empty()).then_some(sentinels).ok_or(UrlError)?,
                    service: service.to_owned(),
                    node,
                }
            }
            "redis+cluster" if path.is_empty() => Kind::Cluster(all(hosts).map_err(|_| UrlError)?),
            _ => return Err(UrlError),
        };
        Ok(Topology(kind))
    }

    /// The masters of this moment; one that no bucket is of is left out. A bucket that nobody holds is none's. Answers
    /// within twice [`PATIENCE`].
    pub async fn masters(&self) -> Result<Vec<Master>, Unknown> {
        match &self.0 {
            Kind::One(info) => Ok(vec![Master::of_all(info.clone())]),
            Kind::Sentinel {
                sentinels,
                service,
                node,
            } => {
                let address = ask::sentinels(sentinels, service).await.map_err(Unknown::Sentinels)?;
                Ok(vec![Master::of_all(node.clone().set_addr(address))])
            }
            Kind::Cluster(seeds) => ask::nodes(seeds).await.map_err(Unknown::Nodes),
        }
    }
}

impl Master {
    fn of_all(info: ConnectionInfo) -> Master {
        Master {
            client: client(info),
            buckets: buckets().collect(),
            is_one_of_many: false,
        }
    }

    /// Where it is.
    pub fn address(&self) -> &ConnectionAddr {
        self.client.get_connection_info().addr()
    }

    /// Whether it is where the other is, with the same buckets.
    pub fn is_still(&self, other: &Master) -> bool {
        self.address() == other.address() && self.buckets == other.buckets
    }
}

fn client(info: ConnectionInfo) -> Client {
    Client::open(info).expect("a connection's settings were read from a URL")
}
