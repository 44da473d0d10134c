//! A tenant with 100,000 users is suspended: one row, 64 registers, and nobody else notices.

use std::time::{Duration, Instant};

use e2e::cluster::Options;
use e2e::{Cluster, Tenant};
use futures_util::future::join_all;
use identity_proto::access::{BUCKETS, buckets};
use identity_proto::identity::v1::{Access, GetAccessRequest, SuspendTenantRequest};
use serde_json::json;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::PLACE;
use crate::many_sessions::{connection, fill, keys};

const USERS: i32 = 100_000;
/// Of one bucket: users, and sessions of each.
const FILLED: (u32, u32) = (500, 2);
/// Accesses of another tenant that end meanwhile.
const OTHERS: usize = 20;
/// Within which all sessions are gone.
const PRUNED: Duration = Duration::from_mins(4);

/// What a suspension must not touch: epochs of users, and rows of the outbox but one.
const TOUCHED: &str = "SELECT (SELECT count(*) FROM outbox WHERE tenant_id = $1),
    (SELECT count(*) FROM user_access WHERE tenant_id = $1 AND (epoch, state) <> (1, 'active'))";

async fn make_users(database: &mut PgConnection, tenant: Uuid) {
    let users = "WITH made AS (
            INSERT INTO users (tenant_id, user_id, attributes, keys, created_at, last_modified_at)
            SELECT $1, gen_random_uuid(), one.document, one.document, now(), now()
            FROM (SELECT jsonb_build_object('userName', 'u' || n, 'active', true) AS document
                  FROM generate_series(1, $2) AS n) AS one
            RETURNING user_id
        )
        INSERT INTO user_access (tenant_id, user_id, epoch, state, changed_xid, changed_at)
        SELECT $1, made.user_id, 1, 'active', pg_current_xact_id(), now() FROM made";
    let made = sqlx::query(users).bind(tenant).bind(USERS).execute(database).await;
    assert_eq!(made.expect("users").rows_affected(), u64::from(USERS.unsigned_abs()));
}

async fn standing(tenant: &Tenant) -> Access {
    let request = GetAccessRequest {
        tenant_id: tenant.id.clone(),
        ..Default::default()
    };
    let access = tenant.grpc.access().get_access(request).await;
    access.expect("the core answers").into_inner()
}

/// Ends the access of so many users, one after the other; how long each session was still valid, the longest last.
async fn endings(tenant: &Tenant) -> Vec<Duration> {
    let off = json!([{"op": "replace", "value": {"active": false}}]);
    let mut taken = Vec::new();
    for _ in 0..OTHERS {
        let user = tenant.user().await;
        let session = tenant.log_in(&user).await.expect("a session");
        let answer = tenant.scim.patch(&format!("/Users/{user}"), &off).await;
        assert_eq!(answer.status, 200);
        taken.push(tenant.last_valid(&session, Instant::now()).await);
    }
    taken.sort();
    taken
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_with_100_000_users_is_suspended_by_one_row_and_64_registers() {
    let options = Options {
        cores: 1,
        sessions: 2,
        edges: 1,
        ..Options::default()
    };
    let cluster = Cluster::start(PLACE, options).await;
    let edge = cluster.edges[0].url();
    let make = || Tenant::create_at(cluster.grpc(), |token| cluster.scim(&edge, token));
    let (large, other) = (make().await, make().await);
    let id: Uuid = large.id.parse().expect("an id");
    let mut database = PgConnection::connect(&cluster.database_url).await.expect("PostgreSQL");
    make_users(&mut database, id).await;
    let mut redis = connection(&cluster.redis.url()).await;
    let epoch = standing(&large).await.epoch;
    for bucket in buckets() {
        fill(&mut redis, (id, epoch), bucket, FILLED).await;
    }
    let quiet = endings(&other).await;
    let before: (i64, i64) = sqlx::query_as(TOUCHED)
        .bind(id)
        .fetch_one(&mut database)
        .await
        .expect("counts");

    let request = SuspendTenantRequest {
        tenant: large.name.clone(),
    };
    let since = Instant::now();
    large.grpc.tenants().suspend_tenant(request).await.expect("suspended");
    let answered = since.elapsed();
    let meanwhile = endings(&other).await;

    let expect = i64::from(u32::from(BUCKETS) * FILLED.0 * FILLED.1);
    let still = keys(&mut redis, "*:s:*").await;
    let ended = loop {
        let now = standing(&large).await;
        if now.pruned >= expect {
            break now;
        }
        assert!(since.elapsed() < PRUNED, "{now:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    println!(
        "suspended in {answered:?}; {expect} sessions pruned after {:?}, {still} were left when the others had ended; E of \
         others before {:?} (longest {:?}), meanwhile {:?} (longest {:?})",
        since.elapsed(),
        quiet[OTHERS / 2],
        quiet[OTHERS - 1],
        meanwhile[OTHERS / 2],
        meanwhile[OTHERS - 1],
    );
    let after: (i64, i64) = sqlx::query_as(TOUCHED)
        .bind(id)
        .fetch_one(&mut database)
        .await
        .expect("counts");
    assert_eq!(after, (before.0 + 1, 0), "one row, whatever the tenant's size");
    let tenant = id.simple();
    let registers = format!("*:r:*:t:{tenant}");
    let moved = join_all(buckets().map(|bucket| {
        let mut redis = redis.clone();
        async move {
            let gen_key = format!("{}:gen", identity_proto::access::prefix(bucket));
            let generation: String = redis::cmd("GET")
                .arg(gen_key)
                .query_async(&mut redis)
                .await
                .expect("a generation");
            let register = format!("{}:r:{generation}:t:{tenant}", identity_proto::access::prefix(bucket));
            let value: String = redis::cmd("GET")
                .arg(register)
                .query_async(&mut redis)
                .await
                .expect("a register");
            value
        }
    }));
    let inactive = format!("{}:i", ended.epoch);
    assert!(
        moved.await.iter().all(|value| *value == inactive),
        "each bucket's register moved"
    );
    assert_eq!(keys(&mut redis, &registers).await, usize::from(BUCKETS));
    assert_eq!(
        keys(&mut redis, &format!("*:r:*:u:{tenant}:*")).await,
        0,
        "and no user's"
    );
    assert_eq!(
        (ended.pruned, keys(&mut redis, &format!("*:us:{tenant}:*")).await),
        (expect, 0)
    );
}
