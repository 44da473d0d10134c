//! Sessions in any number, written to Redis as the session service writes them, of users whom nobody made.

use std::time::Duration;

use identity_proto::access::prefix;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Script};
use uuid::Uuid;

/// As `create.lua` of the session service.
const FILL: &str = "local prefix, tenant = KEYS[1], ARGV[1]
    local expires = tonumber(ARGV[5])
    for number = tonumber(ARGV[2]), tonumber(ARGV[3]) do
      local user = string.format('%032x', number)
      local owner = tenant .. ':' .. user
      for turn = 1, tonumber(ARGV[4]) do
        local id = string.format('%032x%032x', number, turn)
        redis.call('HSET', prefix .. ':s:' .. id, 'te', ARGV[6], 'ue', '1', 'at', '1', 'exp', expires)
        redis.call('PEXPIREAT', prefix .. ':s:' .. id, expires)
        redis.call('ZADD', prefix .. ':us:' .. owner, turn, id)
      end
      redis.call('ZADD', prefix .. ':users', 0, owner)
    end";
/// Redis does nothing else while a script runs.
const AT_ONCE: u32 = 100;
const YEAR_2096_MS: &str = "4000000000000";

pub async fn connection(redis_url: &str) -> MultiplexedConnection {
    let client = redis::Client::open(redis_url).expect("a URL of Redis");
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(10)));
    let connection = client.get_multiplexed_async_connection_with_config(&config).await;
    connection.expect("Redis answers")
}

/// Makes so many users of the tenant in one bucket, each with so many sessions, under the tenant's epoch.
pub async fn fill(
    redis: &mut MultiplexedConnection,
    (tenant, epoch): (Uuid, i64),
    bucket: u8,
    (users, each): (u32, u32),
) {
    let script = Script::new(FILL);
    for from in (1..=users).step_by(AT_ONCE as usize) {
        let mut fill = script.key(prefix(bucket));
        let to = users.min(from + AT_ONCE - 1);
        fill.arg(tenant.simple().to_string())
            .arg(from)
            .arg(to)
            .arg(each)
            .arg(YEAR_2096_MS)
            .arg(epoch);
        let _: () = fill.invoke_async(redis).await.expect("sessions are written");
    }
}

/// Keys of this pattern.
pub async fn keys(redis: &mut MultiplexedConnection, pattern: &str) -> usize {
    let (mut cursor, mut found) = (0_u64, 0);
    loop {
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(10_000);
        let (next, keys): (u64, Vec<String>) = scan.query_async(redis).await.expect("Redis answers");
        found += keys.len();
        cursor = next;
        if cursor == 0 {
            return found;
        }
    }
}
