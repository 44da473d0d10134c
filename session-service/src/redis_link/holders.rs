//! Which Redis process holds each bucket, and whether its leases are its own.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use identity_proto::access::{BUCKETS, LEASE_MS};

/// By bucket: from when on leases are the holder's own; nothing: always.
pub(super) type OwnLeases = [Option<Instant>; BUCKETS as usize];

/// Which process was the last to hold each bucket, by its run id. A replica that took over has the leases that its master had,
/// and not its last writes.
pub(super) struct Holders(Mutex<([Option<String>; BUCKETS as usize], OwnLeases)>);

impl Default for Holders {
    fn default() -> Self {
        Holders(Mutex::new((
            [const { None }; BUCKETS as usize],
            [None; BUCKETS as usize],
        )))
    }
}

impl Holders {
    /// Notes who holds these buckets now, and answers from when on leases are its own.
    pub(super) fn now_is(&self, run_id: &str, buckets: &[u8]) -> OwnLeases {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (holders, own_leases) = &mut *held;
        let lapsed = Instant::now() + Duration::from_millis(LEASE_MS);
        let mut is_another = false;
        for bucket in buckets.iter().map(|bucket| usize::from(*bucket)) {
            let before = holders[bucket].replace(run_id.to_owned());
            if before.is_some_and(|before| before != run_id) {
                own_leases[bucket] = Some(lapsed);
                is_another = true;
            }
        }
        if is_another {
            tracing::warn!("another Redis process took over: leases that it may have inherited are not believed");
        }
        *own_leases
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leases_of_buckets_that_change_hands_are_doubted_for_a_while() {
        let holders = Holders::default();
        let check = |run_id: &str, buckets: [u8; 2], expect: [bool; 2]| {
            let own = holders.now_is(run_id, &buckets);
            let doubted = buckets.map(|bucket| own[usize::from(bucket)].is_some());
            assert_eq!(doubted, expect, "{run_id} {buckets:?}");
        };
        check("a", [1, 2], [false, false]);
        check("a", [1, 2], [false, false]);
        check("b", [2, 3], [true, false]);
        // A new connection to the same process: doubted still.
        check("b", [2, 3], [true, false]);
        check("a", [1, 2], [false, true]);
    }
}
