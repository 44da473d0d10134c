//! An orderly stop. First the process says that it is leaving, and for a while goes on as before, so that whoever sends it
//! work can look elsewhere. Then, softly: accept nothing new, finish what runs, leave. Hard, when the grace time is over or a
//! second signal comes: leave now. A task that ends without being asked stops the whole process with a failure, so that no
//! process lives on half dead.

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
    leaving: CancellationToken,
    soft: CancellationToken,
    failed: CancellationToken,
    tasks: TaskTracker,
    deadline: Arc<OnceLock<Instant>>,
}

impl Shutdown {
    /// A shutdown that SIGTERM or SIGINT starts: the soft stage begins `delay` later. A second signal ends the process at
    /// once, whatever the stage.
    pub fn on_signals(delay: Duration) -> std::io::Result<Self> {
        let shutdown = Shutdown::default();
        let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let stop = shutdown.clone();
        tokio::spawn(async move {
            tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
            tracing::info!(delay_ms = delay.as_millis(), "stopping");
            tokio::select! {
                biased;
                _ = term.recv() => std::process::exit(1),
                _ = int.recv() => std::process::exit(1),
                () = stop.start_after(delay) => {}
            }
            tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
            std::process::exit(1);
        });
        Ok(shutdown)
    }

    /// Starts the soft stage now.
    pub fn start(&self) {
        self.leaving.cancel();
        self.soft.cancel();
    }

    /// Says that the process is leaving, and starts the soft stage `delay` later.
    pub async fn start_after(&self, delay: Duration) {
        self.leaving.cancel();
        tokio::time::sleep(delay).await;
        self.start();
    }

    /// Resolves when the process begins to leave: it should be sent nothing new, and still serves what it is sent.
    pub async fn leaving(&self) {
        self.leaving.cancelled().await;
    }

    /// Whether the process is leaving.
    pub fn is_leaving(&self) -> bool {
        self.leaving.is_cancelled()
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
        let shutdown = self.clone();
        self.tasks.spawn(async move {
            let ended = tokio::spawn(task).await;
            if ended.is_err() || !shutdown.is_requested() {
                tracing::error!(
                    task = name,
                    panicked = ended.is_err(),
                    "a task ended unasked: stopping the process"
                );
                shutdown.failed.cancel();
                shutdown.start();
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

    #[tokio::test(start_paused = true)]
    async fn a_task_that_dies_while_the_process_leaves_is_a_failure_too() {
        let shutdown = Shutdown::default();
        let (leaves, dies) = (shutdown.clone(), shutdown.clone());
        shutdown.spawn("dies", async move { dies.leaving().await });
        leaves.start_after(Duration::from_secs(5)).await;
        assert!(shutdown.finished().await.is_err());

        let shutdown = Shutdown::default();
        let panics = shutdown.clone();
        shutdown.spawn("panics", async move {
            panics.requested().await;
            panic!("at the last moment");
        });
        shutdown.start();
        assert!(shutdown.finished().await.is_err());
    }

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

    #[tokio::test(start_paused = true)]
    async fn a_process_that_leaves_serves_on_until_the_delay_is_over() {
        let shutdown = Shutdown::default();
        let stop = shutdown.clone();
        let since = Instant::now();
        tokio::spawn(async move { stop.start_after(Duration::from_secs(5)).await });
        shutdown.leaving().await;
        assert!(shutdown.is_leaving() && !shutdown.is_requested());
        assert_eq!(since.elapsed(), Duration::ZERO);
        shutdown.requested().await;
        assert_eq!(since.elapsed().as_secs(), 5);
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
