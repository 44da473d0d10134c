//! What the secrets of this service have in common: how they are made, how long they live, what they may allow.

use std::ops::RangeInclusive;

use identity_proto::credential::{Kind, hash};
use identity_proto::identity::v1::ErrorReason;
use prost_types::Duration;

use super::SCOPES;
use crate::Error;

pub(crate) const DAY: i64 = 86_400;
/// How long one lives that nobody says otherwise of.
pub(crate) const LIFETIME: i64 = 365 * DAY;
/// Three years, one of them a leap year.
const LONGEST: i64 = (3 * 365 + 1) * DAY;
/// How long the one before still works after a rotation.
const OVERLAP: i64 = 7 * DAY;

/// A new secret. The text leaves this process once, in an answer.
pub(crate) struct Secret {
    pub(crate) text: String,
    pub(crate) sha256: Vec<u8>,
    /// Its last four characters.
    pub(crate) hint: String,
}

impl Secret {
    /// Of 256 random bits.
    pub(crate) fn random(kind: Kind) -> Result<Self, Error> {
        Ok(Self::of(kind, random()?))
    }

    /// Of these bits.
    pub(crate) fn of(kind: Kind, bits: [u8; 32]) -> Self {
        let text = kind.write(bits);
        Secret {
            sha256: hash(&text).to_vec(),
            hint: text.get(text.len() - 4..).unwrap_or_default().to_owned(),
            text,
        }
    }
}

/// 256 random bits.
pub(crate) fn random() -> Result<[u8; 32], Error> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(|error| Error::internal(error.to_string()))?;
    Ok(random)
}

/// Known scopes, each once; none means all.
pub(crate) fn checked_scopes(mut scopes: Vec<String>) -> Result<Vec<String>, Error> {
    if scopes.is_empty() {
        return Ok(SCOPES.map(str::to_owned).to_vec());
    }
    if scopes.iter().any(|scope| !SCOPES.contains(&scope.as_str())) {
        let message = format!("scopes may be {}", SCOPES.join(" and "));
        return Err(Error::new(ErrorReason::InvalidValue, message).with("attribute", "scopes"));
    }
    scopes.sort();
    scopes.dedup();
    Ok(scopes)
}

/// How long a secret lives, in seconds.
pub(crate) fn checked_lifetime(lifetime: Option<Duration>) -> Result<i64, Error> {
    let message = || format!("it lives for at least a second and at most {} days", LONGEST / DAY);
    seconds(lifetime, LIFETIME, 1..=LONGEST, "lifetime", message)
}

/// How long the one before still works, in seconds.
pub(crate) fn checked_overlap(overlap: Option<Duration>) -> Result<i64, Error> {
    let message = || format!("the overlap is at most {} days", LONGEST / DAY);
    seconds(overlap, OVERLAP, 0..=LONGEST, "overlap", message)
}

/// Whole seconds within `range`; `usual` if none are given.
pub(crate) fn seconds(
    given: Option<Duration>,
    usual: i64,
    range: RangeInclusive<i64>,
    attribute: &'static str,
    message: impl Fn() -> String,
) -> Result<i64, Error> {
    let seconds = given.map_or(usual, |given| given.seconds);
    if range.contains(&seconds) {
        return Ok(seconds);
    }
    Err(Error::new(ErrorReason::InvalidValue, message()).with("attribute", attribute))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_known_and_named_once() {
        let check = |given: &[&str], expect: Option<&[&str]>| {
            let given: Vec<_> = given.iter().map(|&scope| scope.to_owned()).collect();
            assert_eq!(
                checked_scopes(given)
                    .ok()
                    .as_deref()
                    .map(|s| s.iter().map(String::as_str).collect()),
                expect.map(<[_]>::to_vec)
            );
        };
        check(&[], Some(&["scim.read", "scim.write"]));
        check(
            &["scim.write", "scim.read", "scim.write"],
            Some(&["scim.read", "scim.write"]),
        );
        check(&["scim.read"], Some(&["scim.read"]));
        check(&["scim.read", "admin"], None);
        check(&["SCIM.READ"], None);
    }

    #[test]
    fn lifetimes_are_bounded() {
        let check = |seconds: Option<i64>, expect: Option<i64>| {
            let lifetime = seconds.map(|seconds| Duration { seconds, nanos: 0 });
            assert_eq!(checked_lifetime(lifetime).ok(), expect, "{seconds:?}");
        };
        check(None, Some(LIFETIME));
        check(Some(1), Some(1));
        check(Some(LONGEST), Some(LONGEST));
        for wrong in [0, -1, LONGEST + 1, i64::MAX] {
            check(Some(wrong), None);
        }
        let overlap = |seconds| checked_overlap(Some(Duration { seconds, nanos: 0 })).ok();
        assert_eq!((overlap(0), overlap(-1)), (Some(0), None));
    }
}
