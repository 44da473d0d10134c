//! Assertions that a client signs in place of a secret (RFC 7521 and 7523, `private_key_jwt`), such as Entra's workload
//! identity federation sends. The client was created with an issuer, a subject, an audience and the URL of the issuer's
//! keys (RFC 7517). Nothing that an assertion says of itself is believed beyond that: its header names an algorithm out of
//! four and a key out of the set; keys and URLs in it are never looked at.
//!
//! The claims are compared before the signature, so that nobody has keys fetched with an assertion for another client.
//! What is refused says which setting differs, but not what the assertion has there.

mod address;
mod fetch;
mod jwk;
mod keys;
mod source;
#[cfg(test)]
mod tests;
mod token;

use std::sync::Arc;

use identity_proto::identity::v1::ErrorReason;

pub(crate) use source::{PrivateHosts, check_url};
pub(crate) use token::Unverified;

use crate::Error;
use fetch::Fetcher;
use keys::KeySets;
use token::Assertion;

/// What a client was created with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected<'a> {
    /// The claim `iss`, letter for letter.
    pub(crate) issuer: &'a str,
    /// Where the issuer's keys are, as [`check_url`] accepts it.
    pub(crate) jwks_url: &'a str,
    /// The claim `sub`, letter for letter.
    pub(crate) subject: &'a str,
    /// What the claim `aud` is, or holds.
    pub(crate) audience: &'a str,
}

/// What a verified assertion says further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claims {
    /// Its id, of at most 256 characters. Whether it was used before is the caller's to know.
    pub(crate) jti: Option<String>,
    /// From which second of the epoch on it is refused, leeway included: for so long its id must be remembered.
    pub(crate) expires: i64,
}

/// Verifies assertions, with the issuers' keys at hand. Clones share them.
#[derive(Clone)]
pub(crate) struct Assertions {
    keys: Arc<KeySets<Fetcher>>,
}

impl Assertions {
    /// With no keys yet. `private_hosts` are those of `PORTCULLIS_JWKS_PRIVATE_HOSTS`.
    pub(crate) fn new(private_hosts: PrivateHosts) -> Self {
        Assertions {
            keys: KeySets::new(Fetcher::new(private_hosts)),
        }
    }

    /// Says what an assertion claims that is signed by a key of `expect.jwks_url`, and for this client, and now: in seconds
    /// of the epoch, by PostgreSQL's clock. `ClientInvalid` when it is not, or when the URL gives no keys; `Unavailable` when
    /// its source is down.
    pub(crate) async fn verify(
        &self,
        assertion: &str,
        expect: &Expected<'_>,
        now_seconds: i64,
    ) -> Result<Claims, Error> {
        let assertion = Assertion::parse(assertion)?;
        let claims = assertion.check(expect, now_seconds)?;
        let known = self.keys.current(expect.jwks_url).await?;
        if assertion.is_signed_by(&known.keys) {
            return Ok(claims);
        }
        // The issuer may have a new key by now; but not when it is one that we know that did not sign.
        if !assertion.names_one_of(&known.keys) {
            let newer = self.keys.newer(expect.jwks_url, known.fetched).await?;
            if newer.fetched != known.fetched && assertion.is_signed_by(&newer.keys) {
                return Ok(claims);
            }
        }
        let message = "the assertion is not signed by a key of the JWKS URL that this client was created with";
        Err(Error::new(ErrorReason::ClientInvalid, message))
    }
}
