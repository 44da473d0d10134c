//! What PostgreSQL does of it: whose turn it is, and that one at a time does it.

use local_stack::test::Postgres;
use runtime::Secret;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use uuid::Uuid;

const BUSY: Uuid = Uuid::from_u128(1);
const QUIET: Uuid = Uuid::from_u128(2);

/// Two tenants, and no core that would number their events.
async fn database() -> PgPool {
    let migrate = async |url: &str| crate::migrate(&Secret::new(url)).await;
    let url = Postgres::shared().database("core", migrate).await;
    let pool = PgPoolOptions::new().max_connections(4).connect(&url).await.unwrap();
    for (tenant, name) in [(BUSY, "busy"), (QUIET, "quiet")] {
        sqlx::query("INSERT INTO tenant (tenant_id, name) VALUES ($1, $2)")
            .bind(tenant)
            .bind(name)
            .execute(&pool)
            .await
            .unwrap();
    }
    pool
}

async fn write(pool: &PgPool, tenant: Uuid, events: i32) {
    let statement = "INSERT INTO outbox (tenant_id, event_id, kind, body)
        SELECT $1, gen_random_uuid(), 'test', '' FROM generate_series(1, $2)";
    sqlx::query(statement)
        .bind(tenant)
        .bind(events)
        .execute(pool)
        .await
        .unwrap();
}

async fn number(pool: &PgPool, most: i64) -> i64 {
    sqlx::query_scalar("SELECT number_events($1)")
        .bind(most)
        .fetch_one(pool)
        .await
        .unwrap()
}

