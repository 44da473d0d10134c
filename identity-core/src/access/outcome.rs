//! What became of a change of access: when its register moved, and how many sessions ended with it.

use identity_proto::identity::v1 as proto;

use crate::time::to_proto;

/// The outcome of one epoch, as far as it is known now.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Outcome {
    pub epoch: i64,
    /// When the register moved to this epoch: by an event, which a new user does not need.
    pub applied_at: Option<jiff_sqlx::Timestamp>,
    /// Sessions pruned for this epoch, so far as acknowledged.
    pub pruned: i64,
    /// When that was acknowledged last.
    pub pruned_at: Option<jiff_sqlx::Timestamp>,
}

impl From<Outcome> for proto::AccessOutcome {
    fn from(outcome: Outcome) -> Self {
        proto::AccessOutcome {
            epoch: outcome.epoch,
            apply_time: outcome.applied_at.map(to_proto),
            pruned: outcome.pruned,
            // An acknowledgement may overtake the relay's own note that the register moved.
            prune_time: outcome
                .pruned_at
                .zip(outcome.applied_at)
                .map(|(p, a)| to_proto(p.max(a))),
        }
    }
}
