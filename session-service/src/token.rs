//! The session token: `pss_` and base64url of bucket, tenant, user and 256 random bits.
//!
//! It says where its session lies, so that validation needs no look-up first. Only its SHA-256, the session's id, is
//! stored: the id finds a session and can revoke it, but never validates.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use identity_proto::access::bucket;
use sha2::{Digest, Sha256};
use uuid::Uuid;

const PREFIX: &str = "pss_";
const RANDOM: usize = 32;
const LENGTH: usize = 1 + 16 + 16 + RANDOM;

/// Where a session lies and how it is called there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locator {
    pub bucket: u8,
    pub tenant: Uuid,
    pub user: Uuid,
    /// Lower-case hex SHA-256 of the token.
    pub id: String,
}

impl Locator {
    /// The session of that id, as `ListSessions` names it.
    pub fn named(tenant: Uuid, user: Uuid, id: String) -> Self {
        Locator {
            bucket: bucket(tenant, user),
            tenant,
            user,
            id,
        }
    }
}

/// Writes the token of a new session.
pub fn issue(tenant: Uuid, user: Uuid, random: [u8; RANDOM]) -> (String, Locator) {
    let mut bytes = Vec::with_capacity(LENGTH);
    bytes.push(bucket(tenant, user));
    bytes.extend_from_slice(tenant.as_bytes());
    bytes.extend_from_slice(user.as_bytes());
    bytes.extend_from_slice(&random);
    let token = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
    let locator = Locator::named(tenant, user, id(&token));
    (token, locator)
}

/// Reads a token's form; says nothing about whether its session exists. `None`: it never was a token of ours.
pub fn locate(token: &str) -> Option<Locator> {
    let mut bytes = [0; LENGTH + 2];
    let length = URL_SAFE_NO_PAD
        .decode_slice(token.strip_prefix(PREFIX)?, &mut bytes)
        .ok()?;
    if length != LENGTH {
        return None;
    }
    let tenant = Uuid::from_slice(&bytes[1..17]).ok()?;
    let user = Uuid::from_slice(&bytes[17..33]).ok()?;
    let locator = Locator::named(tenant, user, id(token));
    (locator.bucket == bytes[0]).then_some(locator)
}

fn id(token: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(token.as_bytes()) {
        hex.extend([byte >> 4, byte & 15].map(|digit| char::from(DIGITS[usize::from(digit)])));
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leads_to_its_session() {
        let (tenant, user) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let (token, locator) = issue(tenant, user, [9; 32]);
        assert_eq!(locate(&token), Some(locator.clone()));
        assert_eq!((locator.tenant, locator.user, locator.id.len()), (tenant, user, 64));
        assert!(!token.contains(&locator.id));
    }

    #[test]
    fn what_is_no_token_leads_nowhere() {
        let (token, _) = issue(Uuid::from_u128(1), Uuid::from_u128(2), [9; 32]);
        let mut other_bucket = URL_SAFE_NO_PAD.decode(token.strip_prefix(PREFIX).unwrap()).unwrap();
        other_bucket[0] ^= 1;
        let other_bucket = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(other_bucket));
        for wrong in [
            "",
            "pss_",
            &token[4..],
            &token[..token.len() - 1],
            &format!("{token}A"),
            &other_bucket,
        ] {
            assert_eq!(locate(wrong), None, "{wrong}");
        }
        assert_eq!(locate(&"A".repeat(100_000)), None);
    }
}
