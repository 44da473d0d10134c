//! identity-core owns tenants, credentials, users, the access epoch and the events, in PostgreSQL, and offers them over
//! gRPC. It knows neither HTTP nor the text forms of SCIM.

pub mod access;
mod assertions;
mod audit;
mod clients;
mod config;
pub mod credentials;
pub mod error;
pub mod events;
mod failing;
pub mod filter;
pub mod groups;
mod grpc;
mod health;
pub mod keys;
mod list;
mod metrics;
mod migrate;
mod oauth;
mod outbox;
pub mod page;
pub mod patch;
mod stamp;
pub mod store;
pub mod tenants;
mod time;
pub mod users;
pub mod validate;

use std::time::Duration;

use anyhow::Context;
use runtime::listen::Socket;
use runtime::observe::Observe;
use runtime::{Health, Shutdown};

pub use config::{Config, Settings};
pub use error::Error;
pub use migrate::migrate;

use access::{Access, Wake};
use clients::Clients;
use credentials::Authenticator;
use events::Events;
use grpc::{Auth, Core};
use oauth::OAuth;
use page::PageTokens;
use store::Store;

/// Serves identity.v1 from when the database has this version's schema until the shutdown. A database that cannot be
/// reached later makes answers UNAVAILABLE, not an end.
pub async fn serve(
    settings: Settings,
    socket: impl Into<Socket>,
    health: Health,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let store = Store::new(&settings.database).context("DATABASE_URL is not a PostgreSQL URL")?;
    let wake = Wake::default();
    let access = Access::start(
        settings.redis,
        &store,
        wake.clone(),
        settings.login_key.clone(),
        (&health, &shutdown),
    );
    let events = Events::start(&store, wake.clone(), settings.event_retention, (&health, &shutdown));
    let pages = PageTokens::new(settings.login_key.clone());
    let clients = Clients::new(store.system(), settings.jwks_private_hosts);
    let oauth = OAuth::new(
        store.system(),
        clients.clone(),
        settings.login_key,
        settings.refresh_grace,
    );
    let core = Core::new(store.clone(), access, events, wake, pages, clients, oauth);
    let auth = Auth::new(settings.service_keys, Authenticator::new(store.system()));
    let routes = grpc::routes(&core, health.over_grpc(&[], &shutdown))?;

    shutdown.spawn_endless(
        "database health",
        health::keep(health.clone(), settings.database.url, store.system()),
    );
    metrics::describe();
    let (ready, sampling) = (health.clone(), metrics::sample(store.clone(), store.relay()));
    shutdown.spawn_endless("metrics", async move {
        ready.ready().await;
        sampling.await;
    });
    let (ready, expiry) = (health.clone(), credentials::keep_warned(store.system()));
    shutdown.spawn_endless("credentials", async move {
        ready.ready().await;
        expiry.await;
    });
    shutdown.spawn("purge", tenants::purge_deleted(store.system(), shutdown.clone()));

    let listening = socket.into().listen_when_ready(&health, &shutdown).await;
    let Some(listener) = listening.context("PORTCULLIS_LISTEN")? else {
        return Ok(());
    };
    tracing::info!(address = %listener.local_addr()?, "identity-core serves");
    let server = runtime::grpc::server()
        .layer(Observe::new(&identity_proto::METHODS))
        .layer(auth)
        .add_routes(routes.routes())
        .serve_with_incoming_shutdown(runtime::grpc::incoming(listener, &shutdown), std::future::pending());
    shutdown.serve(server).await?;
    // A connection that was cut off silently would be waited for without end.
    let _ = tokio::time::timeout(Duration::from_secs(5), store.close()).await;
    Ok(())
}
