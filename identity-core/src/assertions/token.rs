//! One assertion as text: a JWT in compact form (RFC 7515, 7519). Its parts are read into types of our own, in which a value of the wrong type
//! is an error and never an absence.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use identity_proto::identity::v1::ErrorReason;
use jsonwebtoken::{Algorithm, crypto};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use super::jwk::Key;
use super::{Claims, Expected};
use crate::Error;

/// The longest assertion that is read, in bytes.
const MAX_LENGTH: usize = 16 * 1024;
/// How far the signer's clock may be off, in seconds.
const LEEWAY: i64 = 60;
/// How far ahead an assertion may expire, in seconds: its id must be remembered for as long.
const MAX_LIFETIME: i64 = 24 * 60 * 60;
/// The longest id, in characters.
const MAX_ID: usize = 256;

/// An assertion that can be read, and no more.
pub(super) struct Assertion<'a> {
    algorithm: Algorithm,
    kid: Option<String>,
    payload: Payload,
    /// What is signed.
    message: &'a str,
    /// In base64url.
    signature: &'a str,
}

/// Parameters that would say where the key is are not read.
#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default, deserialize_with = "present")]
    kid: Option<String>,
    #[serde(default, deserialize_with = "present")]
    crit: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Payload {
    iss: String,
    sub: String,
    aud: Audience,
    exp: f64,
    #[serde(default, deserialize_with = "present")]
    nbf: Option<f64>,
    #[serde(default, deserialize_with = "present")]
    iat: Option<f64>,
    #[serde(default, deserialize_with = "present")]
    jti: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// A member that is there has a value: null is none.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(value: D) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

impl<'a> Assertion<'a> {
    /// Fails unless it is a JWT that one of the algorithms of ours signs. Says nothing of the signature.
    pub(super) fn parse(text: &'a str) -> Result<Self, Error> {
        let [header, payload, signature] = parts(text)?;
        let header: Header = json(header).ok_or_else(|| {
            refused("'s header is not JSON in base64url, or its members are of the wrong type: alg and kid are strings")
        })?;
        let algorithm = algorithm(&header.alg)
            .ok_or_else(|| refused(" is signed by another algorithm (alg) than RS256, PS256, ES256 and EdDSA"))?;
        if header.crit.is_some() {
            return Err(refused("'s header has crit, of which no extension is understood"));
        }
        let payload = json(payload).ok_or_else(|| {
            refused(
                "'s claims are not JSON in base64url, or iss, sub, aud or exp is missing, or one is of the wrong type: iss, \
                 sub and jti are strings, aud is a string or a list of strings, exp, nbf and iat are numbers",
            )
        })?;
        Ok(Assertion {
            algorithm,
            kid: header.kid,
            payload,
            message: text.get(..text.len() - signature.len() - 1).unwrap_or_default(),
            signature,
        })
    }

    /// Whether it is for this client, and for now. Says nothing of the signature.
    pub(super) fn check(&self, expect: &Expected<'_>, now: i64) -> Result<Claims, Error> {
        let claims = &self.payload;
        let audience = match &claims.aud {
            Audience::One(one) => one == expect.audience,
            Audience::Several(several) => several.iter().any(|one| one == expect.audience),
        };
        for (same, message) in [
            (
                claims.iss == expect.issuer,
                "'s issuer (iss) is not the one that this client was created with",
            ),
            (
                claims.sub == expect.subject,
                "'s subject (sub) is not the one that this client was created with",
            ),
            (
                audience,
                "'s audience (aud) is not, and does not hold, the one that this client was created with",
            ),
        ] {
            if !same {
                return Err(refused(message));
            }
        }
        let ahead = |time: f64| time - seconds(now);
        if ahead(claims.exp) <= seconds(-LEEWAY) {
            return Err(refused(" has expired (exp); is the clock of its signer right?"));
        }
        if ahead(claims.exp) > seconds(MAX_LIFETIME) {
            return Err(refused(
                " expires (exp) in more than 24 hours; let its signer make shorter ones",
            ));
        }
        for time in [claims.nbf, claims.iat].into_iter().flatten() {
            if ahead(time) > seconds(LEEWAY) {
                return Err(refused(
                    " is not valid yet (nbf or iat); is the clock of its signer right?",
                ));
            }
        }
        if claims.jti.as_ref().is_some_and(|id| id.chars().count() > MAX_ID) {
            return Err(refused("'s id (jti) is longer than 256 characters"));
        }
        #[expect(clippy::cast_possible_truncation, reason = "it is within a day of now")]
        let expires = claims.exp.ceil() as i64 + LEEWAY;
        Ok(Claims {
            jti: claims.jti.clone(),
            expires,
        })
    }

    /// Whether one of the keys that it may be signed by did sign it.
    pub(super) fn is_signed_by(&self, keys: &[Key]) -> bool {
        keys.iter()
            .filter(|key| self.names(key) && key.fits(self.algorithm))
            .any(|key| {
                let message = self.message.as_bytes();
                crypto::verify(self.signature, message, key.verifying(), self.algorithm).unwrap_or(false)
            })
    }

    /// Whether it says which key signed it, and that is among these.
    pub(super) fn names_one_of(&self, keys: &[Key]) -> bool {
        self.kid.is_some() && keys.iter().any(|key| self.names(key))
    }

    /// An assertion that names no key may be signed by any.
    fn names(&self, key: &Key) -> bool {
        self.kid.is_none() || self.kid == key.id
    }
}

/// Whom an assertion says it is from and about. Nothing is verified: good for finding the client whose
/// [`Expected`](super::Expected) it must then be verified with, and for nothing else.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Unverified {
    #[serde(rename = "iss")]
    pub(crate) claimed_issuer: String,
    #[serde(rename = "sub")]
    pub(crate) claimed_subject: String,
}

impl Unverified {
    /// None where it cannot be read, or is longer than an assertion may be.
    pub(crate) fn read(assertion: &str) -> Option<Self> {
        let [_, payload, _] = parts(assertion).ok()?;
        json(payload)
    }
}

fn parts(text: &str) -> Result<[&str; 3], Error> {
    if text.len() > MAX_LENGTH {
        return Err(refused(" is longer than 16 KiB"));
    }
    let mut parts = text.split('.');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(header), Some(payload), Some(signature), None) => Ok([header, payload, signature]),
        _ => Err(refused(
            " is not a signed JWT, which has three parts with dots between them",
        )),
    }
}

/// A part of a JWT: an object, as a list would be read by position.
fn json<T: DeserializeOwned>(part: &str) -> Option<T> {
    let text = BASE64_URL_SAFE_NO_PAD.decode(part).ok()?;
    let is_object = text.trim_ascii_start().starts_with(b"{");
    is_object.then(|| serde_json::from_slice(&text).ok()).flatten()
}

/// The algorithms that are accepted: what Entra, Okta and the clouds sign with. None is a secret's, and `none` is none.
fn algorithm(name: &str) -> Option<Algorithm> {
    match name {
        "RS256" => Some(Algorithm::RS256),
        "PS256" => Some(Algorithm::PS256),
        "ES256" => Some(Algorithm::ES256),
        "EdDSA" => Some(Algorithm::EdDSA),
        _ => None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact until the year 285 million")]
fn seconds(whole: i64) -> f64 {
    whole as f64
}

fn refused(what: &str) -> Error {
    Error::new(ErrorReason::ClientInvalid, format!("the assertion{what}"))
}
