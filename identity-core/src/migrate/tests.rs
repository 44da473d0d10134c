//! Migrations beside others: other processes that migrate, and a version that serves.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use local_stack::test::Postgres;
use sqlx::migrate::{Migration, MigrationType};
use sqlx::{PgPool, SqlSafeStr};

use super::*;

async fn empty() -> Secret {
    Secret::new(Postgres::shared().database("empty", async |_| Ok(())).await)
}

/// This version's migrations and one more, as the next version would have them.
fn next_version(sql: &'static str) -> Migrator {
    let mut migrations = sqlx::migrate!().migrations.into_owned();
    let description = Cow::Borrowed("next");
    migrations.push(Migration::new(
        9_999,
        description,
        MigrationType::Simple,
        sql.into_sql_str(),
        false,
    ));
    Migrator::with_migrations(migrations)
}

async fn pool(url: &Secret) -> PgPool {
    PgPoolOptions::new()
        .max_connections(8)
        .after_connect(|connection, _| {
            Box::pin(async move {
                connection.execute("SET statement_timeout = '2s'").await?;
                Ok(())
            })
        })
        .connect(url.expose())
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn several_may_migrate_an_empty_database_at_once() {
    let url = empty().await;
    let migrating: Vec<_> = (0..6)
        .map(|_| {
            let url = url.clone();
            tokio::spawn(async move { migrate(&url).await })
        })
        .collect();
    for one in migrating {
        one.await.unwrap().unwrap();
    }
    let applied: i64 = sqlx::query_scalar("SELECT count(*) FROM _sqlx_migrations WHERE success")
        .fetch_one(&pool(&url).await)
        .await
        .unwrap();
    assert_eq!(usize::try_from(applied).unwrap(), sqlx::migrate!().iter().count());
}

/// A backup, or an administrator's open transaction, keeps a table from being changed. Whoever reads or writes it must not
/// wait for the migration that waits for that.
#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_waits_for_a_table_holds_up_nobody() {
    let url = empty().await;
    migrate(&url).await.unwrap();
    let pool = pool(&url).await;
    let mut holder = pool.begin().await.unwrap();
    sqlx::query("SELECT FROM users").execute(&mut *holder).await.unwrap();

    let migrating = tokio::spawn({
        let url = url.clone();
        async move { run(&next_version("ALTER TABLE users ADD COLUMN next text"), &url).await }
    });
    let stop = Arc::new(AtomicBool::new(false));
    let load: Vec<_> = (0..4)
        .map(|_| {
            let (pool, stop) = (pool.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut statements = 0;
                while !stop.load(Ordering::Relaxed) {
                    // Of no row, with the lock of one that changes rows.
                    sqlx::query("UPDATE users SET attributes = attributes WHERE false")
                        .execute(&pool)
                        .await?;
                    statements += 1;
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                Ok::<_, sqlx::Error>(statements)
            })
        })
        .collect();
    // Longer than a statement may take.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(!migrating.is_finished(), "the table is held");
    holder.rollback().await.unwrap();
    migrating.await.unwrap().unwrap();
    stop.store(true, Ordering::Relaxed);
    for one in load {
        let statements = one.await.unwrap().expect("no statement waits for the migration");
        assert!(statements > 0);
    }
    sqlx::query("SELECT next FROM users").execute(&pool).await.unwrap();
}

#[tokio::test]
async fn a_migration_that_fails_says_so_and_keeps_nobody_out() {
    let url = empty().await;
    let error = run(&next_version("SELECT no_such_column"), &url).await.unwrap_err();
    assert!(format!("{error:#}").contains("no_such_column"), "{error:#}");
    migrate(&url).await.unwrap();
}

#[tokio::test]
async fn what_a_later_version_has_migrated_is_left_as_it_is() {
    let url = empty().await;
    run(&next_version("CREATE TABLE of_the_next_version ()"), &url)
        .await
        .unwrap();
    migrate(&url).await.unwrap();
    let pool = pool(&url).await;
    sqlx::query("SELECT FROM of_the_next_version")
        .execute(&pool)
        .await
        .unwrap();
    // But not what was changed under its number.
    sqlx::query("UPDATE _sqlx_migrations SET checksum = ''::bytea WHERE version = 1")
        .execute(&pool)
        .await
        .unwrap();
    migrate(&url).await.unwrap_err();
}

/// The rows of `outbox` from before events were numbered, and one that the version before writes while this one is there.
#[tokio::test]
async fn events_from_before_they_were_numbered_get_their_numbers() {
    let url = empty().await;
    let mut migrations = sqlx::migrate!().migrations.into_owned();
    migrations.retain(|migration| migration.version < 5);
    run(&Migrator::with_migrations(migrations), &url).await.unwrap();
    let pool = pool(&url).await;
    let tenant = "INSERT INTO tenant (tenant_id, name) VALUES ('00000000-0000-0000-0000-000000000001', 'acme')";
    let write = "INSERT INTO outbox (tenant_id, event_id, kind, body)
        SELECT tenant_id, gen_random_uuid(), 'test', '' FROM tenant, generate_series(1, 1500)";
    for statement in [tenant, write] {
        sqlx::query(statement).execute(&pool).await.unwrap();
    }
    migrate(&url).await.unwrap();
    sqlx::query(write).execute(&pool).await.unwrap();
    let number = async || {
        let count: i64 = sqlx::query_scalar("SELECT number_events(1000)")
            .fetch_one(&pool)
            .await
            .unwrap();
        count
    };
    let numbered = [number().await, number().await, number().await, number().await];
    assert_eq!(numbered, [1_000, 1_000, 1_000, 0]);
    let in_order: (i64, bool) = sqlx::query_as(
        "SELECT count(*), bool_and(o.sequence = e.sequence)
         FROM (SELECT outbox_id, row_number() OVER (ORDER BY outbox_id) AS sequence FROM outbox) AS o
         JOIN event_sequence AS e USING (outbox_id)",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(in_order, (3_000, true));
}
