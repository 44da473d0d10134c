//! The fences of the stores, held against a real PostgreSQL.

use std::time::Duration;

use runtime::Secret;
use sqlx::PgPool;
use uuid::Uuid;

use super::lane::Lane;
use super::{Mutation, Options, Shares, Store, TenantId, TenantStore};
use crate::outbox::Event;

const A: Uuid = Uuid::from_u128(0xa);
const B: Uuid = Uuid::from_u128(0xb);

struct Fixture {
    store: Store,
    owner: PgPool,
}

/// Two tenants with one user each.
async fn fixture(pool_size: u32) -> Fixture {
    let migrate = async |url: &str| crate::migrate(&Secret::new(url)).await;
    let url = local_stack::test::Postgres::shared().database("store", migrate).await;
    let owner = PgPool::connect(&url).await.unwrap();
    for (tenant, name) in [(A, "a"), (B, "b")] {
        sqlx::query("INSERT INTO tenant (tenant_id, name) VALUES ($1, $2)")
            .bind(tenant)
            .bind(name)
            .execute(&owner)
            .await
            .unwrap();
        let insert = "INSERT INTO users (tenant_id, user_id, attributes, keys, created_at, last_modified_at)
            VALUES ($1, $1, $2, $2, clock_timestamp(), clock_timestamp())";
        let document = serde_json::json!({"userName": name, "active": true});
        sqlx::query(insert)
            .bind(tenant)
            .bind(document)
            .execute(&owner)
            .await
            .unwrap();
    }
    let options = Options {
        url: Secret::new(url),
        pool_size,
        statement_timeout: Duration::from_secs(4),
    };
    Fixture {
        store: Store::new(&options).unwrap(),
        owner,
    }
}

impl Fixture {
    fn of(&self, tenant: Uuid) -> TenantStore {
        self.store.of(TenantId::authenticated(tenant))
    }
}

async fn names(store: &TenantStore, sql: &'static str) -> Vec<String> {
    let mut connection = store.read().await.unwrap();
    sqlx::query_scalar(sql).fetch_all(&mut *connection).await.unwrap()
}

#[tokio::test]
async fn a_store_sees_its_own_tenant_even_if_the_sql_names_another() {
    let fixture = fixture(1).await;
    // One connection serves both in turn: a setting of the one before would show.
    for _ in 0..3 {
        for (tenant, name) in [(A, "a"), (B, "b")] {
            let store = fixture.of(tenant);
            assert_eq!(names(&store, "SELECT user_name_key FROM users").await, [name]);
        }
        let of_b = "SELECT user_name_key FROM users WHERE tenant_id = '00000000-0000-0000-0000-00000000000b'";
        assert!(names(&fixture.of(A), of_b).await.is_empty());
    }
}

const RENAME: Mutation = Mutation::new(
    "change AS (UPDATE users SET version = 99 WHERE tenant_id = $9 RETURNING user_id, NULL::bigint AS access_epoch)",
    "SELECT user_id FROM change",
);

const SMUGGLE: Mutation = Mutation::new(
    "change AS (
        INSERT INTO users (tenant_id, user_id, attributes, keys, created_at, last_modified_at)
        VALUES ($9, $2, '{\"userName\": \"x\", \"active\": true}', '{\"userName\": \"x\"}', now(), now())
        RETURNING user_id, NULL::bigint AS access_epoch
    )",
    "SELECT user_id FROM change",
);

#[tokio::test]
async fn a_change_cannot_reach_another_tenant() {
    let fixture = fixture(2).await;
    let event = || Event::user_deleted(A, A);
    let changed: Option<(Uuid,)> = fixture
        .of(A)
        .change(&RENAME, event(), |bind| bind.bind(B))
        .await
        .unwrap();
    assert_eq!(changed, None);

    let smuggled: Result<Option<(Uuid,)>, _> = fixture.of(A).change(&SMUGGLE, event(), |bind| bind.bind(B)).await;
    let refused = smuggled.unwrap_err();
    assert!(refused.to_string().contains("row-level security"), "{refused}");
    let versions: Vec<i64> = sqlx::query_scalar("SELECT version FROM users")
        .fetch_all(&fixture.owner)
        .await
        .unwrap();
    assert_eq!(versions, [1, 1]);
}

#[tokio::test]
async fn a_reading_connection_cannot_write() {
    let fixture = fixture(1).await;
    let mut connection = fixture.of(A).read().await.unwrap();
    let refused = sqlx::query("DELETE FROM users")
        .execute(&mut *connection)
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("read-only transaction"), "{refused}");
}

