//! What a refresh token is answered with, so that the same question has the same answer for a moment, though only hashes are
//! stored: tokens are made of the hash that came, a salt that is stored, and a key that the database does not have. Neither the
//! database nor an old token alone is enough to make them.

use hmac::{Hmac, KeyInit, Mac};
use identity_proto::credential::Kind;
use runtime::Secret as Key;
use sha2::Sha256;

use crate::credentials::secret::Secret;

/// Separates this use of the key from every other.
const CONTEXT: &[u8] = b"portcullis refresh successor 1";

/// The access token and the refresh token that come after the token of this hash.
pub(super) fn pair(key: &Key, sha256: &[u8], salt: &[u8]) -> (Secret, Secret) {
    let of = |kind: Kind, part: &[u8]| {
        #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(key.expose().as_bytes()).expect("any length");
        for part in [CONTEXT, part, sha256, salt] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        Secret::of(kind, mac.finalize().into_bytes().into())
    };
    (of(Kind::Token, b"access"), of(Kind::RefreshToken, b"refresh"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_question_has_the_same_answer_and_no_other_has() {
        let key = Key::new("k".repeat(32));
        let texts = |key: &Key, sha256: &[u8], salt: &[u8]| {
            let (access, refresh) = pair(key, sha256, salt);
            (access.text, refresh.text)
        };
        let first = texts(&key, &[1; 32], &[2; 32]);
        assert_eq!(first, texts(&key, &[1; 32], &[2; 32]));
        for other in [
            texts(&Key::new("other"), &[1; 32], &[2; 32]),
            texts(&key, &[3; 32], &[2; 32]),
            texts(&key, &[1; 32], &[3; 32]),
        ] {
            assert_ne!(first.0, other.0);
            assert_ne!(first.1, other.1);
        }
        assert!(Kind::Token.fits(&first.0) && Kind::RefreshToken.fits(&first.1));
        assert_ne!(first.0[4..], first.1[4..]);
    }
}
