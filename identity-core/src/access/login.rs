//! Login tokens: what a login was begun with, signed by the core, so that the end of the login can be judged against
//! its beginning.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use identity_proto::identity::v1::ErrorReason;
use prost::Message;
use runtime::Secret;
use sha2::Sha256;
use uuid::Uuid;

use crate::Error;

/// Separates this use of the key from every other.
const CONTEXT: &[u8] = b"portcullis login token 1";
const TAG: usize = 32;
/// Longer than any snapshot of a database with a few hundred connections.
const MAX_LENGTH: usize = 16_384;

/// The content of a login token.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Login {
    #[prost(bytes = "vec", tag = "1")]
    jti: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    tenant: Vec<u8>,
    /// Microseconds of PostgreSQL's clock.
    #[prost(int64, tag = "3")]
    pub expires: i64,
    /// `pg_current_snapshot()` when the login began.
    #[prost(string, tag = "4")]
    pub snapshot: String,
    /// Transaction ids of another incarnation say nothing.
    #[prost(string, tag = "5")]
    pub pg_incarnation: String,
}

impl Login {
    /// A login that begins now.
    pub fn begin(tenant: Uuid, expires: i64, snapshot: String, pg_incarnation: String) -> Self {
        let jti = Uuid::new_v4().as_bytes().to_vec();
        Login {
            jti,
            tenant: tenant.as_bytes().to_vec(),
            expires,
            snapshot,
            pg_incarnation,
        }
    }

    /// The login's own id.
    pub fn jti(&self) -> Uuid {
        Uuid::from_slice(&self.jti).unwrap_or_default()
    }

    /// Whose login it is.
    pub fn tenant(&self) -> Uuid {
        Uuid::from_slice(&self.tenant).unwrap_or_default()
    }

    /// The signed token.
    pub fn sign(&self, key: &Secret) -> String {
        let mut bytes = self.encode_to_vec();
        let tag = mac(key, &bytes).finalize().into_bytes();
        bytes.extend_from_slice(&tag);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a token that this key signed; says nothing about its expiry.
    pub fn verify(key: &Secret, token: &str) -> Result<Self, Error> {
        Self::open(key, token).ok_or_else(|| {
            let message = "the login token is not one of ours; begin the login again with BeginLogin";
            Error::new(ErrorReason::LoginInvalid, message)
        })
    }

    fn open(key: &Secret, token: &str) -> Option<Self> {
        if token.len() > MAX_LENGTH {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (content, tag) = bytes.split_at_checked(bytes.len().checked_sub(TAG)?)?;
        mac(key, content).verify_slice(tag).ok()?;
        Self::decode(content).ok()
    }
}

fn mac(key: &Secret, content: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose().as_bytes()).expect("HMAC takes a key of any length");
    mac.update(CONTEXT);
    mac.update(content);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_unaltered_token_of_the_same_key_is_read() {
        let key = Secret::new("k".repeat(32));
        let login = Login::begin(Uuid::from_u128(7), 1_000, "10:20:11".into(), "pg".into());
        let token = login.sign(&key);
        let read = Login::verify(&key, &token).unwrap();
        assert_eq!(read, login);
        assert_eq!(read.tenant(), Uuid::from_u128(7));
        assert!(Login::verify(&Secret::new("other"), &token).is_err());
        for position in 0..token.len() {
            let mut altered = token.clone().into_bytes();
            altered[position] = if altered[position] == b'A' { b'B' } else { b'A' };
            assert!(
                Login::verify(&key, &String::from_utf8(altered).unwrap()).is_err(),
                "{position}"
            );
        }
        for garbage in ["", "x", "AAAA", &"A".repeat(20_000)] {
            assert!(Login::verify(&key, garbage).is_err());
        }
    }
}
