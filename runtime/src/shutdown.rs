//! An orderly stop in two stages. Soft: accept nothing new, finish what runs, leave. Hard, when the grace time is over:
//! leave now. A task that ends without being asked stops the whole process with a failure, so that no process lives on half dead.

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long the soft stage lasts at most: for requests and tasks together.
const GRACE: Duration = Duration::from_secs(20);

/// Handed to everything that runs for long. Clones share one state.
#[derive(Clone, Default)]
pub struct Shutdown {
    soft: CancellationToken,
    failed: CancellationToken,
    tasks: TaskTracker,
    deadline: Arc<OnceLock<Instant>>,
}

impl Shutdown {
    /// A shutdown that SIGTERM or SIGINT starts; a second one ends the process at once.
    pub fn on_signals() -> std::io::Result<Self> {
        let shutdown = Shutdown::default();
        let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let soft = shutdown.soft.clone();
        tokio::spawn(async move {
            for round in 0.. {
                tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
                if round > 0 {
                    std::process::exit(1);
                }
                tracing::info!("stopping");
                soft.cancel();
            }
        });
        Ok(shutdown)
    }

    /// Starts the soft stage.
    pub fn start(&self) {
        self.soft.cancel();
    }

    /// Resolves when the soft stage begins.
    pub async fn requested(&self) {
        self.soft.cancelled().await;
    }

    /// Whether the soft stage has begun.
    pub fn is_requested(&self) -> bool {
        self.soft.is_cancelled()
    }

    /// Runs a server that ends by itself once the soft stage has begun and its last request is answered. When the grace
    /// time is over it is dropped, whatever is still open: one client that watches must not keep the process alive.
    pub async fn serve<E>(&self, server: impl Future<Output = Result<(), E>>) -> Result<(), E> {
        let grace_over = async {
            self.requested().await;
            tokio::time::sleep_until(self.deadline()).await;
        };
        tokio::select! {
            ended = server => ended,
            () = grace_over => {
                tracing::warn!("requests were still open {} s after the stop was asked for: dropped", GRACE.as_secs());
                Ok(())
            }
        }
    }

    /// The end of the soft stage, which counts from when someone first saw that it began.
    fn deadline(&self) -> Instant {
        *self.deadline.get_or_init(|| Instant::now() + GRACE)
    }

    /// Runs a task that must live until shutdown: if it ends or panics before, the process stops with a failure.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let (soft, failed) = (self.soft.clone(), self.failed.clone());
        self.tasks.spawn(async move {
            let ended = tokio::spawn(task).await;
            if !soft.is_cancelled() {
                tracing::error!(
                    task = name,
                    panicked = ended.is_err(),
                    "a task ended unasked: stopping the process"
                );
                failed.cancel();
                soft.cancel();
            }
        });
    }

    /// Runs an endless task, which the soft stage ends wherever it waits.
    pub fn spawn_endless(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let soft = self.soft.clone();
        self.spawn(name, async move {
            tokio::select! { () = soft.cancelled() => {}, () = task => {} }
        });
    }

    /// Waits for the soft stage and then for all tasks, within the grace time. Fails if a task died unasked.
    pub async fn finished(self) -> anyhow::Result<()> {
        self.requested().await;
        self.tasks.close();
        if tokio::time::timeout_at(self.deadline(), self.tasks.wait())
            .await
            .is_err()
        {
            anyhow::bail!("tasks still ran {} s after the stop was asked for", GRACE.as_secs());
        }
        anyhow::ensure!(!self.failed.is_cancelled(), "a task ended unasked");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_dies_unasked_stops_the_process_with_failure() {
        let shutdown = Shutdown::default();
        shutdown.spawn("dies", async {});
        assert!(shutdown.finished().await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_never_ends_is_dropped_after_the_grace_time() {
        let shutdown = Shutdown::default();
        let stop = shutdown.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_hours(1)).await;
            stop.start();
        });
        let since = Instant::now();
        shutdown.serve(std::future::pending::<Result<(), ()>>()).await.unwrap();
        assert_eq!(since.elapsed().as_secs(), 3_600 + GRACE.as_secs());

        // The grace time is one for all: what is left of it is nothing.
        shutdown.spawn("stuck", std::future::pending());
        let since = Instant::now();
        shutdown.finished().await.unwrap_err();
        assert!(since.elapsed() < Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_ends_in_time_ends_as_it_did() {
        let shutdown = Shutdown::default();
        shutdown.start();
        let answering = async {
            tokio::time::sleep(GRACE / 2).await;
            Err("refused")
        };
        assert_eq!(shutdown.serve(answering).await, Err("refused"));
    }

    #[tokio::test]
    async fn a_task_that_ends_when_asked_is_no_failure() {
        let shutdown = Shutdown::default();
        let inner = shutdown.clone();
        shutdown.spawn("obeys", async move { inner.requested().await });
        shutdown.start();
        shutdown.finished().await.unwrap();
    }
}
