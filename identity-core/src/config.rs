//! What an operator sets, by option or environment. Read whole before anything starts: a wrong setting is an error that
//! names it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use redis_topology::Topology;
use runtime::{Secret, ServiceKeys};

use crate::assertions::PrivateHosts;
use crate::events::Retention;
use crate::grpc::ROLES;
use crate::store;

/// Shorter ones could be guessed.
const MIN_LOGIN_KEY: usize = 32;
/// Longer, and a stolen refresh token goes unnoticed.
const LONGEST_GRACE: u8 = 60;

/// The settings of identity-core.
#[derive(Clone, Debug, clap::Args)]
pub struct Config {
    /// PostgreSQL, as postgres://user:password@host/database
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<Secret>,
    /// A file that holds the PostgreSQL URL
    #[arg(long, env = "DATABASE_URL_FILE")]
    pub database_url_file: Option<PathBuf>,
    /// Where Redis is: redis://[:password@]host:port/db; redis+sentinel://[:password@]host:port,…/service/db;
    /// redis+cluster://[:password@]host:port,…
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    pub redis_url: Option<Secret>,
    /// A file that holds the Redis URL
    #[arg(long, env = "REDIS_URL_FILE")]
    pub redis_url_file: Option<PathBuf>,
    /// Keys of the services that may call, as name:role:key[:tenant+tenant…], separated by commas; roles are edge,
    /// sessions, platform, admin
    #[arg(long, env = "PORTCULLIS_SERVICE_KEYS", hide_env_values = true)]
    pub service_keys: Option<Secret>,
    /// A file that holds the service keys
    #[arg(long, env = "PORTCULLIS_SERVICE_KEYS_FILE")]
    pub service_keys_file: Option<PathBuf>,
    /// Signs login tokens and page tokens, and makes refresh tokens: at least 32 random characters, the same in every identity-core
    #[arg(long, env = "PORTCULLIS_LOGIN_KEY", hide_env_values = true)]
    pub login_key: Option<Secret>,
    /// A file that holds the login key
    #[arg(long, env = "PORTCULLIS_LOGIN_KEY_FILE")]
    pub login_key_file: Option<PathBuf>,
    /// Connections to PostgreSQL for what tenants ask, of which one tenant may use half. Kept apart from them are half as
    /// many for logins and ends of access, a quarter for what validations ask, half as many for credentials and tenants, and
    /// four for the relay: 40 in all where nothing is set, so allow nine for each four plus four for each identity-core in
    /// max_connections
    #[arg(long, env = "PORTCULLIS_DATABASE_POOL_SIZE", default_value_t = 16)]
    pub database_pool_size: u32,
    /// How long one SQL statement may run, in milliseconds
    #[arg(long, env = "PORTCULLIS_STATEMENT_TIMEOUT_MS", default_value_t = 4_000)]
    pub statement_timeout_ms: u64,
    /// For how many seconds a refresh token that was used answers its successor again, as the answer may have been lost; 0 to 60.
    /// After that it was stolen, and the client's grant ends
    #[arg(long, env = "PORTCULLIS_REFRESH_GRACE_SECONDS", default_value_t = 10)]
    pub refresh_grace_seconds: u8,
    /// For how many days events are kept that all named consumers acknowledged
    #[arg(long, env = "PORTCULLIS_EVENT_RETENTION_DAYS", default_value_t = 30)]
    pub event_retention_days: u16,
    /// For how many days events are kept at most, also when a consumer did not acknowledge them
    #[arg(long, env = "PORTCULLIS_EVENT_RETENTION_MAX_DAYS", default_value_t = 90)]
    pub event_retention_max_days: u16,
    /// Hosts inside your network from which keys of clients' issuers (JWKS) may be fetched, as host[:port], separated by
    /// commas: at private addresses, and over plain HTTP. All others must be at public ones and use HTTPS
    #[arg(long, env = "PORTCULLIS_JWKS_PRIVATE_HOSTS")]
    pub jwks_private_hosts: Option<String>,
}

/// The settings, read whole and checked before anything starts.
pub struct Settings {
    pub(crate) database: store::Options,
    pub(crate) redis: Topology,
    pub(crate) service_keys: ServiceKeys,
    pub(crate) login_key: Secret,
    pub(crate) event_retention: Retention,
    pub(crate) refresh_grace: Duration,
    pub(crate) jwks_private_hosts: PrivateHosts,
}

