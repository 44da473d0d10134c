//! Brings the database to the schema of this version, while the version before serves from it.
//!
//! One process at a time migrates: sqlx takes an advisory lock. A statement that has to wait for a table makes all later
//! ones on that table wait behind it, so it waits for a moment only and is tried again. And a database that a later
//! version has migrated already is served as it is: that version's migrations leave what this one needs.

use std::time::Duration;

use anyhow::Context;
use runtime::Secret;
use sqlx::Executor;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::PgPoolOptions;

#[cfg(test)]
mod tests;

/// How long one attempt to reach the database may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a migration waits for a lock while requests queue behind it.
const WAIT_FOR_LOCK: &str = "SET lock_timeout = '500ms'";
/// In which they catch up.
const PAUSE: Duration = Duration::from_secs(1);
/// More than a minute of attempts.
const ATTEMPTS: usize = 45;

/// What PostgreSQL calls a lock that was not to be had in time, and a deadlock of which we were the victim.
const LOCKED: [&str; 2] = ["55P03", "40P01"];

/// Brings the database to the schema of this version, or leaves that of a later one. Safe to run from several processes at
/// once, and while others serve.
pub async fn migrate(database_url: &Secret) -> anyhow::Result<()> {
    let mut migrator = sqlx::migrate!();
    migrator.set_ignore_missing(true);
    run(&migrator, database_url).await
}

async fn run(migrator: &Migrator, database_url: &Secret) -> anyhow::Result<()> {
    for _ in 1..ATTEMPTS {
        match attempt(migrator, database_url).await? {
            Err(error) if is_locked(&error) => {
                tracing::warn!(%error, "a migration waits for others to let go of what it changes");
                tokio::time::sleep(PAUSE).await;
            }
            ended => return ended.context("the migrations failed"),
        }
    }
    attempt(migrator, database_url).await?.context("the migrations failed")
}

/// On a connection of its own: closed, it gives back the advisory lock that a failed migration leaves taken.
async fn attempt(migrator: &Migrator, database_url: &Secret) -> anyhow::Result<Result<(), MigrateError>> {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(CONNECT_TIMEOUT)
        .after_connect(|connection, _| {
            Box::pin(async move {
                connection.execute(WAIT_FOR_LOCK).await?;
                Ok(())
            })
        })
        .connect(database_url.expose())
        .await
        .context("cannot connect to PostgreSQL")?;
    let migrated = migrator.run(&pool).await;
    pool.close().await;
    Ok(migrated)
}

fn is_locked(error: &MigrateError) -> bool {
    let (MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) = error else {
        return false;
    };
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| LOCKED.contains(&&*code))
}
