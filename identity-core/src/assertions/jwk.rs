//! The keys of an issuer, as it publishes them (RFC 7517, 7518, 8037).

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

/// The most keys of a set.
const MAX_KEYS: usize = 100;
/// The shortest modulus of an RSA key, in bits.
const MIN_RSA_BITS: usize = 2_048;

/// A public key that can sign assertions.
pub(super) struct Key {
    /// As assertions name it.
    pub(super) id: Option<String>,
    kind: Kind,
    /// The one algorithm that its publisher says it is for.
    algorithm: Option<String>,
    verifying: DecodingKey,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rsa,
    P256,
    Ed25519,
}

/// A set in which the keys are not looked at yet.
#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// The keys of a set that can sign assertions; the others are left out, as RFC 7517 asks for those that are not understood. None
/// where the text is not a set, or one of more than 100 keys.
pub(super) fn read_set(text: &[u8]) -> Option<Vec<Key>> {
    let set: Set = serde_json::from_slice(text).ok()?;
    (set.keys.len() <= MAX_KEYS).then(|| set.keys.into_iter().filter_map(Key::read).collect())
}

impl Key {
    /// None unless it is a public key of a kind that we know, strong enough, and for signatures.
    pub(super) fn read(jwk: Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(jwk).ok()?;
        let usage = jwk.usage.as_deref().is_none_or(|usage| usage == "sig");
        let verify = |ops: &Vec<String>| ops.iter().any(|op| op == "verify");
        if !usage || !jwk.key_ops.as_ref().is_none_or(verify) {
            return None;
        }
        let (kind, verifying) = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", None) => {
                let (modulus, exponent) = (decode(jwk.n)?, decode(jwk.e)?);
                if bits(&modulus) < MIN_RSA_BITS {
                    return None;
                }
                (Kind::Rsa, DecodingKey::from_rsa_raw_components(&modulus, &exponent))
            }
            // The point in its uncompressed form.
            ("EC", Some("P-256")) => {
                let point = [&[4][..], &decode_32(jwk.x)?, &decode_32(jwk.y)?].concat();
                (Kind::P256, DecodingKey::from_ec_der(&point))
            }
            ("OKP", Some("Ed25519")) => (Kind::Ed25519, DecodingKey::from_ed_der(&decode_32(jwk.x)?)),
            _ => return None,
        };
        Some(Key {
            id: jwk.kid,
            kind,
            algorithm: jwk.alg,
            verifying,
        })
    }

    /// Whether it may verify what this algorithm signed.
    pub(super) fn fits(&self, algorithm: Algorithm) -> bool {
        let (kind, name) = match algorithm {
            Algorithm::RS256 => (Kind::Rsa, "RS256"),
            Algorithm::PS256 => (Kind::Rsa, "PS256"),
            Algorithm::ES256 => (Kind::P256, "ES256"),
            Algorithm::EdDSA => (Kind::Ed25519, "EdDSA"),
            _ => return false,
        };
        self.kind == kind && self.algorithm.as_deref().is_none_or(|only| only == name)
    }

    /// For the library that verifies.
    pub(super) fn verifying(&self) -> &DecodingKey {
        &self.verifying
    }
}

fn decode(text: Option<String>) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(text?).ok()
}

/// A coordinate of either curve.
fn decode_32(text: Option<String>) -> Option<[u8; 32]> {
    decode(text)?.try_into().ok()
}

/// The length of a number. Zeros in front of it are none of its bits.
fn bits(number: &[u8]) -> usize {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let first = number.get(zeros).map_or(0, |byte| byte.leading_zeros() as usize);
    (number.len() - zeros) * 8 - first
}
