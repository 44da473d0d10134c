//! What an operator sets, by option or environment. Read whole before anything starts: a wrong setting is an error that
//! names it.

use std::path::PathBuf;

use anyhow::Context;
use redis_topology::Topology;
use runtime::service_auth::WithServiceKey;
use runtime::{Secret, ServiceKeys};

use crate::grpc::ROLES;

/// The settings of session-service.
#[derive(Clone, Debug, clap::Args)]
pub struct Config {
    /// Where Redis is: redis://[:password@]host:port/db; redis+sentinel://[:password@]host:port,…/service/db;
    /// redis+cluster://[:password@]host:port,…
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    pub redis_url: Option<Secret>,
    /// A file that holds REDIS_URL
    #[arg(long, env = "REDIS_URL_FILE")]
    pub redis_url_file: Option<PathBuf>,
    /// Where identity-core answers gRPC: http://host:port; or several, separated by commas
    #[arg(long, env = "PORTCULLIS_CORE_URL")]
    pub core_url: String,
    /// The key by which the core knows this service (role sessions)
    #[arg(long, env = "PORTCULLIS_SERVICE_KEY", hide_env_values = true)]
    pub service_key: Option<Secret>,
    /// A file that holds PORTCULLIS_SERVICE_KEY
    #[arg(long, env = "PORTCULLIS_SERVICE_KEY_FILE")]
    pub service_key_file: Option<PathBuf>,
    /// Who may call this service: name:role:key, separated by commas; roles are platform and admin
    #[arg(long, env = "PORTCULLIS_SERVICE_KEYS", hide_env_values = true)]
    pub service_keys: Option<Secret>,
    /// A file that holds PORTCULLIS_SERVICE_KEYS
    #[arg(long, env = "PORTCULLIS_SERVICE_KEYS_FILE")]
    pub service_keys_file: Option<PathBuf>,
    /// How many sessions a user may have; the oldest give way
    #[arg(long, env = "PORTCULLIS_SESSIONS_PER_USER", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub sessions_per_user: u32,
}

/// The settings, read whole and checked before anything starts.
pub struct Settings {
    pub(crate) redis: Topology,
    pub(crate) core_url: String,
    pub(crate) service_key: Secret,
    pub(crate) service_keys: ServiceKeys,
    pub(crate) sessions_per_user: u32,
}

impl Config {
    /// Fails with the name of the first setting that is missing or wrong.
    pub fn settings(self) -> anyhow::Result<Settings> {
        let secret = |name, value: &Option<Secret>, file: &Option<PathBuf>| {
            Secret::from_setting(name, value.as_ref(), file.as_deref())
        };
        let redis_url = secret("REDIS_URL", &self.redis_url, &self.redis_url_file)?;
        let service_key = secret("PORTCULLIS_SERVICE_KEY", &self.service_key, &self.service_key_file)?;
        let keys = secret("PORTCULLIS_SERVICE_KEYS", &self.service_keys, &self.service_keys_file)?;
        WithServiceKey::new(&service_key).context("PORTCULLIS_SERVICE_KEY")?;
        runtime::grpc::check_urls("PORTCULLIS_CORE_URL", &self.core_url)?;
        Ok(Settings {
            redis: Topology::parse(redis_url.expose()).context("REDIS_URL")?,
            service_keys: ServiceKeys::parse("PORTCULLIS_SERVICE_KEYS", &keys, &ROLES)?,
            core_url: self.core_url,
            service_key,
            sessions_per_user: self.sessions_per_user,
        })
    }
}
