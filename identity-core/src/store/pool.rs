//! How connections are made. Every one of them gives up the owner's rights at once, by `SET ROLE`.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, Executor, PgPool};

use super::Options;

/// How long a request waits for a connection before it is told that the database is unavailable.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);

/// A connection that was idle for longer is probed before use: PostgreSQL may have restarted. Under load none is, so that
/// no request pays for a probe.
const PROBED_AFTER_IDLE: Duration = Duration::from_secs(1);

/// A pool that runs everything as `role` and connects when first used.
pub(super) fn lazy(options: &Options, role: &'static str) -> Result<PgPool, sqlx::Error> {
    let connect: PgConnectOptions = options.url.expose().parse()?;
    let timeout = options.statement_timeout.as_millis();
    let setup = format!("SET ROLE {role}; SET statement_timeout = {timeout}; SET TIME ZONE 'UTC'");
    Ok(PgPoolOptions::new()
        .max_connections(options.pool_size)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .before_acquire(|connection, since| {
            Box::pin(async move {
                if since.idle_for > PROBED_AFTER_IDLE {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .after_connect(move |connection, _| {
            let setup = setup.clone();
            Box::pin(async move {
                connection.execute(AssertSqlSafe(setup)).await?;
                Ok(())
            })
        })
        .connect_lazy_with(connect.application_name("portcullis identity-core")))
}
