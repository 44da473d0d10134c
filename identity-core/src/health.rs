//! Whether this core can serve: once the database has this version's schema, and for as long as it can be reached.
//! Requests are answered all the while, if need be by UNAVAILABLE. Redis is not asked for: SCIM goes on without it.

use std::time::Duration;

use runtime::{Health, Secret, Standing};

use crate::error::{Error, database};
use crate::migrate;
use crate::store::SystemStore;

/// The wait between two attempts to prepare the database.
const EVERY: Duration = Duration::from_secs(2);
/// How long one look may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Prepares the database and then watches it, for ever.
pub(crate) async fn keep(health: Health, url: Secret, system: SystemStore) {
    while let Err(error) = migrate(&url).await {
        tracing::warn!(
            error = format!("{error:#}"),
            "the database is not ready yet; trying again"
        );
        health.set(Standing::NotReady("the database cannot be prepared; the log says why"));
        tokio::time::sleep(EVERY).await;
    }
    tracing::info!("the database has this version's schema");
    health.keep(|| look(&system)).await;
}

async fn look(system: &SystemStore) -> Standing {
    match tokio::time::timeout(PATIENCE, reach(system)).await {
        Ok(Ok(())) => Standing::Ready,
        _ => Standing::NotReady("PostgreSQL cannot be reached"),
    }
}

async fn reach(system: &SystemStore) -> Result<(), Error> {
    let mut connection = system.connection().await?;
    sqlx::query("SELECT")
        .execute(&mut *connection)
        .await
        .map_err(database)?;
    Ok(())
}
