//! scim-edge: SCIM 2.0 over HTTP, RFC 7644, in front of identity-core.
//!
//! It authenticates a caller through the core, parses what the caller sends, makes one call of identity.v1 of it, and
//! renders the answer. It has no database and decides nothing about identities.

mod address;
mod app;
mod auth;
mod config;
mod core;
mod error;
mod extract;
mod health;
mod listen;
mod oauth;
mod observe;
mod resources;
mod respond;
pub mod scim;

use anyhow::Context;
use runtime::listen::Socket;
use runtime::{Health, Shutdown};

pub use config::{Config, Settings};

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
    let listener = socket.into().listen().context("PORTCULLIS_LISTEN")?;
    let server = listen::serve(listener, router, limits, shutdown.clone());
    let served = async {
        server.await;
        Ok(())
    };
    shutdown.serve(served).await
}
