//! Where Portcullis is, and how the people of each tenant log in.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, ensure};
use openidconnect::{ClientId, ClientSecret, IssuerUrl};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::users::Match;

/// Logs people in through the OpenID provider of their tenant.
#[derive(clap::Parser)]
pub struct Settings {
    /// The folder of `portcullis dev`, whose dev.json says what is not given otherwise
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// URLs of all identity-cores, separated by commas
    #[arg(long, env = "IDENTITY_GRPC")]
    identity_grpc: Option<String>,
    /// URLs of all session services, separated by commas
    #[arg(long, env = "SESSION_GRPC")]
    session_grpc: Option<String>,
    /// A service key of the role platform
    #[arg(long, env = "SERVICE_KEY", hide_env_values = true)]
    service_key: Option<String>,
    /// A JSON file: how the people of each tenant log in
    #[arg(long, env = "TENANTS")]
    tenants: PathBuf,
    /// Where it is served
    #[arg(long, env = "LISTEN", default_value = "127.0.0.1:3000")]
    pub listen: SocketAddr,
    /// How browsers reach it, without a slash at the end; not given: where it listens
    #[arg(long, env = "PUBLIC_URL")]
    pub public_url: Option<String>,
}

/// The settings, all of them.
pub struct Place {
    pub identity_grpc: String,
    pub session_grpc: String,
    pub service_key: String,
    /// By the name that stands in the path of their pages.
    pub tenants: BTreeMap<String, Tenant>,
}

/// How the people of one tenant log in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tenant {
    /// Not given: the one of dev.json.
    #[serde(rename = "tenant_id", default)]
    pub id: String,
    pub issuer: IssuerUrl,
    pub client_id: ClientId,
    pub client_secret: Option<ClientSecret>,
    /// Which user of the tenant somebody is.
    pub user: Match,
}

/// What is read of dev.json.
#[derive(Default, Deserialize)]
struct Description {
    identity_grpc: Option<String>,
    session_grpc: Option<String>,
    service_key: Option<String>,
    tenant_id: Option<String>,
}

impl Settings {
    /// What was given, or else what dev.json says.
    pub fn place(&self) -> anyhow::Result<Place> {
        let described = match &self.data_dir {
            Some(folder) => read(&folder.join("dev.json"))?,
            None => Description::default(),
        };
        let one = |name: &str, given: Option<String>, described: Option<String>| {
            let missing = || anyhow!("set {name}, or give the folder of a running `portcullis dev` as --data-dir");
            given.or(described).ok_or_else(missing)
        };
        let mut tenants: BTreeMap<String, Tenant> = read(&self.tenants)?;
        for (name, tenant) in &mut tenants {
            let id = Some(tenant.id.clone()).filter(|id| !id.is_empty());
            tenant.id = one(&format!("tenant_id of {name}"), id, described.tenant_id.clone())?;
        }
        check(&tenants).with_context(|| format!("{}", self.tenants.display()))?;
        Ok(Place {
            identity_grpc: one("IDENTITY_GRPC", self.identity_grpc.clone(), described.identity_grpc)?,
            session_grpc: one("SESSION_GRPC", self.session_grpc.clone(), described.session_grpc)?,
            service_key: one("SERVICE_KEY", self.service_key.clone(), described.service_key)?,
            tenants,
        })
    }
}

/// An issuer vouches for the people of one tenant: with two, whoever is known to one could log in to the other.
fn check(tenants: &BTreeMap<String, Tenant>) -> anyhow::Result<()> {
    let mut issuers = BTreeSet::new();
    for (name, tenant) in tenants {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        ensure!(
            !name.is_empty() && name.chars().all(plain),
            "the tenant {name:?} stands in paths: use a-z, 0-9 and -"
        );
        let (issuer, url) = (tenant.issuer.as_str(), tenant.issuer.url());
        let here = matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"));
        ensure!(
            url.scheme() == "https" || here,
            "the issuer {issuer} says who people are: it must begin with https://"
        );
        ensure!(issuers.insert(issuer), "the issuer {issuer} is that of two tenants");
    }
    Ok(())
}

fn read<T: DeserializeOwned>(file: &Path) -> anyhow::Result<T> {
    let named = || format!("{}", file.display());
    serde_json::from_str(&std::fs::read_to_string(file).with_context(named)?).with_context(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenants(text: &str) -> anyhow::Result<()> {
        check(&serde_json::from_str(text)?)
    }

    #[test]
    fn an_issuer_is_that_of_one_tenant() {
        let tenant = |issuer: &str| {
            format!(r#"{{"issuer": "{issuer}", "client_id": "portal", "user": {{"attribute": "workEmail"}}}}"#)
        };
        let two = |a: &str, b: &str| format!(r#"{{"acme": {}, "globex": {}}}"#, tenant(a), tenant(b));
        tenants(&two("https://a.example", "https://b.example")).expect("one each");
        tenants(&two("https://a.example", "https://a.example")).expect_err("one for both");
        tenants(&two("https://a.example", "http://127.0.0.1:9000")).expect("this machine needs no TLS");
        tenants(&two("https://a.example", "http://b.example")).expect_err("anybody could answer for it");
        tenants(&format!(r#"{{"a/b": {}}}"#, tenant("https://a.example"))).expect_err("no name for a path");
    }

    #[test]
    fn a_user_is_found_by_exactly_one_attribute() {
        let check = |user: &str, works: bool| {
            let text =
                format!(r#"{{"acme": {{"issuer": "https://a.example", "client_id": "portal", "user": {user}}}}}"#);
            assert_eq!(tenants(&text).is_ok(), works, "{user}");
        };
        check(r#"{"attribute": "userName", "claim": "preferred_username"}"#, true);
        check(r#"{"attribute": "externalId", "claim": "oid"}"#, true);
        check(r#"{"attribute": "primaryEmail"}"#, true);
        check(r#"{"attribute": "userName"}"#, false);
        check(r#"{"attribute": "displayName", "claim": "name"}"#, false);
        check(r#"{"attribute": ["userName", "externalId"], "claim": "sub"}"#, false);
        check(r#"{"attribute": "userName", "claim": "upn", "or": "workEmail"}"#, false);
    }
}
