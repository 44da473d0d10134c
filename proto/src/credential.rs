//! The form of what is secret: `<prefix><43 base62 digits of 256 random bits>_<6 base62 digits of their CRC-32>`.
//!
//! The prefix lets secret scanners find a leaked one and says what it is; the checksum lets the edge refuse a mistyped one
//! without a look-up, and adds no security. Only the SHA-256 of the whole text is stored, or sent to the core.

use sha2::{Digest, Sha256};

/// What a secret is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `pcs_`: a bearer token with which SCIM is called, static or from the token endpoint.
    Token,
    /// `pcc_`: an OAuth client's secret.
    ClientSecret,
    /// `pca_`: an authorization code.
    Code,
    /// `pcr_`: a refresh token.
    RefreshToken,
}

const PREFIX: usize = 4;
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM_DIGITS: usize = 43;
const CHECKSUM_DIGITS: usize = 6;
const CHALLENGE: usize = 43;
const LENGTH: usize = PREFIX + RANDOM_DIGITS + 1 + CHECKSUM_DIGITS;

impl Kind {
    fn prefix(self) -> &'static str {
        match self {
            Kind::Token => "pcs_",
            Kind::ClientSecret => "pcc_",
            Kind::Code => "pca_",
            Kind::RefreshToken => "pcr_",
        }
    }

    /// Writes 256 random bits.
    pub fn write(self, random: [u8; 32]) -> String {
        let body = base62::<RANDOM_DIGITS>(random);
        let checksum = checksum(&body);
        format!("{}{body}_{checksum}", self.prefix())
    }

    /// Whether `text` has the form and the checksum of this kind; says nothing about whether it exists.
    pub fn fits(self, text: &str) -> bool {
        if text.len() != LENGTH || !text.is_ascii() {
            return false;
        }
        let Some((body, given)) = text.strip_prefix(self.prefix()).and_then(|rest| rest.rsplit_once('_')) else {
            return false;
        };
        body.len() == RANDOM_DIGITS && body.bytes().all(|byte| byte.is_ascii_alphanumeric()) && checksum(body) == given
    }
}

/// The SHA-256 under which it is stored.
pub fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Whether `text` can be a `code_challenge` of the method S256: 32 bytes in base64url (RFC 7636 section 4.2).
pub fn is_challenge(text: &str) -> bool {
    let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    text.len() == CHALLENGE && text.bytes().all(is_base64url)
}

fn checksum(body: &str) -> String {
    base62::<CHECKSUM_DIGITS>(crc32fast::hash(body.as_bytes()).to_be_bytes())
}

/// The big-endian number `bytes` in base 62, with leading zeros: long division, one digit at a time.
fn base62<const COUNT: usize>(bytes: impl AsRef<[u8]>) -> String {
    let mut number = bytes.as_ref().to_vec();
    let mut digits = [b'0'; COUNT];
    for digit in digits.iter_mut().rev() {
        let mut remainder = 0_u32;
        for byte in &mut number {
            let dividend = remainder << 8 | u32::from(*byte);
            *byte = u8::try_from(dividend / 62).expect("the remainder is below 62, so the quotient is below 256");
            remainder = dividend % 62;
        }
        *digit = DIGITS[remainder as usize];
    }
    digits.iter().map(|&digit| char::from(digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [Kind; 4] = [Kind::Token, Kind::ClientSecret, Kind::Code, Kind::RefreshToken];

    #[test]
    fn what_is_written_fits_and_nothing_altered_does() {
        for kind in KINDS {
            let text = kind.write([7; 32]);
            assert!(kind.fits(&text), "{text}");
            for other in KINDS.into_iter().filter(|other| *other != kind) {
                assert!(!other.fits(&text), "{text} is no {other:?}");
            }
            for position in 0..text.len() {
                let mut altered = text.clone().into_bytes();
                altered[position] = if altered[position] == b'x' { b'y' } else { b'x' };
                let altered = String::from_utf8(altered).unwrap();
                assert!(!kind.fits(&altered), "{altered}");
            }
            assert!(!kind.fits(&text[..text.len() - 6]));
            assert!(!kind.fits(""));
            assert!(!kind.fits(&"é".repeat(27)));
        }
    }

    #[test]
    fn a_challenge_is_a_hash_in_base64url() {
        assert!(is_challenge("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"));
        assert!(!is_challenge("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-c"));
        assert!(!is_challenge("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM"));
        assert!(!is_challenge(""));
    }

    #[test]
    fn every_bit_is_written() {
        assert_ne!(Kind::Token.write([0; 32]), Kind::Token.write([255; 32]));
        assert_eq!(Kind::Token.write([0; 32]).len(), LENGTH);
        assert_eq!(Kind::Token.write([255; 32]).len(), LENGTH);
    }
}
