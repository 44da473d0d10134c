//! Service keys: how one service of the platform proves to another who it is. A key has a name for the logs, a role
//! that the receiving service maps to methods, and, where wanted, a list of tenants that it is limited to.
//!
//! They are configured as `name:role:key[:tenant+tenant…]`, separated by commas. Only SHA-256 hashes stay in memory.

use anyhow::{Context, bail, ensure};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};
use tonic::service::Interceptor;
use tonic::{Request, Status};
use uuid::Uuid;

use crate::{Secret, request};

const MIN_KEY: usize = 16;

/// One key that a service accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceKey {
    /// Who holds it, for logs.
    pub name: String,
    /// What the holder may do; each service maps roles to methods.
    pub role: String,
    /// The tenant ids that it is limited to, each as an UUID is usually written; empty: all.
    pub tenants: Vec<String>,
    hash: [u8; 32],
}

impl ServiceKey {
    /// Whether the key may be used for this tenant id, in lower case with hyphens.
    pub fn covers(&self, tenant: &str) -> bool {
        self.tenants.is_empty() || self.tenants.iter().any(|one| one == tenant)
    }
}

/// All keys that a service accepts.
#[derive(Clone, Debug, Default)]
pub struct ServiceKeys(Vec<ServiceKey>);

impl ServiceKeys {
    /// Reads `name:role:key[:tenant+tenant…]`, separated by commas. `roles` are the ones that the service knows.
    pub fn parse(setting: &str, text: &Secret, roles: &[&str]) -> anyhow::Result<Self> {
        let keys: Vec<_> = text
            .expose()
            .split(',')
            .map(|entry| parse_key(entry.trim(), roles).with_context(|| format!("{setting} is wrong")))
            .collect::<Result<_, _>>()?;
        Ok(ServiceKeys(keys))
    }

    /// The key that a request carries as `authorization: Bearer <key>`, if it is one of these. Every key is compared,
    /// in constant time.
    pub fn authenticate(&self, metadata: &MetadataMap) -> Option<&ServiceKey> {
        let header = metadata.get("authorization")?.to_str().ok()?;
        let hash: [u8; 32] = Sha256::digest(header.strip_prefix("Bearer ")?.as_bytes()).into();
        self.0.iter().fold(None, |found, key| {
            if bool::from(key.hash.ct_eq(&hash)) {
                Some(key)
            } else {
                found
            }
        })
    }
}

fn parse_key(entry: &str, roles: &[&str]) -> anyhow::Result<ServiceKey> {
    let mut parts = entry.split(':');
    let (Some(name), Some(role), Some(key), tenants, None) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        bail!("an entry is name:role:key or name:role:key:tenant+tenant");
    };
    ensure!(
        roles.contains(&role),
        "role {role:?} of {name:?} is unknown; it may be {}",
        roles.join(", ")
    );
    ensure!(
        key.len() >= MIN_KEY,
        "the key of {name:?} is shorter than {MIN_KEY} characters"
    );
    Ok(ServiceKey {
        name: name.to_owned(),
        role: role.to_owned(),
        tenants: tenants
            .map(|list| parse_tenants(name, list))
            .transpose()?
            .unwrap_or_default(),
        hash: Sha256::digest(key.as_bytes()).into(),
    })
}

/// Any spelling of an UUID is taken. Anything else would be a limit that no tenant meets, or no limit at all.
fn parse_tenants(name: &str, list: &str) -> anyhow::Result<Vec<String>> {
    let id = |text: &str| {
        let id = Uuid::parse_str(text)
            .with_context(|| format!("{text:?}, a tenant of {name:?}, is no tenant id; give the id, not the name"))?;
        Ok(id.hyphenated().to_string())
    };
    list.split('+').map(|text| id(text.trim())).collect()
}

/// Client side: puts the service's own key on every call, and which request the call is for.
#[derive(Clone)]
pub struct WithServiceKey(MetadataValue<Ascii>);

impl WithServiceKey {
    /// Fails when the key is not printable ASCII.
    pub fn new(key: &Secret) -> anyhow::Result<Self> {
        let mut value: MetadataValue<Ascii> = format!("Bearer {}", key.expose())
            .parse()
            .context("a service key must be printable ASCII")?;
        value.set_sensitive(true);
        Ok(WithServiceKey(value))
    }
}

impl Interceptor for WithServiceKey {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        request::carry(request.metadata_mut());
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "edge:edge:0123456789abcdef, billing:platform:fedcba9876543210:\
        0190C3A0-0000-7000-8000-000000000001+0190c3a0000070008000000000000002";

    fn keys(text: &str) -> anyhow::Result<ServiceKeys> {
        ServiceKeys::parse("PORTCULLIS_SERVICE_KEYS", &Secret::new(text), &["edge", "platform"])
    }

    fn carrying(header: &str) -> MetadataMap {
        let mut metadata = MetadataMap::new();
        metadata.insert("authorization", header.parse().unwrap());
        metadata
    }

    #[test]
    fn a_known_key_is_found_and_an_unknown_one_is_not() {
        let keys = keys(TEXT).unwrap();
        let billing = keys.authenticate(&carrying("Bearer fedcba9876543210")).unwrap();
        assert_eq!((billing.name.as_str(), billing.role.as_str()), ("billing", "platform"));
        for (tenant, covered) in [(1, true), (2, true), (3, false)] {
            let id = format!("0190c3a0-0000-7000-8000-00000000000{tenant}");
            assert_eq!(billing.covers(&id), covered, "{id}");
        }
        for header in [
            "Bearer fedcba987654321",
            "fedcba9876543210",
            "Basic fedcba9876543210",
            "Bearer ",
        ] {
            assert!(keys.authenticate(&carrying(header)).is_none(), "{header}");
        }
        assert!(keys.authenticate(&MetadataMap::new()).is_none());
    }

    #[test]
    fn a_wrong_setting_says_what_is_wrong() {
        for (text, message) in [
            ("edge", "an entry is"),
            ("a:nobody:0123456789abcdef", "role \"nobody\""),
            ("a:edge:short", "shorter than 16"),
            ("a:edge:0123456789abcdef:t:x", "an entry is"),
            (
                "a:edge:0123456789abcdef:acme",
                "\"acme\", a tenant of \"a\", is no tenant id",
            ),
            ("a:edge:0123456789abcdef:", "is no tenant id"),
            (
                "a:edge:0123456789abcdef:0190c3a0-0000-7000-8000-000000000001+",
                "is no tenant id",
            ),
        ] {
            let error = format!("{:#}", keys(text).unwrap_err());
            assert!(
                error.starts_with("PORTCULLIS_SERVICE_KEYS is wrong") && error.contains(message),
                "{text}: {error}"
            );
        }
    }
}
