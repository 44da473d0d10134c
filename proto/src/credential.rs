//! The form of a SCIM bearer token: `pcs_<43 base62 digits of 256 random bits>_<6 base62 digits of their CRC-32>`.
//!
//! The prefix lets secret scanners find a leaked token; the checksum lets the edge refuse a mistyped one without a
//! look-up, and adds no security. Only the SHA-256 of the whole token is stored or sent between processes.

use sha2::{Digest, Sha256};

const PREFIX: &str = "pcs_";
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM_DIGITS: usize = 43;
const CHECKSUM_DIGITS: usize = 6;
const LENGTH: usize = PREFIX.len() + RANDOM_DIGITS + 1 + CHECKSUM_DIGITS;

/// Writes the token of 256 random bits.
pub fn token(random: [u8; 32]) -> String {
    let body = base62::<RANDOM_DIGITS>(random);
    let checksum = checksum(&body);
    format!("{PREFIX}{body}_{checksum}")
}

/// Whether `token` has the form and the checksum of a token; says nothing about whether it exists.
pub fn well_formed(token: &str) -> bool {
    if token.len() != LENGTH || !token.is_ascii() {
        return false;
    }
    let Some((body, given)) = token.strip_prefix(PREFIX).and_then(|rest| rest.rsplit_once('_')) else {
        return false;
    };
    body.len() == RANDOM_DIGITS && body.bytes().all(|byte| byte.is_ascii_alphanumeric()) && checksum(body) == given
}

/// The SHA-256 under which a token is stored.
pub fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
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

    #[test]
    fn a_token_is_well_formed_and_no_altered_one_is() {
        let token = token([7; 32]);
        assert!(well_formed(&token), "{token}");
        for position in 0..token.len() {
            let mut altered = token.clone().into_bytes();
            altered[position] = if altered[position] == b'x' { b'y' } else { b'x' };
            let altered = String::from_utf8(altered).unwrap();
            assert!(!well_formed(&altered), "{altered}");
        }
        assert!(!well_formed(&token[..token.len() - 6]));
        assert!(!well_formed(""));
        assert!(!well_formed(&"é".repeat(27)));
    }

    #[test]
    fn every_bit_reaches_the_token() {
        assert_ne!(token([0; 32]), token([255; 32]));
        assert_eq!(token([0; 32]).len(), LENGTH);
        assert_eq!(token([255; 32]).len(), LENGTH);
    }
}
