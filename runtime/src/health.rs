//! Whether this process can serve. A service says it in one place, and orchestrators read it over HTTP ([`crate::admin`])
//! and by the gRPC health protocol.

use std::future::Future;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tonic_health::ServingStatus;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus::Serving;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

use crate::Shutdown;
use crate::grpc::Channel;

/// The wait between two looks at what a process needs.
const EVERY: Duration = Duration::from_secs(1);
/// The same until it is ready for the first time: others wait for that.
const EVERY_AT_FIRST: Duration = Duration::from_millis(100);
/// One failure may be a moment of load; what goes on for this long is no moment.
const MOMENT: Duration = EVERY;

/// How long another process may take to say how it stands.
const PATIENCE: Duration = Duration::from_secs(1);

/// The whole process, in the gRPC health protocol.
const OVERALL: &str = "";

/// What a process says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Requests can be served.
    Ready,
    /// They cannot, and why, in words for an operator.
    NotReady(&'static str),
}

const STARTING: Standing = Standing::NotReady("starting");
const STOPPING: Standing = Standing::NotReady("stopping");

/// The standing of this process. Clones share it.
#[derive(Clone)]
pub struct Health(watch::Sender<Standing>);

impl Health {
    /// Not ready until someone says so, and never again once the process is leaving.
    pub fn new(shutdown: &Shutdown) -> Self {
        let health = Health(watch::Sender::new(STARTING));
        let (standing, stop) = (health.0.clone(), shutdown.clone());
        shutdown.spawn("health", async move {
            stop.leaving().await;
            standing.send_replace(STOPPING);
            stop.requested().await;
        });
        health
    }

    /// Says how it stands now.
    pub fn set(&self, now: Standing) {
        self.0.send_if_modified(|standing| {
            let changes = *standing != now && *standing != STOPPING;
            if changes {
                match now {
                    Standing::Ready => tracing::info!("ready"),
                    Standing::NotReady(reason) => tracing::warn!(reason, "not ready"),
                }
                *standing = now;
            }
            changes
        });
    }

    /// Looks for ever and says what was seen. Looking is left to the background, so that whoever asks for readiness
    /// costs nobody anything.
    pub async fn keep<F: Future<Output = Standing>>(self, look: impl Fn() -> F) {
        let (mut every, mut failing_since) = (EVERY_AT_FIRST, None);
        loop {
            let seen = look().await;
            if seen == Standing::Ready {
                (every, failing_since) = (EVERY, None);
                self.set(seen);
            } else if failing_since.get_or_insert_with(Instant::now).elapsed() >= MOMENT {
                self.set(seen);
            }
            tokio::time::sleep(every).await;
        }
    }

    /// Resolves when it is ready.
    pub async fn ready(&self) {
        // This value keeps the channel open.
        let _ = self.0.subscribe().wait_for(|now| *now == Standing::Ready).await;
    }

    /// How it stands.
    pub fn standing(&self) -> Standing {
        *self.0.borrow()
    }

    /// The same over gRPC, for the process and for each of these `services`. Streams that watch end with the shutdown, so
    /// that they keep no connection open.
    pub fn over_grpc(&self, services: &'static [&'static str], shutdown: &Shutdown) -> HealthServer<HealthService> {
        let reporter = HealthReporter::new();
        let (mirrored, mut standing) = (reporter.clone(), self.0.subscribe());
        let stop = shutdown.clone();
        shutdown.spawn("health over gRPC", async move {
            loop {
                let now = *standing.borrow_and_update();
                let status = match now {
                    Standing::Ready => ServingStatus::Serving,
                    Standing::NotReady(_) => ServingStatus::NotServing,
                };
                for service in services.iter().chain(&[OVERALL]) {
                    mirrored.set_service_status(*service, status).await;
                }
                if now == STOPPING || standing.changed().await.is_err() {
                    break;
                }
            }
            stop.requested().await;
            for service in services.iter().chain(&[OVERALL]) {
                mirrored.clone().clear_service_status(service).await;
            }
        });
        HealthServer::new(HealthService::from_health_reporter(reporter))
    }
}

/// Whether the process at the other end says that it can serve.
pub async fn serves(channel: Channel) -> bool {
    let mut process = HealthClient::new(channel);
    let asked = tokio::time::timeout(PATIENCE, process.check(HealthCheckRequest::default())).await;
    asked.is_ok_and(|answer| answer.is_ok_and(|answer| answer.into_inner().status() == Serving))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_ready_at_once_and_not_ready_only_after_a_moment() {
        const AWAY: Standing = Standing::NotReady("away");
        let health = Health::new(&Shutdown::default());
        let seen = watch::Sender::new(AWAY);
        let looking = seen.clone();
        tokio::spawn(health.clone().keep(move || std::future::ready(*looking.borrow())));
        tokio::time::sleep(MOMENT / 2).await;
        assert_eq!(health.standing(), STARTING);
        tokio::time::sleep(MOMENT).await;
        assert_eq!(health.standing(), AWAY);
        seen.send_replace(Standing::Ready);
        tokio::time::sleep(2 * EVERY_AT_FIRST).await;
        assert_eq!(health.standing(), Standing::Ready);
        seen.send_replace(AWAY);
        tokio::time::sleep(EVERY).await;
        assert_eq!(health.standing(), Standing::Ready, "it may be a moment of load");
        tokio::time::sleep(2 * MOMENT).await;
        assert_eq!(health.standing(), AWAY);
    }

    #[tokio::test]
    async fn a_process_that_stops_is_never_ready_again() {
        let shutdown = Shutdown::default();
        let health = Health::new(&shutdown);
        assert_eq!(health.standing(), STARTING);
        health.set(Standing::Ready);
        assert_eq!(health.standing(), Standing::Ready);
        shutdown.start();
        shutdown.finished().await.unwrap();
        assert_eq!(health.standing(), STOPPING);
        health.set(Standing::Ready);
        assert_eq!(health.standing(), STOPPING);
    }
}
