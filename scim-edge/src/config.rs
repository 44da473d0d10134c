//! The edge's settings, from the command line or the environment, checked before anything is served.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use clap::Args;
use http::Uri;
use runtime::Secret;
use runtime::service_auth::WithServiceKey;

use crate::app::ROOT;
use crate::core::Core;

/// More than a process can have file descriptors for.
const MOST_CONNECTIONS: u32 = 1_000_000;

/// The edge's settings as given.
#[derive(Args, Clone, Debug)]
pub struct Config {
    /// URL of identity-core's gRPC, such as http://identity-core:7001; or several, separated by commas.
    #[arg(long, env = "PORTCULLIS_CORE_URL")]
    pub core_url: String,
    /// The key by which identity-core knows this edge.
    #[arg(long, env = "PORTCULLIS_SERVICE_KEY", hide_env_values = true)]
    pub service_key: Option<Secret>,
    /// A file that holds the service key.
    #[arg(long, env = "PORTCULLIS_SERVICE_KEY_FILE")]
    pub service_key_file: Option<PathBuf>,
    /// The URL under which clients reach this edge, such as https://scim.example.com, without /scim/v2. Without it,
    /// the Host header of each request says it.
    #[arg(long, env = "PORTCULLIS_PUBLIC_URL")]
    pub public_url: Option<String>,
    /// Believe X-Forwarded-Proto, traceparent, and the last address in X-Forwarded-For, because a proxy in front always sets
    /// or removes them. Otherwise a client's address is that of its connection.
    #[arg(long, env = "PORTCULLIS_TRUST_FORWARDED", default_value_t = false)]
    pub trust_forwarded: bool,
    /// The largest body that is read, in bytes. A group with 80,000 members by their ids is one of 4 MiB.
    #[arg(long, env = "PORTCULLIS_MAX_BODY", default_value_t = 4 * 1024 * 1024)]
    pub max_body: usize,
    /// The most connections that are open at once; more wait. The process needs as many file descriptors.
    #[arg(long, env = "PORTCULLIS_MAX_CONNECTIONS", default_value_t = 4096)]
    pub max_connections: u32,
}

/// The settings, read whole and checked before anything starts.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(crate) requests: Requests,
    pub(crate) connections: u32,
    pub(crate) core_url: String,
    pub(crate) service_key: Secret,
}

/// What requests are served by.
#[derive(Clone, Debug)]
pub struct Requests {
    /// Without a slash at its end.
    pub public_url: Option<String>,
    pub trust_forwarded: bool,
    pub max_body: usize,
}

impl Config {
    /// Checks every setting. An error names the setting and says what it may be.
    pub fn settings(self) -> anyhow::Result<Settings> {
        let service_key = Secret::from_setting(
            "PORTCULLIS_SERVICE_KEY",
            self.service_key.as_ref(),
            self.service_key_file.as_deref(),
        )?;
        WithServiceKey::new(&service_key).context("PORTCULLIS_SERVICE_KEY")?;
        runtime::grpc::check_urls("PORTCULLIS_CORE_URL", &self.core_url)?;
        ensure!(
            (1..=MOST_CONNECTIONS).contains(&self.max_connections),
            "PORTCULLIS_MAX_CONNECTIONS must be from 1 to {MOST_CONNECTIONS}, not {}",
            self.max_connections
        );
        ensure!(
            self.max_body >= 1024,
            "PORTCULLIS_MAX_BODY must be at least 1024 bytes, not {}",
            self.max_body
        );
        Ok(Settings {
            requests: Requests {
                public_url: self.public_url.as_deref().map(public_url).transpose()?,
                trust_forwarded: self.trust_forwarded,
                max_body: self.max_body,
            },
            connections: self.max_connections,
            core_url: self.core_url,
            service_key,
        })
    }
}

impl Settings {
    /// Clients of the core; they connect when first used. Must run inside a tokio runtime.
    pub(crate) fn core(&self) -> anyhow::Result<Core> {
        let channel = runtime::grpc::channel(&self.core_url)?;
        Ok(Core::new(channel, WithServiceKey::new(&self.service_key)?))
    }
}

fn public_url(url: &str) -> anyhow::Result<String> {
    let uri: Uri = url
        .parse()
        .with_context(|| format!("PORTCULLIS_PUBLIC_URL is no URL: {url:?}"))?;
    ensure!(
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some() && uri.query().is_none(),
        "PORTCULLIS_PUBLIC_URL must be http:// or https:// with a host and no query, not {url:?}"
    );
    let trimmed = url.trim_end_matches('/');
    ensure!(
        !trimmed.ends_with(ROOT),
        "PORTCULLIS_PUBLIC_URL must not end with {ROOT}, which is appended: {url:?}"
    );
    Ok(trimmed.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config {
            core_url: "http://127.0.0.1:1".to_owned(),
            service_key: Some(Secret::new("0123456789abcdef")),
            service_key_file: None,
            public_url: None,
            trust_forwarded: false,
            max_body: 4096,
            max_connections: 16,
        }
    }

    fn check(change: impl FnOnce(&mut Config), expect: Option<&str>) {
        let mut config = config();
        change(&mut config);
        match (config.settings(), expect) {
            (Ok(_), None) => {}
            (Err(error), Some(name)) => assert!(format!("{error:#}").contains(name), "{error:#}"),
            (found, expect) => panic!("{found:?}, expected {expect:?}"),
        }
    }

    #[test]
    fn a_wrong_setting_is_named() {
        check(|_| {}, None);
        check(|config| config.service_key = None, Some("PORTCULLIS_SERVICE_KEY"));
        check(
            |config| config.service_key = Some(Secret::new("é\u{7}")),
            Some("PORTCULLIS_SERVICE_KEY"),
        );
        check(
            |config| config.core_url = "127.0.0.1:1".to_owned(),
            Some("PORTCULLIS_CORE_URL"),
        );
        check(
            |config| config.core_url = "unix:/x".to_owned(),
            Some("PORTCULLIS_CORE_URL"),
        );
        check(|config| config.max_body = 0, Some("PORTCULLIS_MAX_BODY"));
        check(|config| config.max_connections = 0, Some("PORTCULLIS_MAX_CONNECTIONS"));
        check(
            |config| config.max_connections = u32::MAX,
            Some("PORTCULLIS_MAX_CONNECTIONS"),
        );
        check(
            |config| config.public_url = Some("scim.example.com".to_owned()),
            Some("PORTCULLIS_PUBLIC_URL"),
        );
        check(
            |config| config.public_url = Some("https://x/scim/v2/".to_owned()),
            Some("PORTCULLIS_PUBLIC_URL"),
        );
        check(
            |config| config.public_url = Some("https://scim.example.com/a/".to_owned()),
            None,
        );
    }

    #[test]
    fn secrets_are_not_printed() {
        assert!(!format!("{:?}", config()).contains("0123456789abcdef"));
    }
}