impl Config {
    /// Fails with the name of the first setting that is missing or wrong.
    pub fn settings(self) -> anyhow::Result<Settings> {
        let secret = |name, value: &Option<Secret>, file: &Option<PathBuf>| {
            Secret::from_setting(name, value.as_ref(), file.as_deref())
        };
        let keys = secret("PORTCULLIS_SERVICE_KEYS", &self.service_keys, &self.service_keys_file)?;
        let redis_url = secret("REDIS_URL", &self.redis_url, &self.redis_url_file)?;
        let login_key = secret("PORTCULLIS_LOGIN_KEY", &self.login_key, &self.login_key_file)?;
        ensure!(
            login_key.expose().len() >= MIN_LOGIN_KEY,
            "PORTCULLIS_LOGIN_KEY is shorter than {MIN_LOGIN_KEY} characters"
        );
        ensure!(self.database_pool_size > 0, "PORTCULLIS_DATABASE_POOL_SIZE is 0");
        ensure!(
            self.statement_timeout_ms > 0,
            "PORTCULLIS_STATEMENT_TIMEOUT_MS is 0, which would mean for ever"
        );
        ensure!(self.event_retention_days > 0, "PORTCULLIS_EVENT_RETENTION_DAYS is 0");
        ensure!(
            self.event_retention_max_days >= self.event_retention_days,
            "PORTCULLIS_EVENT_RETENTION_MAX_DAYS is less than PORTCULLIS_EVENT_RETENTION_DAYS"
        );
        ensure!(
            self.refresh_grace_seconds <= LONGEST_GRACE,
            "PORTCULLIS_REFRESH_GRACE_SECONDS is more than {LONGEST_GRACE}"
        );
        Ok(Settings {
            refresh_grace: Duration::from_secs(self.refresh_grace_seconds.into()),
            database: store::Options {
                url: secret("DATABASE_URL", &self.database_url, &self.database_url_file)?,
                pool_size: self.database_pool_size,
                statement_timeout: Duration::from_millis(self.statement_timeout_ms),
            },
            redis: Topology::parse(redis_url.expose()).context("REDIS_URL")?,
            service_keys: ServiceKeys::parse("PORTCULLIS_SERVICE_KEYS", &keys, &ROLES)?,
            login_key,
            event_retention: Retention {
                days: self.event_retention_days.into(),
                longest_days: self.event_retention_max_days.into(),
            },
            jwks_private_hosts: PrivateHosts::parse(self.jwks_private_hosts.as_deref().unwrap_or_default())
                .context("PORTCULLIS_JWKS_PRIVATE_HOSTS")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config {
            database_url: Some("postgres://localhost/portcullis".into()),
            database_url_file: None,
            redis_url: Some("redis://localhost".into()),
            redis_url_file: None,
            service_keys: Some("a:admin:0123456789abcdef".into()),
            service_keys_file: None,
            login_key: Some("0123456789abcdef0123456789abcdef".into()),
            login_key_file: None,
            database_pool_size: 4,
            statement_timeout_ms: 4_000,
            refresh_grace_seconds: 10,
            event_retention_days: 30,
            event_retention_max_days: 90,
            jwks_private_hosts: Some("localhost:8443, idp.internal".into()),
        }
    }

    #[test]
    fn a_wrong_setting_is_named() {
        assert!(config().settings().is_ok());
        let check = |change: fn(&mut Config), expect: &str| {
            let mut config = config();
            change(&mut config);
            let error = config.settings().err().expect(expect);
            assert!(error.to_string().starts_with(expect), "{error}");
        };
        check(|config| config.database_url = None, "DATABASE_URL is not set");
        check(|config| config.redis_url = None, "REDIS_URL is not set");
        check(
            |config| config.redis_url = Some("rediss://localhost".into()),
            "REDIS_URL",
        );
        check(
            |config| config.service_keys = Some("a:nobody:0123456789abcdef".into()),
            "PORTCULLIS_SERVICE_KEYS is wrong",
        );
        check(
            |config| config.login_key = Some("short".into()),
            "PORTCULLIS_LOGIN_KEY is shorter",
        );
        check(
            |config| config.login_key_file = Some("x".into()),
            "PORTCULLIS_LOGIN_KEY and PORTCULLIS_LOGIN_KEY_FILE",
        );
        check(|config| config.database_pool_size = 0, "PORTCULLIS_DATABASE_POOL_SIZE");
        check(
            |config| config.statement_timeout_ms = 0,
            "PORTCULLIS_STATEMENT_TIMEOUT_MS",
        );
        check(
            |config| config.refresh_grace_seconds = 61,
            "PORTCULLIS_REFRESH_GRACE_SECONDS",
        );
        check(
            |config| config.event_retention_days = 0,
            "PORTCULLIS_EVENT_RETENTION_DAYS",
        );
        check(
            |config| config.event_retention_max_days = 29,
            "PORTCULLIS_EVENT_RETENTION_MAX_DAYS is less",
        );
        check(
            |config| config.jwks_private_hosts = Some("http://localhost".into()),
            "PORTCULLIS_JWKS_PRIVATE_HOSTS",
        );
    }
}
