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
mod health;
mod listen;
mod observe;
mod resources;
mod respond;
pub mod scim;

use std::time::Duration;

use runtime::listen::Socket;
use runtime::{Health, Shutdown};

pub use config::{Config, Settings};

/// How long open requests may go on after the stop was asked for.
const GRACE: Duration = Duration::from_secs(15);

/// Serves until `shutdown` asks to stop, then finishes open requests.
pub async fn serve(
    settings: Settings,
    socket: impl Into<Socket>,
    health: Health,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    observe::describe();
    let core = settings.core()?;
    let looked_at = core.clone();
    let looking = health.clone().keep(move || health::look(looked_at.clone()));
    shutdown.spawn_endless("core health", looking);
    let router = app::router(settings.requests, core, health);
    let limits = listen::Limits {
        connections: settings.connections,
        ..listen::Limits::default()
    };
    let listener = socket.into().listen()?;
    tokio::select! {
        () = listen::serve(listener, router, limits, shutdown.clone()) => {}
        () = async { shutdown.requested().await; tokio::time::sleep(GRACE).await } => {
            tracing::warn!(seconds = GRACE.as_secs(), "requests were still open when the grace time ended");
        }
    }
    Ok(())
}
