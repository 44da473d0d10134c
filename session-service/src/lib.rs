//! session-service holds the sessions of the platform's applications in Redis, refuses those of a user whose access
//! ended, and prunes them. It decides nothing about users: PostgreSQL does, through the core and its registers.

mod core_client;
mod error;
mod grpc;
mod prune;
mod redis_link;
mod sessions;
mod token;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use identity_proto::session::v1::session_service_server::SessionServiceServer;
use runtime::service_auth::WithServiceKey;
use runtime::{Secret, ServiceKeys, Shutdown};
use tokio::net::TcpListener;
use tonic::Request;
use tonic::service::interceptor::InterceptedService;

use crate::core_client::CoreClient;
use crate::redis_link::RedisLink;
use crate::sessions::Sessions;

/// Settings of session-service.
#[derive(Clone, Debug, clap::Args)]
pub struct Config {
    /// Where Redis is: redis://[:password@]host:port
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    pub redis_url: Option<Secret>,
    /// A file that holds REDIS_URL
    #[arg(long, env = "REDIS_URL_FILE")]
    pub redis_url_file: Option<PathBuf>,
    /// Where identity-core answers gRPC: http://host:port
    #[arg(long, env = "CORE_URL")]
    pub core_url: String,
    /// The key by which the core knows this service (role sessions)
    #[arg(long, env = "SERVICE_KEY", hide_env_values = true)]
    pub service_key: Option<Secret>,
    /// A file that holds SERVICE_KEY
    #[arg(long, env = "SERVICE_KEY_FILE")]
    pub service_key_file: Option<PathBuf>,
    /// Who may call this service: name:role:key, separated by commas; roles are platform and admin
    #[arg(long, env = "SERVICE_KEYS", hide_env_values = true)]
    pub service_keys: Option<Secret>,
    /// A file that holds SERVICE_KEYS
    #[arg(long, env = "SERVICE_KEYS_FILE")]
    pub service_keys_file: Option<PathBuf>,
    /// How many sessions a user may have; the oldest give way
    #[arg(long, env = "SESSIONS_PER_USER", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub sessions_per_user: u32,
}

/// Serves until shutdown. A wrong setting fails before anything is served; a Redis or core that is down does not.
pub async fn serve(config: Config, listener: TcpListener, shutdown: Shutdown) -> anyhow::Result<()> {
    let redis_url = Secret::from_setting("REDIS_URL", config.redis_url.as_ref(), config.redis_url_file.as_deref())?;
    let key = Secret::from_setting(
        "SERVICE_KEY",
        config.service_key.as_ref(),
        config.service_key_file.as_deref(),
    )?;
    let keys = Secret::from_setting(
        "SERVICE_KEYS",
        config.service_keys.as_ref(),
        config.service_keys_file.as_deref(),
    )?;
    let keys = Arc::new(ServiceKeys::parse("SERVICE_KEYS", &keys, &grpc::ROLES)?);

    let client = redis::Client::open(redis_url.expose()).context("REDIS_URL is not a Redis URL")?;
    let link = |timeout| RedisLink::new(client.clone(), timeout).context("REDIS_URL cannot be used");
    let (redis, background) = (link(redis_link::CALLER)?, link(redis_link::BACKGROUND)?);
    let channel = runtime::grpc::channel(&config.core_url).context("CORE_URL is not a URL")?;
    let core = CoreClient::new(channel, WithServiceKey::new(&key)?);

    prune::Prune::start(background, core.clone(), client, &shutdown);
    let sessions = Sessions {
        redis,
        core,
        cap: config.sessions_per_user,
    };
    let (health_reporter, health) = tonic_health::server::health_reporter();
    health_reporter.set_serving::<SessionServiceServer<grpc::Grpc>>().await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(identity_proto::FILE_DESCRIPTOR_SET)
        .build_v1()?;

    let callers = keys.clone();
    let known = move |request: Request<()>| match callers.authenticate(request.metadata()) {
        Some(_) => Ok(request),
        None => Err(error::Error::ServiceKey.into()),
    };

    tracing::info!(address = %listener.local_addr()?, "session-service serves");
    let server = runtime::grpc::server()
        .add_service(health)
        .add_service(InterceptedService::new(reflection, known))
        .add_service(SessionServiceServer::new(grpc::Grpc { sessions, keys }))
        .serve_with_incoming_shutdown(runtime::grpc::incoming(listener, &shutdown), std::future::pending());
    shutdown.serve(server).await?;
    Ok(())
}
