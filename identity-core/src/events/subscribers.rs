//! Who is subscribed at this core. There is room for so many, and each tenant may take so much of it; whoever has a seat is
//! told when its tenant has new events, and asks the database for nothing meanwhile.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use identity_proto::identity::v1::ErrorReason;
use tokio::sync::watch;
use uuid::Uuid;

use crate::{Error, metrics};

/// Subscriptions of one core.
const SEATS: usize = 256;
/// Subscriptions of one tenant at one core.
const SEATS_OF_TENANT: usize = 16;

/// The subscriptions of this core. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Subscribers(Arc<Mutex<HashMap<Uuid, Tenant>>>);

/// The subscriptions of one tenant: how many, and its last number as they were told it.
#[derive(Debug)]
struct Tenant {
    seats: usize,
    last: watch::Sender<i64>,
}

/// A subscription's right to be; given back when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    subscribers: Subscribers,
    tenant: Uuid,
    /// Changes when the tenant has new events, and once at the beginning.
    pub(super) last: watch::Receiver<i64>,
}

impl Subscribers {
    /// A seat, if there is one left.
    pub(super) fn seat(&self, tenant: Uuid) -> Result<Seat, Error> {
        let mut tenants = self.lock();
        let taken: usize = tenants.values().map(|tenant| tenant.seats).sum();
        let of_tenant = tenants.get(&tenant).map_or(0, |tenant| tenant.seats);
        if of_tenant >= SEATS_OF_TENANT {
            return Err(too_many(format!(
                "the tenant has {SEATS_OF_TENANT} subscriptions at this core, and no more are let in; end one first"
            )));
        }
        if taken >= SEATS {
            return Err(too_many(format!(
                "this core has {SEATS} subscriptions, and no more are let in; subscribe at another, or read by ListEvents"
            )));
        }
        let entry = tenants.entry(tenant).or_insert_with(|| Tenant {
            seats: 0,
            last: watch::Sender::new(0),
        });
        entry.seats += 1;
        metrics::subscriptions(taken + 1);
        Ok(Seat {
            subscribers: self.clone(),
            tenant,
            last: entry.last.subscribe(),
        })
    }

    /// Whose events are waited for.
    pub(super) fn tenants(&self) -> Vec<Uuid> {
        self.lock().keys().copied().collect()
    }

    /// Tells the last number of each tenant to its subscriptions, if it is another than before.
    pub(super) fn tell(&self, streams: &[(Uuid, i64)]) {
        let tenants = self.lock();
        for (tenant, now) in streams {
            if let Some(tenant) = tenants.get(tenant) {
                tenant
                    .last
                    .send_if_modified(|last| std::mem::replace(last, *now) != *now);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Tenant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut tenants = self.subscribers.lock();
        if let Some(tenant) = tenants.get_mut(&self.tenant) {
            tenant.seats -= 1;
            if tenant.seats == 0 {
                tenants.remove(&self.tenant);
            }
        }
        metrics::subscriptions(tenants.values().map(|tenant| tenant.seats).sum());
    }
}

fn too_many(message: String) -> Error {
    Error::new(ErrorReason::TooMany, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_counted_by_tenant_and_by_core_and_given_back() {
        let subscribers = Subscribers::default();
        let (busy, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let mut seats: Vec<Seat> = (0..SEATS_OF_TENANT)
            .map(|_| subscribers.seat(busy).expect("room"))
            .collect();
        let full = subscribers.seat(busy).expect_err("the tenant has no more");
        assert_eq!(full.reason, ErrorReason::TooMany);
        for number in 0..SEATS - SEATS_OF_TENANT {
            let tenant = Uuid::from_u128(u128::try_from(number / 8 + 2).unwrap());
            seats.push(subscribers.seat(tenant).expect("room"));
        }
        assert!(subscribers.seat(Uuid::from_u128(99_999)).is_err(), "the core is full");
        seats.remove(0);
        seats.push(subscribers.seat(busy).expect("a seat was given back"));
        drop(seats);
        assert!(subscribers.tenants().is_empty());
        subscribers.seat(other).expect("room");
    }

    #[test]
    fn a_tenants_subscriptions_are_told_of_its_events_alone() {
        let subscribers = Subscribers::default();
        let (mine, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let mut seat = subscribers.seat(mine).expect("room");
        let mut told = |streams: &[(Uuid, i64)]| {
            subscribers.tell(streams);
            let changed = seat.last.has_changed().unwrap();
            seat.last.mark_unchanged();
            changed
        };
        assert!(!told(&[(other, 7)]));
        assert!(told(&[(other, 8), (mine, 3)]));
        assert!(!told(&[(mine, 3)]));
        // A database that was restored has fewer.
        assert!(told(&[(mine, 2)]));
    }
}
