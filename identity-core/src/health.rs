//! Whether this core can serve: once the database has this version's schema, and for as long as it can be reached.
//! Orchestrators ask by the gRPC health protocol, whose overall status this keeps. Requests are answered all the while,
//! if need be by UNAVAILABLE.

use std::time::Duration;

use runtime::{Secret, Shutdown};
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::error::{Error, database};
use crate::migrate;
use crate::store::SystemStore;

/// The wait between two attempts to reach the database.
const EVERY: Duration = Duration::from_secs(2);
/// How long one look may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// One failure may be a moment of load; so many in turn are no moment.
const FAILURES: u32 = 2;

/// The whole process, in the health protocol.
const OVERALL: &str = "";

/// Says that nothing is served yet.
pub(crate) async fn reporter() -> HealthReporter {
    let reporter = HealthReporter::new();
    reporter.set_service_status(OVERALL, ServingStatus::NotServing).await;
    reporter
}

/// Prepares the database and then watches it, until shutdown. Streams that watch the health end then, so that they keep
/// no connection open.
pub(crate) async fn keep(mut reporter: HealthReporter, url: Secret, system: SystemStore, shutdown: Shutdown) {
    tokio::select! {
        () = shutdown.requested() => {}
        () = async {
            prepare(&url).await;
            watch(&reporter, &system).await;
        } => {}
    }
    reporter.set_service_status(OVERALL, ServingStatus::NotServing).await;
    reporter.clear_service_status(OVERALL).await;
}

/// Brings the database to this version's schema, trying again until it can be reached.
async fn prepare(url: &Secret) {
    while let Err(error) = migrate(url).await {
        tracing::warn!(
            error = format!("{error:#}"),
            "the database is not ready yet; trying again"
        );
        tokio::time::sleep(EVERY).await;
    }
    tracing::info!("the database has this version's schema");
}

async fn watch(reporter: &HealthReporter, system: &SystemStore) {
    let mut failures = 0;
    loop {
        let reached = tokio::time::timeout(PATIENCE, reach(system)).await;
        failures = if matches!(reached, Ok(Ok(()))) { 0 } else { failures + 1 };
        match failures {
            0 => reporter.set_service_status(OVERALL, ServingStatus::Serving).await,
            FAILURES => {
                tracing::warn!("the database cannot be reached: this core says that it does not serve");
                reporter.set_service_status(OVERALL, ServingStatus::NotServing).await;
            }
            _ => {}
        }
        tokio::time::sleep(EVERY).await;
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
