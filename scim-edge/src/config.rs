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
    /// URL of identity-core's gRPC, such as http://identity-core:7001.
    #[arg(long, env = "CORE_URL")]
    pub core_url: String,
    /// The key by which identity-core knows this edge.
    #[arg(long, env = "SERVICE_KEY", hide_env_values = true)]
    pub service_key: Option<Secret>,
    /// A file that holds the service key.
    #[arg(long, env = "SERVICE_KEY_FILE")]
    pub service_key_file: Option<PathBuf>,
    /// The URL under which clients reach this edge, such as https://scim.example.com, without /scim/v2. Without it,
    /// the Host header of each request says it.
    #[arg(long, env = "PUBLIC_URL")]
    pub public_url: Option<String>,
    /// Believe X-Forwarded-Proto, because a proxy in front always sets it.
    #[arg(long, env = "TRUST_FORWARDED", default_value_t = false)]
    pub trust_forwarded: bool,
    /// The largest body that is read, in bytes.
    #[arg(long, env = "MAX_BODY", default_value_t = 1024 * 1024)]
    pub max_body: usize,
    /// The most connections that are open at once; more wait. The process needs as many file descriptors.
    #[arg(long, env = "MAX_CONNECTIONS", default_value_t = 4096)]
    pub max_connections: u32,
}

/// The settings that requests are served by.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Without a slash at its end.
    pub public_url: Option<String>,
    pub trust_forwarded: bool,
    pub max_body: usize,
}

impl Config {
    /// Checks every setting. An error names the setting and says what it may be.
    pub fn check(&self) -> anyhow::Result<()> {
        self.settings()?;
        let key = Secret::from_setting(
            "SERVICE_KEY",
            self.service_key.as_ref(),
            self.service_key_file.as_deref(),
        )?;
        WithServiceKey::new(&key).context("SERVICE_KEY")?;
        let uri: Uri = self
            .core_url
            .parse()
            .with_context(|| format!("CORE_URL is no URL: {:?}", self.core_url))?;
        ensure!(
            matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some(),
            "CORE_URL must begin with http:// or https:// and a host, not {:?}",
            self.core_url
        );
        Ok(())
    }

    pub(crate) fn settings(&self) -> anyhow::Result<Settings> {
        ensure!(
            (1..=MOST_CONNECTIONS).contains(&self.max_connections),
            "MAX_CONNECTIONS must be from 1 to {MOST_CONNECTIONS}, not {}",
            self.max_connections
        );
        ensure!(
            self.max_body >= 1024,
            "MAX_BODY must be at least 1024 bytes, not {}",
            self.max_body
        );
        Ok(Settings {
            public_url: self.public_url.as_deref().map(public_url).transpose()?,
            trust_forwarded: self.trust_forwarded,
            max_body: self.max_body,
        })
    }

    /// Clients of the core; they connect when first used. Must run inside a tokio runtime.
    pub(crate) fn core(&self) -> anyhow::Result<Core> {
        let key = Secret::from_setting(
            "SERVICE_KEY",
            self.service_key.as_ref(),
            self.service_key_file.as_deref(),
        )?;
        let channel = runtime::grpc::channel(&self.core_url).context("CORE_URL")?;
        Ok(Core::new(channel, WithServiceKey::new(&key)?))
    }
}

fn public_url(url: &str) -> anyhow::Result<String> {
    let uri: Uri = url.parse().with_context(|| format!("PUBLIC_URL is no URL: {url:?}"))?;
    ensure!(
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some() && uri.query().is_none(),
        "PUBLIC_URL must be http:// or https:// with a host and no query, not {url:?}"
    );
    let trimmed = url.trim_end_matches('/');
    ensure!(
        !trimmed.ends_with(ROOT),
        "PUBLIC_URL must not end with {ROOT}, which is appended: {url:?}"
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
        match (config.check(), expect) {
            (Ok(()), None) => {}
            (Err(error), Some(name)) => assert!(format!("{error:#}").contains(name), "{error:#}"),
            (found, expect) => panic!("{found:?}, expected {expect:?}"),
        }
    }

    #[test]
    fn a_wrong_setting_is_named() {
        check(|_| {}, None);
        check(|config| config.service_key = None, Some("SERVICE_KEY"));
        check(
            |config| config.service_key = Some(Secret::new("é\u{7}")),
            Some("SERVICE_KEY"),
        );
        check(|config| config.core_url = "127.0.0.1:1".to_owned(), Some("CORE_URL"));
        check(|config| config.core_url = "unix:/x".to_owned(), Some("CORE_URL"));
        check(|config| config.max_body = 0, Some("MAX_BODY"));
        check(|config| config.max_connections = 0, Some("MAX_CONNECTIONS"));
        check(|config| config.max_connections = u32::MAX, Some("MAX_CONNECTIONS"));
        check(
            |config| config.public_url = Some("scim.example.com".to_owned()),
            Some("PUBLIC_URL"),
        );
        check(
            |config| config.public_url = Some("https://x/scim/v2/".to_owned()),
            Some("PUBLIC_URL"),
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
