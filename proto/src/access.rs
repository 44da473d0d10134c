//! What identity-core and session-service agree on in Redis. The core's relay moves registers and appends to the
//! streams; the session service reads registers and consumes the streams. Session keys are the session service's own.
//!
//! Users are spread over [`BUCKETS`] buckets. All keys of bucket 7 carry the hash tag `{b7}`, so that one script can
//! see all it needs, on one Redis, behind Sentinel and in a Cluster alike. In a bucket:
//!
//! | key | holds |
//! |---|---|
//! | `{b7}:gen` | the generation whose registers count; absent: nobody may trust any register |
//! | `{b7}:lease` | until when (ms, Redis's clock) the registers are known to be no older than the bound; expires then |
//! | `{b7}:r:<gen>:u:<tenant>:<user>` | the user's register: `<epoch>:<state>` |
//! | `{b7}:r:<gen>:t:<tenant>` | the tenant's register, once in each bucket |
//! | `{b7}:ends` | stream: one entry for each register that moved by a change of access |
//!
//! Registers are named by their generation: a new one starts blank, and blank means "ask the core", never "active".

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::identity::v1::AccessState;

/// How many buckets there are. Part of the contract: it cannot change while sessions live.
pub const BUCKETS: u8 = 64;

/// How long a lease holds at most, in ms of Redis's clock.
pub const LEASE_MS: u64 = 3_000;

/// The consumer group in which the session services read the streams.
pub const CONSUMER_GROUP: &str = "sessions";

/// The bucket of a user.
pub fn bucket(tenant: Uuid, user: Uuid) -> u8 {
    let digest = Sha256::new()
        .chain_update(tenant.as_bytes())
        .chain_update(user.as_bytes())
        .finalize();
    digest[0] % BUCKETS
}

/// All bucket numbers.
pub fn buckets() -> impl Iterator<Item = u8> {
    0..BUCKETS
}

/// The common prefix and hash tag of a bucket's keys. Scripts get it as `KEYS[1]` and append the rest.
pub fn prefix(bucket: u8) -> String {
    format!("{{b{bucket}}}")
}

/// The stream of ended and reopened access of a bucket.
pub fn stream(bucket: u8) -> String {
    format!("{{b{bucket}}}:ends")
}

/// A register's name within a bucket and generation.
pub fn register(tenant: Uuid, user: Option<Uuid>) -> String {
    match user {
        Some(user) => format!("u:{}:{}", tenant.simple(), user.simple()),
        None => format!("t:{}", tenant.simple()),
    }
}

/// One letter for a state, as registers and stream entries hold it.
pub fn letter(state: AccessState) -> &'static str {
    match state {
        AccessState::AccessActive => "a",
        AccessState::AccessInactive => "i",
        AccessState::AccessDeleted | AccessState::Unspecified => "d",
    }
}

/// The state of a letter. An unknown letter is no access.
pub fn state(letter: &str) -> AccessState {
    match letter {
        "a" => AccessState::AccessActive,
        "i" => AccessState::AccessInactive,
        _ => AccessState::AccessDeleted,
    }
}

/// Field names of a stream entry. All values are text.
pub mod entry {
    /// Tenant id, 32 hex digits.
    pub const TENANT: &str = "tenant";
    /// User id, 32 hex digits; empty: the whole tenant.
    pub const USER: &str = "user";
    /// The epoch that the register moved to.
    pub const EPOCH: &str = "epoch";
    /// The state's letter.
    pub const STATE: &str = "state";
    /// The id of the request that changed access; empty if none did.
    pub const REQUEST: &str = "request";
    /// The change's place in a trace, as W3C's `traceparent`; empty without a trace.
    pub const TRACE: &str = "trace";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bucket_function_is_frozen() {
        let (tenant, user) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!(bucket(tenant, user), 56);
    }

    #[test]
    fn users_spread_over_all_buckets() {
        let mut seen = [0_u32; BUCKETS as usize];
        for number in 0..6_400_u128 {
            seen[usize::from(bucket(Uuid::nil(), Uuid::from_u128(number)))] += 1;
        }
        assert!(seen.iter().all(|&count| (50..=150).contains(&count)), "{seen:?}");
    }

    #[test]
    fn keys_carry_the_hash_tag() {
        assert_eq!(prefix(7), "{b7}");
        assert_eq!(stream(7), "{b7}:ends");
        assert_eq!(register(Uuid::from_u128(1), None), "t:00000000000000000000000000000001");
    }
}
