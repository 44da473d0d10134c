//! Tenant names: DNS labels, so that they fit into host names and commands. A name that reads as an id is refused, since
//! commands take either.

use identity_proto::identity::v1::ErrorReason;
use uuid::Uuid;

use crate::Error;

const MAX_LENGTH: usize = 63;

/// Refuses what is no name.
pub(super) fn check(name: &str) -> Result<(), Error> {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let label = (1..=MAX_LENGTH).contains(&name.len())
        && name.bytes().all(inner)
        && !name.starts_with('-')
        && !name.ends_with('-');
    if label && Uuid::parse_str(name).is_err() {
        return Ok(());
    }
    let message = "a tenant's name has 1 to 63 characters of a-z, 0-9 and hyphen, neither first nor last a hyphen, and \
                   does not look like an id";
    Err(Error::new(ErrorReason::InvalidValue, message).with("attribute", "name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_dns_labels_and_no_ids() {
        let check = |name: &str, expect: bool| assert_eq!(check(name).is_ok(), expect, "{name:?}");
        for good in ["a", "acme", "acme-2", "0", &"x".repeat(63)] {
            check(good, true);
        }
        for bad in ["", "-a", "a-", "Acme", "a_b", "a.b", "ü", "a b", "a\n", &"x".repeat(64)] {
            check(bad, false);
        }
        check("0190c3a0-0000-7000-8000-000000000000", false);
        check("0190c3a000007000800000000000000a", false);
    }
}
