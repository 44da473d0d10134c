//! One service as a process of its own: settings, telemetry, signals, sockets, and then its `serve`. The settings are read
//! whole before anything is bound.

use std::env;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use runtime::listen::Socket;
use runtime::telemetry::{self, LogFormat};
use runtime::{Health, Shutdown};

use crate::failure::Failure;
use crate::settings;

/// Set by `dev` for its children: they end when this process does.
pub(crate) const PARENT_PID: &str = "PORTCULLIS_PARENT_PID";

/// `portcullis serve`
#[derive(Debug, Args)]
pub struct Serve {
    #[command(subcommand)]
    service: Service,
}

impl Serve {
    /// A validation is so short that a fifth of its time is lost where threads wake each other. A thread does 27,000 a second and
    /// one Redis 57,000, which needs its processor too: so half as many as there are processors. tokio's own variable stands
    /// above this, as for a Cluster.
    pub(crate) fn set_threads(&self, runtime: &mut tokio::runtime::Builder) {
        let is_sessions = matches!(self.service, Service::Sessions(_));
        if is_sessions && env::var_os("TOKIO_WORKER_THREADS").is_none() {
            let processors = std::thread::available_parallelism().map_or(1, usize::from);
            runtime.worker_threads(processors.div_ceil(2));
        }
    }
}

#[derive(Debug, Subcommand)]
enum Service {
    /// identity-core: tenants, credentials, users, access, in PostgreSQL
    Core(Box<Process<identity_core::Config>>),
    /// session-service: sessions, in Redis
    Sessions(Box<Process<session_service::Config>>),
    /// scim-edge: SCIM over HTTP
    Edge(Box<Process<scim_edge::Config>>),
}

/// What every service process takes beside its own settings.
#[derive(Debug, Args)]
struct Process<C: Args> {
    /// Required: the address and port to listen on, or `stdin` for a bound socket handed over as standard input
    #[arg(long, env = "PORTCULLIS_LISTEN", value_name = "ADDR")]
    listen: Option<Listen>,
    /// The address and port for /healthz, /readyz and /metrics over plain HTTP, without authentication: keep it private.
    /// Not served when absent
    #[arg(long, env = "PORTCULLIS_ADMIN_LISTEN", value_name = "ADDR")]
    admin_listen: Option<SocketAddr>,
    /// How log lines look
    #[arg(long, env = "PORTCULLIS_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
    /// How long requests are still accepted after the signal to stop, in milliseconds: the time that load balancers need to
    /// learn from the readiness that this process is leaving
    #[arg(long, env = "PORTCULLIS_STOP_DELAY_MS", default_value_t = 0)]
    stop_delay_ms: u64,
    #[command(flatten)]
    config: C,
}

/// Where connections come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listen {
    Address(SocketAddr),
    /// A socket that the parent bound: port 0 without a race, and a taken port is the parent's to report.
    Stdin,
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "stdin" => Ok(Listen::Stdin),
            _ => text
                .parse()
                .map(Listen::Address)
                .map_err(|_| "give an address and a port, such as 127.0.0.1:8080".to_owned()),
        }
    }
}

/// Serves until a signal, or until the parent that asked for it is gone.
pub(crate) async fn run(serve: Serve) -> Result<(), Failure> {
    match serve.service {
        Service::Core(process) => {
            run_one(
                "identity-core",
                process,
                identity_core::Config::settings,
                identity_core::serve,
            )
            .await
        }
        Service::Sessions(process) => {
            run_one(
                "session-service",
                process,
                session_service::Config::settings,
                session_service::serve,
            )
            .await
        }
        Service::Edge(process) => run_one("scim-edge", process, scim_edge::Config::settings, scim_edge::serve).await,
    }
}

async fn run_one<C: Args, S>(
    name: &'static str,
    process: Box<Process<C>>,
    settings: impl FnOnce(C) -> Result<S>,
    serve: impl AsyncFnOnce(S, Socket, Health, Shutdown) -> Result<()>,
) -> Result<(), Failure> {
    settings::check_environment().map_err(Failure::usage)?;
    let wrong = |error: anyhow::Error| Failure::usage(format!("{error:#}"));
    let listen = process
        .listen
        .context("PORTCULLIS_LISTEN is not set: give it, or --listen, as an address and a port")
        .map_err(wrong)?;
    if matches!((listen, process.admin_listen), (Listen::Address(one), Some(other)) if one == other && one.port() != 0)
    {
        return Err(Failure::usage(
            "PORTCULLIS_LISTEN and PORTCULLIS_ADMIN_LISTEN are the same: give each its own port",
        ));
    }
    let settings = settings(process.config).map_err(wrong)?;
    let telemetry = telemetry::init(name, process.log_format).map_err(wrong)?;
    follow_parent()?;
    let shutdown = Shutdown::on_signals(Duration::from_millis(process.stop_delay_ms))?;
    shutdown.spawn_endless("metrics upkeep", telemetry.upkeep());
    let health = Health::new(&shutdown);
    let socket = bind("PORTCULLIS_LISTEN", listen).map_err(wrong)?;
    tracing::info!(address = %socket.local_addr()?, "bound");
    if let Some(address) = process.admin_listen {
        let admin = bind("PORTCULLIS_ADMIN_LISTEN", Listen::Address(address))
            .and_then(|socket| socket.listen().context("PORTCULLIS_ADMIN_LISTEN"))
            .map_err(wrong)?;
        tracing::info!(address = %admin.local_addr()?, "health and metrics are served");
        // Up to the end of the process: what happens while it stops is told too.
        tokio::spawn(runtime::admin::serve(admin, health.clone(), telemetry.metrics.clone()));
    }
    let served = serve(settings, socket, health, shutdown.clone()).await;
    shutdown.start();
    let finished = shutdown.finished().await;
    tokio::task::spawn_blocking(|| telemetry.flush())
        .await
        .map_err(anyhow::Error::from)?;
    Ok(served.and(finished)?)
}

fn bind(setting: &str, listen: Listen) -> Result<Socket> {
    match listen {
        Listen::Address(address) => {
            Socket::bind(address).with_context(|| format!("{setting}: cannot listen on {address}"))
        }
        Listen::Stdin => {
            let listener = TcpListener::from(io::stdin().as_fd().try_clone_to_owned()?);
            listener
                .set_nonblocking(true)
                .with_context(|| format!("{setting}: not a socket"))?;
            Ok(tokio::net::TcpListener::from_std(listener)?.into())
        }
    }
}

/// Ends with the parent, however that ends.
fn follow_parent() -> Result<()> {
    let Ok(parent) = env::var(PARENT_PID) else {
        return Ok(());
    };
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .context("cannot follow the parent")?;
    // It may have ended before we asked for the signal.
    let now = rustix::process::getppid().map(|pid| pid.as_raw_pid().to_string());
    if now.as_deref() != Some(parent.as_str()) {
        bail!("the process that started this one ({PARENT_PID}={parent}) is gone");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_listening_address_is_read() {
        let check = |text: &str, expect: Option<Listen>| assert_eq!(text.parse().ok(), expect, "{text}");
        check("stdin", Some(Listen::Stdin));
        check("127.0.0.1:0", Some(Listen::Address(([127, 0, 0, 1], 0).into())));
        check("localhost", None);
        check("8080", None);
    }
}
