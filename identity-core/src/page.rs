//! Page tokens: where the next page begins, signed, and bound to the list that they came from. They are cursors in the
//! sense of RFC 9865 and hold no state of ours.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use identity_proto::identity::v1::ErrorReason;
use runtime::Secret;
use sha2::Sha256;
use uuid::Uuid;

use crate::Error;

/// Separates this use of the key from every other.
const CONTEXT: &[u8] = b"portcullis page token 1";
const TAG: usize = 32;

/// Signs and reads page tokens.
#[derive(Clone)]
pub struct PageTokens {
    key: Secret,
}

impl PageTokens {
    /// Tokens under this key.
    pub fn new(key: Secret) -> Self {
        PageTokens { key }
    }

    /// A token for the page after `last`, in the list that `list` describes: whose it is, of what, by which filter.
    pub fn sign(&self, list: &[&[u8]], last: &[u8]) -> String {
        let tag = self.mac(list, last).finalize().into_bytes();
        URL_SAFE_NO_PAD.encode([last, &tag].concat())
    }

    /// What [`PageTokens::sign`] was given, if the token is one of ours for this very list.
    pub fn verify(&self, list: &[&[u8]], token: &str) -> Result<Vec<u8>, Error> {
        self.open(list, token).ok_or_else(|| {
            let message = "the page token does not belong to this list; begin with the first page again, and keep the \
                           filter the same from page to page";
            Error::new(ErrorReason::PageTokenInvalid, message)
        })
    }

    /// The id that a token goes on from; `None` for the first page, which has no token.
    pub(crate) fn after(&self, list: &[&[u8]], token: &str) -> Result<Option<Uuid>, Error> {
        match token {
            "" => Ok(None),
            token => Ok(Some(
                Uuid::from_slice(&self.verify(list, token)?).map_err(Error::internal)?,
            )),
        }
    }

    fn open(&self, list: &[&[u8]], token: &str) -> Option<Vec<u8>> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (last, tag) = bytes.split_at_checked(bytes.len().checked_sub(TAG)?)?;
        self.mac(list, last).verify_slice(tag).ok()?;
        Some(last.to_vec())
    }

    /// Every part is preceded by its length, so that no two lists read the same.
    fn mac(&self, list: &[&[u8]], last: &[u8]) -> Hmac<Sha256> {
        #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.expose().as_bytes()).expect("any length");
        for part in [&[CONTEXT, last], list].concat() {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(key: &str) -> PageTokens {
        PageTokens::new(Secret::new(key))
    }

    #[test]
    fn a_token_opens_only_its_own_list() {
        let token = tokens("k").sign(&[b"tenant", b"filter"], b"last");
        let check = |key: &str, list: &[&[u8]], token: &str, expect: Option<&[u8]>| {
            let opened = tokens(key).verify(list, token).ok();
            assert_eq!(opened.as_deref(), expect, "{list:?} {token}");
        };
        check("k", &[b"tenant", b"filter"], &token, Some(b"last"));
        check("other", &[b"tenant", b"filter"], &token, None);
        check("k", &[b"tenan", b"tfilter"], &token, None);
        check("k", &[b"tenant"], &token, None);
        check("k", &[b"tenant", b"filter"], &token[1..], None);
        for broken in ["", "AAAA", "%", &format!("{token}A")] {
            check("k", &[b"tenant", b"filter"], broken, None);
        }
    }
}