async fn last(pool: &PgPool, tenant: Uuid) -> Option<i64> {
    sqlx::query_scalar("SELECT last_sequence FROM event_stream WHERE tenant_id = $1")
        .bind(tenant)
        .fetch_optional(pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_tenant_with_many_events_keeps_no_other_waiting() {
    let pool = database().await;
    write(&pool, BUSY, 500).await;
    write(&pool, QUIET, 3).await;
    assert_eq!(number(&pool, 100).await, 53);
    assert_eq!((last(&pool, BUSY).await, last(&pool, QUIET).await), (Some(50), Some(3)));
    assert_eq!(number(&pool, 100).await, 100, "alone, it has all");
    while number(&pool, 100).await > 0 {}
    assert_eq!(last(&pool, BUSY).await, Some(500));
}

#[tokio::test]
async fn one_at_a_time_numbers() {
    let pool = database().await;
    write(&pool, BUSY, 2).await;
    let mut other = pool.begin().await.unwrap();
    sqlx::query("SELECT pg_advisory_xact_lock(event_lock())")
        .execute(&mut *other)
        .await
        .unwrap();
    assert_eq!(number(&pool, 100).await, 0, "another does");
    other.rollback().await.unwrap();
    assert_eq!(number(&pool, 100).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_that_number_at_once_number_each_event_once() {
    let pool = database().await;
    let numbering: Vec<_> = (0..3)
        .map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move {
                let mut numbered = 0;
                for _ in 0..100 {
                    numbered += number(&pool, 7).await;
                }
                numbered
            })
        })
        .collect();
    for _ in 0..20 {
        write(&pool, BUSY, 5).await;
        write(&pool, QUIET, 1).await;
    }
    let mut numbered = 0;
    for one in numbering {
        numbered += one.await.unwrap();
    }
    loop {
        match number(&pool, 100).await {
            0 => break,
            more => numbered += more,
        }
    }
    assert_eq!(numbered, 120);
    assert_eq!(
        (last(&pool, BUSY).await, last(&pool, QUIET).await),
        (Some(100), Some(20))
    );
    let in_order: bool = sqlx::query_scalar(
        "SELECT bool_and(place = sequence) FROM (
             SELECT sequence, row_number() OVER (PARTITION BY tenant_id ORDER BY outbox_id) AS place FROM event_sequence
         ) AS events",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert!(in_order);
}

/// The relay skips rows that are locked: an end of access would wait for whoever numbers.
#[tokio::test]
async fn numbering_and_the_rows_of_the_outbox_do_not_wait_for_each_other() {
    let pool = database().await;
    write(&pool, BUSY, 3).await;
    let claim = "SELECT count(*) FROM (SELECT FROM outbox FOR UPDATE SKIP LOCKED) AS claimed";
    let mut numbering = pool.begin().await.unwrap();
    let numbered: i64 = sqlx::query_scalar("SELECT number_events(100)")
        .fetch_one(&mut *numbering)
        .await
        .unwrap();
    assert_eq!(numbered, 3);
    let mut relay = pool.begin().await.unwrap();
    let claimed: i64 = sqlx::query_scalar(claim).fetch_one(&mut *relay).await.unwrap();
    assert_eq!(claimed, 3, "numbering locks none");
    numbering.rollback().await.unwrap();
    let numbered = tokio::time::timeout(std::time::Duration::from_secs(3), number(&pool, 100)).await;
    assert_eq!(numbered, Ok(3), "numbering waits for no lock");
    relay.rollback().await.unwrap();
}

/// How many rows PostgreSQL sends for a page.
async fn rows(pool: &PgPool, from: i64, bytes: i64) -> usize {
    let rows = sqlx::query(super::page::READ)
        .bind(BUSY)
        .bind(from)
        .bind("")
        .bind(1_000_i64)
        .bind(bytes)
        .bind(None::<Uuid>)
        .fetch_all(pool)
        .await
        .unwrap();
    rows.len()
}

#[tokio::test]
async fn postgresql_sends_no_more_than_a_page() {
    let pool = database().await;
    let access = "INSERT INTO tenant_access (tenant_id, epoch, state, changed_xid, changed_at)
        VALUES ($1, 1, 'active', pg_current_xact_id(), now())";
    sqlx::query(access).bind(BUSY).execute(&pool).await.unwrap();
    write(&pool, BUSY, 100).await;
    assert_eq!(number(&pool, 100).await, 100);
    let enlarge = "UPDATE outbox SET body = convert_to(repeat('x', 10000), 'UTF8')";
    sqlx::query(enlarge).execute(&pool).await.unwrap();
    assert_eq!(rows(&pool, 1, 99_999).await, 9);
    assert_eq!(rows(&pool, 1, 100_000).await, 10);
    assert_eq!(rows(&pool, 98, 100_000).await, 3, "there are no more");
    assert_eq!(rows(&pool, 1, 10).await, 1, "one it always may");
}

/// How often the nodes of a plan that read a table ran.
fn runs(plan: &serde_json::Value, table: &str) -> i64 {
    let below = plan["Plans"].as_array().into_iter().flatten();
    let mine = if plan["Relation Name"] == table {
        plan["Actual Loops"].as_i64().unwrap()
    } else {
        0
    };
    mine + below.map(|plan| runs(plan, table)).sum::<i64>()
}

#[tokio::test]
async fn what_was_pruned_is_looked_up_for_changes_of_access_alone() {
    let pool = database().await;
    let access = "INSERT INTO tenant_access (tenant_id, epoch, state, changed_xid, changed_at)
        VALUES ($1, 1, 'active', pg_current_xact_id(), now())";
    sqlx::query(access).bind(BUSY).execute(&pool).await.unwrap();
    write(&pool, BUSY, 100).await;
    number(&pool, 1_000).await;
    let check = async |expect: i64| {
        let explain = format!("EXPLAIN (ANALYZE, FORMAT JSON) {}", super::page::READ);
        let plan: serde_json::Value = sqlx::query_scalar(sqlx::AssertSqlSafe(explain))
            .bind(BUSY)
            .bind(1_i64)
            .bind("")
            .bind(1_000_i64)
            .bind(1_000_000_i64)
            .bind(None::<Uuid>)
            .fetch_one(&pool)
            .await
            .unwrap();
        assert_eq!(runs(&plan[0]["Plan"], "access_prune"), expect, "{plan:#}");
    };
    check(0).await;
    let some = "UPDATE outbox SET access_epoch = outbox_id, user_id = gen_random_uuid() WHERE outbox_id % 50 = 0";
    let changed = sqlx::query(some).execute(&pool).await.unwrap().rows_affected();
    // Which epoch was pruned next, and how much of it.
    check(2 * i64::try_from(changed).unwrap()).await;
}
