//! scim-edge: SCIM 2.0 over HTTP, RFC 7644, in front of identity-core.
//!
//! It authenticates a caller through the core, parses what the caller sends, makes one call of identity.v1 of it, and
//! renders the answer. It has no database and decides nothing about identities.

mod app;
mod auth;
mod config;
mod core;
mod error;
mod extract;
mod resources;
mod respond;
pub mod scim;

use std::future::IntoFuture as _;
use std::time::Duration;

use axum::serve::ListenerExt as _;
use runtime::Shutdown;
use tokio::net::TcpListener;

pub use config::{Config, Settings};

/// How long open requests may go on after the stop was asked for.
const GRACE: Duration = Duration::from_secs(15);

/// Serves until `shutdown` asks to stop, then finishes open requests.
pub async fn serve(config: Config, listener: TcpListener, shutdown: Shutdown) -> anyhow::Result<()> {
    config.check()?;
    let router = app::router(config.settings()?, config.core()?);
    // Without this, Nagle's algorithm holds small answers back.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY cannot be set");
        }
    });
    let stop = shutdown.clone();
    let server = axum::serve(listener, router).with_graceful_shutdown(async move { stop.requested().await });
    tokio::select! {
        served = server.into_future() => served?,
        () = async { shutdown.requested().await; tokio::time::sleep(GRACE).await } => {
            tracing::warn!(seconds = GRACE.as_secs(), "requests were still open when the grace time ended");
        }
    }
    Ok(())
}
