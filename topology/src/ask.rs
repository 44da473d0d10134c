//! Asks Sentinels and the nodes of a Cluster. All are asked at once and the best answer counts: one that was cut off
//! believes what was true before.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use identity_proto::access::{buckets, prefix};
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, FromRedisValue, RedisConnectionInfo, RedisError,
    Value,
};

use crate::{Master, PATIENCE, client};

type Why = Option<RedisError>;

type Address = (String, u16);

/// The master of the latest election that a Sentinel knows of; of several, the one that most name.
pub(crate) async fn sentinels(sentinels: &[ConnectionInfo], service: &str) -> Result<ConnectionAddr, Why> {
    let answers = join_all(sentinels.iter().map(|one| within(ask_sentinel(one, service)))).await;
    let (mut named, mut why): (Vec<(u64, Address)>, Why) = Default::default();
    for answer in answers {
        match answer {
            Ok(answer) => named.extend(answer),
            Err(error) => why = Some(error),
        }
    }
    latest(named)
        .map(|(host, port)| ConnectionAddr::Tcp(host, port))
        .ok_or(why)
}

/// By what each names, with the epoch of the election that it was in.
pub(crate) fn latest(named: Vec<(u64, Address)>) -> Option<Address> {
    let mut votes: BTreeMap<(u64, Address), usize> = BTreeMap::new();
    for one in named {
        *votes.entry(one).or_default() += 1;
    }
    let best = votes.into_iter().max_by_key(|((epoch, _), count)| (*epoch, *count));
    best.map(|((_, address), _)| address)
}

pub(crate) async fn ask_sentinel(
    sentinel: &ConnectionInfo,
    service: &str,
) -> Result<Option<(u64, Address)>, RedisError> {
    let mut connection = match connect(sentinel.clone()).await {
        // One without a password refuses to be told any.
        Err(error) if !error.is_io_error() => {
            connect(sentinel.clone().set_redis_settings(RedisConnectionInfo::default())).await?
        }
        connected => connected?,
    };
    let mut ask = redis::cmd("SENTINEL");
    ask.arg("GET-MASTER-ADDR-BY-NAME").arg(service);
    let Some(address) = ask.query_async(&mut connection).await? else {
        return Ok(None);
    };
    let mut ask = redis::cmd("SENTINEL");
    let master: BTreeMap<String, String> = ask.arg("MASTER").arg(service).query_async(&mut connection).await?;
    let epoch = master.get("config-epoch").and_then(|epoch| epoch.parse().ok());
    Ok(Some((epoch.unwrap_or(0), address)))
}

/// The masters, by the node that has seen the latest election. What a node believes that does not reach most masters, or that
/// knows of no slots, counts for nothing.
pub(crate) async fn nodes(seeds: &[ConnectionInfo]) -> Result<Vec<Master>, Why> {
    let answers = join_all(seeds.iter().map(|seed| within(ask_node(seed)))).await;
    let (mut best, mut why): (Option<View>, Why) = (None, None);
    for answer in answers {
        match answer {
            Ok(Some(view)) if best.as_ref().is_none_or(|best| view.epoch > best.epoch) => best = Some(view),
            Ok(_) => {}
            Err(error) => why = Some(error),
        }
    }
    best.map(|view| view.masters).ok_or(why)
}

/// What one node believes.
struct View {
    /// Of the latest election that it knows of.
    epoch: u64,
    masters: Vec<Master>,
}

async fn ask_node(seed: &ConnectionInfo) -> Result<Option<View>, RedisError> {
    let mut pipe = redis::pipe();
    pipe.cmd("CLUSTER").arg("INFO").cmd("CLUSTER").arg("SLOTS");
    for bucket in buckets() {
        pipe.cmd("CLUSTER").arg("KEYSLOT").arg(prefix(bucket));
    }
    let mut answers: Vec<Value> = pipe.query_async(&mut connect(seed.clone()).await?).await?;
    let slots = answers.split_off(2);
    let [info, ranges] = answers.try_into().unwrap_or_default();
    let info = String::from_redis_value(info)?;
    let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name));
    let epoch = field("cluster_current_epoch:").and_then(|epoch| epoch.trim().parse().ok());
    let slots: Vec<u16> = Vec::from_redis_value(Value::Array(slots))?;
    let masters = masters(seed, ranges, &slots)?;
    let knows = field("cluster_state:ok").is_some() && !masters.is_empty();
    Ok(knows.then_some(View {
        epoch: epoch.unwrap_or(0),
        masters,
    }))
}

/// `ranges` is what CLUSTER SLOTS answers: first slot, last slot, the master as host, port and more, then its replicas.
/// `slots` has each bucket's slot.
fn masters(seed: &ConnectionInfo, ranges: Value, slots: &[u16]) -> Result<Vec<Master>, RedisError> {
    let mut found: BTreeMap<(String, u16), Vec<u8>> = BTreeMap::new();
    for range in Vec::<Vec<Value>>::from_redis_value(ranges)? {
        let [first, last, Value::Array(master), ..] = range.as_slice() else {
            continue;
        };
        let [host, port, ..] = master.as_slice() else { continue };
        let of = u16::from_redis_value_ref(first)?..=u16::from_redis_value_ref(last)?;
        let held = buckets().zip(slots).filter(|(_, slot)| of.contains(slot));
        let host = Option::<String>::from_redis_value_ref(host)?.filter(|host| !host.is_empty());
        // A node that does not know its own name is where it was asked.
        let host = host.unwrap_or_else(|| match seed.addr() {
            ConnectionAddr::Tcp(host, _) => host.clone(),
            other => other.to_string(),
        });
        let address = (host, u16::from_redis_value_ref(port)?);
        found.entry(address).or_default().extend(held.map(|(bucket, _)| bucket));
    }
    let master = |((host, port), mut held): ((String, u16), Vec<u8>)| {
        held.sort_unstable();
        Master {
            client: client(seed.clone().set_addr(ConnectionAddr::Tcp(host, port))),
            buckets: held,
            is_one_of_many: true,
        }
    };
    Ok(found
        .into_iter()
        .filter(|(_, held)| !held.is_empty())
        .map(master)
        .collect())
}

async fn connect(info: ConnectionInfo) -> Result<MultiplexedConnection, RedisError> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE));
    Client::open(info)?
        .get_multiplexed_async_connection_with_config(&config)
        .await
}

/// Names and addresses are looked up by the system, which may take its time.
async fn within<T>(asking: impl Future<Output = Result<T, RedisError>>) -> Result<T, RedisError> {
    const ALL: Duration = PATIENCE.saturating_mul(2);
    tokio::time::timeout(ALL, asking)
        .await
        .unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()))
}