#[tokio::test]
async fn the_tenant_role_sees_neither_tenants_nor_credentials() {
    let fixture = fixture(1).await;
    for sql in [
        "SELECT 1 FROM tenant",
        "SELECT 1 FROM credential",
        "SELECT 1 FROM access_bucket",
    ] {
        let mut connection = fixture.of(A).read().await.unwrap();
        let refused = sqlx::query(sql).execute(&mut *connection).await.unwrap_err();
        assert!(refused.to_string().contains("permission denied"), "{sql}: {refused}");
    }
}

#[tokio::test]
async fn the_system_role_cannot_write_users() {
    let fixture = fixture(1).await;
    let system = fixture.store.system();
    let refused = sqlx::query("UPDATE users SET version = 2")
        .execute(&mut *system.connection().await.unwrap())
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("permission denied"), "{refused}");
}

#[tokio::test]
async fn connections_that_died_while_idle_are_replaced_unnoticed() {
    let fixture = fixture(6).await;
    let store = fixture.of(A);
    let held = (
        store.read().await.unwrap(),
        store.read().await.unwrap(),
        store.read().await.unwrap(),
    );
    drop(held);
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name = 'portcullis identity-core' AND datname = current_database()";
    sqlx::query(kill).execute(&fixture.owner).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(names(&store, "SELECT user_name_key FROM users").await, ["a"]);
    store.begin().await.unwrap();
}

/// A new table of tenants' rows is behind row-level security, its owner too, or this fails.
#[tokio::test]
async fn every_table_with_a_tenant_is_fenced() {
    let fixture = fixture(2).await;
    let open: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
         WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace AND a.attname = 'tenant_id'
           AND has_table_privilege('portcullis_tenant', c.oid, 'SELECT, INSERT, UPDATE, DELETE')
           AND NOT (c.relrowsecurity AND c.relforcerowsecurity AND EXISTS (
               SELECT FROM pg_policy AS p WHERE p.polrelid = c.oid AND p.polroles = ARRAY['portcullis_tenant'::regrole::oid]
                 AND pg_get_expr(p.polqual, p.polrelid)
                     = '(tenant_id = (current_setting(''portcullis.tenant_id''::text))::uuid)'))",
    )
    .fetch_all(&fixture.owner)
    .await
    .unwrap();
    assert_eq!(open, Vec::<String>::new());
    let fenced: i64 = sqlx::query_scalar("SELECT count(DISTINCT polrelid) FROM pg_policy WHERE polname = 'of_tenant'")
        .fetch_one(&fixture.owner)
        .await
        .unwrap();
    assert!(fenced >= 12, "{fenced}");
}

/// Each gives up before a connection can be made, and one is made all the same.
#[tokio::test]
async fn connecting_outlives_who_asked_for_it() {
    const SLOW: Duration = Duration::from_millis(300);
    let url = local_stack::test::Postgres::shared()
        .database("slow", async |_: &str| Ok(()))
        .await;
    let options = sqlx::postgres::PgPoolOptions::new().after_connect(|_, _| {
        Box::pin(async {
            tokio::time::sleep(SLOW).await;
            Ok(())
        })
    });
    let lane = Lane::new("slow", options.connect_lazy(&url).unwrap(), Shares::of(1), SLOW);
    let mut tries = 0;
    while tokio::time::timeout(SLOW / 3, lane.connection()).await.is_err() {
        tries += 1;
        assert!(
            tries < 50,
            "nobody waited for long enough, so no connection was ever made"
        );
    }
    assert!(tries > 0, "it was not slow");
}

/// One tenant's crowd: those for whom there is a place wait, and the next one is refused at once. Others do not notice, nor do
/// ends of access.
#[tokio::test]
async fn who_comes_when_too_many_wait_is_refused_at_once() {
    let fixture = fixture(2).await;
    let (a, b) = (fixture.of(A), fixture.of(B));
    let _held = a.read().await.unwrap();
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..super::WAITING {
        let a = a.clone();
        waiting.spawn(async move { a.read().await.map(drop) });
    }
    tokio::task::yield_now().await;
    let refused = async { a.read().await.map(drop) };
    let refused = tokio::time::timeout(super::lane::ACQUIRE_TIMEOUT / 2, refused).await;
    let refused = refused.expect("at once").expect_err("every place is taken");
    assert!(refused.retryable(), "{refused:?}");
    assert!(waiting.try_join_next().is_none(), "those who came before still wait");
    b.read().await.expect("another tenant has its own share");
    let ends = fixture.store.access_of(TenantId::authenticated(A));
    ends.read().await.expect("ends of access have their own lane");
}
