//! How connections are made. Every one of them gives up the owner's rights at once, by `SET ROLE`.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Executor, PgPool};

use super::Options;
use crate::Error;

/// How long a request waits for a connection before it is told that the database is unavailable.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);

/// A pool that runs everything as `role` and connects when first used. Connections are not probed before use, which
/// would cost each request a round trip: a dead one shows itself by its first statement.
pub(super) fn lazy(options: &Options, role: &'static str) -> Result<PgPool, Error> {
    let connect: PgConnectOptions = options.url.expose().parse().map_err(Error::internal)?;
    let timeout = options.statement_timeout.as_millis();
    let setup = format!("SET ROLE {role}; SET statement_timeout = {timeout}; SET TIME ZONE 'UTC'");
    Ok(PgPoolOptions::new()
        .max_connections(options.pool_size)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            let setup = setup.clone();
            Box::pin(async move {
                connection.execute(AssertSqlSafe(setup)).await?;
                Ok(())
            })
        })
        .connect_lazy_with(connect.application_name("portcullis identity-core")))
}
