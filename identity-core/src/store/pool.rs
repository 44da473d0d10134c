//! How connections are made. Every one of them gives up the owner's rights at once, by `SET ROLE`, and leads to a server
//! that may be written to: what a standby says may be long out of date.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, PgPool};

use super::Options;

/// A connection that was idle for longer is probed before use: PostgreSQL may have restarted. Under load none is, so that
/// no request pays for a probe.
const PROBED_AFTER_IDLE: Duration = Duration::from_secs(1);

/// Statements here touch few rows each: compiling one takes longer than running it.
const NO_JIT: &str = "SET jit = off";

/// As PostgreSQL shows our connections.
const NAME: &str = "portcullis identity-core";

/// A pool of at most `size` connections that runs everything as `role`, waits so long for a lock (0: as long as a statement
/// may run) and connects when first used.
pub(super) fn lazy(options: &Options, role: &'static str, size: u32, locks: Duration) -> Result<PgPool, sqlx::Error> {
    let connect: PgConnectOptions = options.url.expose().parse()?;
    Ok(settings(options, role, size, locks).connect_lazy_with(connect.application_name(NAME)))
}

fn settings(options: &Options, role: &'static str, size: u32, locks: Duration) -> PgPoolOptions {
    let (timeout, locks) = (options.statement_timeout.as_millis(), locks.as_millis());
    let setup = format!(
        "SET ROLE {role}; SET statement_timeout = {timeout}; SET lock_timeout = {locks}; SET idle_in_transaction_session_timeout = '15s'; SET TIME ZONE 'UTC'; {NO_JIT}"
    );
    PgPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(super::lane::ACQUIRE_TIMEOUT)
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
                refuse_standby(connection).await?;
                connection.execute(AssertSqlSafe(setup)).await?;
                Ok(())
            })
        })
}

/// A server in recovery answers with a past, in which access that ended may still stand.
async fn refuse_standby(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let standby: bool = sqlx::query_scalar("SELECT pg_is_in_recovery()")
        .persistent(false)
        .fetch_one(connection)
        .await?;
    if standby {
        let message = "this PostgreSQL is a standby; DATABASE_URL must lead to the primary";
        return Err(sqlx::Error::Configuration(message.into()));
    }
    Ok(())
}
