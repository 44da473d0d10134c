//! Which Redis process holds each bucket, and whether its leases are its own.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use identity_proto::access::{BUCKETS, LEASE_MS};

/// By bucket: from when on leases are the holder's own.
pub(super) type OwnLeases = [Instant; BUCKETS as usize];

/// Which process was the last to hold each bucket, by its run id. A replica that took over has the leases that its master had,
/// and not its last writes. It may have done so just before this service started: what is seen first is doubted too.
pub(super) struct Holders(Mutex<([Option<String>; BUCKETS as usize], OwnLeases)>);

impl Default for Holders {
    fn default() -> Self {
        Holders(Mutex::new((
            [const { None }; BUCKETS as usize],
            [Instant::now(); BUCKETS as usize],
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
            if before.as_deref() != Some(run_id) {
                own_leases[bucket] = lapsed;
                is_another |= before.is_some();
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
    fn leases_of_buckets_whose_holder_was_not_known_are_doubted_for_a_while() {
        let holders = Holders::default();
        let lapse = || holders.0.lock().unwrap().1 = [Instant::now(); BUCKETS as usize];
        let check = |run_id: &str, buckets: [u8; 2], expect: [bool; 2]| {
            let own = holders.now_is(run_id, &buckets);
            let doubted = buckets.map(|bucket| Instant::now() < own[usize::from(bucket)]);
            assert_eq!(doubted, expect, "{run_id} {buckets:?}");
        };
        check("a", [1, 2], [true, true]);
        // A new connection to the same process: doubted still.
        check("a", [1, 2], [true, true]);
        lapse();
        check("a", [1, 2], [false, false]);
        check("b", [2, 3], [true, true]);
        check("a", [1, 2], [false, true]);
    }
}
