//! session-service holds the sessions of the platform's applications in Redis, refuses those of a user whose access
//! ended, and prunes them. It decides nothing about users: PostgreSQL does, through the core and its registers.

mod config;
mod core_client;
mod error;
mod grpc;
mod health;
mod metrics;
mod prune;
mod redis_link;
mod sessions;
mod token;

use std::sync::Arc;

use anyhow::Context;
use identity_proto::session::v1::session_service_server::SessionServiceServer;
use runtime::listen::Socket;
use runtime::observe::Observe;
use runtime::service_auth::WithServiceKey;
use runtime::{Health, Shutdown};
use tonic::Request;
use tonic::service::interceptor::InterceptedService;

pub use config::{Config, Settings};

use crate::core_client::CoreClient;
use crate::redis_link::RedisLink;
use crate::sessions::Sessions;

/// As the gRPC health protocol names it.
const SERVICE: &str = "session.v1.SessionService";

/// Serves until shutdown. A Redis or core that is down makes answers UNAVAILABLE, not an end.
pub async fn serve(
    settings: Settings,
    socket: impl Into<Socket>,
    health: Health,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    metrics::describe();
    let link = |timeout| RedisLink::start(settings.redis.clone(), timeout, &shutdown);
    let (redis, background) = (link(redis_link::CALLER), link(redis_link::BACKGROUND));
    let channel = runtime::grpc::channel(&settings.core_url)?;
    let core = CoreClient::new(channel.clone(), WithServiceKey::new(&settings.service_key)?);
    let keys = Arc::new(settings.service_keys);

    let needed = (background.clone(), channel);
    let looking = health
        .clone()
        .keep(move || health::look(needed.0.clone(), needed.1.clone()));
    shutdown.spawn_endless("health of Redis and the core", looking);
    prune::Prune::start(background, core.clone(), settings.redis, &shutdown);
    let sessions = Sessions {
        redis,
        core,
        cap: settings.sessions_per_user,
    };
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(identity_proto::FILE_DESCRIPTOR_SET)
        .build_v1()?;

    let callers = keys.clone();
    let known = move |request: Request<()>| match callers.authenticate(request.metadata()) {
        Some(_) => Ok(request),
        None => Err(error::Error::ServiceKey.into()),
    };

    let listener = socket.into().listen().context("PORTCULLIS_LISTEN")?;
    tracing::info!(address = %listener.local_addr()?, "session-service serves");
    let server = runtime::grpc::server()
        .layer(Observe::new(&identity_proto::METHODS))
        .add_service(health.over_grpc(&[SERVICE], &shutdown))
        .add_service(InterceptedService::new(reflection, known))
        .add_service(SessionServiceServer::new(grpc::Grpc { sessions, keys }))
        .serve_with_incoming_shutdown(runtime::grpc::incoming(listener, &shutdown), std::future::pending());
    shutdown.serve(server).await?;
    Ok(())
}
