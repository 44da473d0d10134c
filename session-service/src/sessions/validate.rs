//! Is this session valid? One script answers; when the registers cannot tell, the core is asked and the session's own
//! epochs are compared with what it says.

use std::sync::LazyLock;

use identity_proto::identity::v1::{AccessState, Epochs, ErrorReason};
use identity_proto::status::reason;
use redis::{Script, Value};
use runtime::sabotage::{is_removed, script};
use uuid::Uuid;

use super::{Sessions, hex, unknown_answer};
use crate::error::Error;
use crate::metrics;
use crate::prune::PRUNE;
use crate::token::{Locator, locate};

static VALIDATE: LazyLock<Script> = LazyLock::new(|| Script::new(script("validate.lua", include_str!("validate.lua"))));

/// What became of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Valid until then (ms).
    Valid {
        expires: i64,
    },
    Unknown,
    AccessEnded,
    TenantEnded,
}

/// A verdict and whose session it is; nobody's, if there is no such session: then the token may be anyone's invention.
#[derive(Clone, Copy, Debug)]
pub struct Validated {
    pub verdict: Verdict,
    pub owner: Option<(Uuid, Uuid)>,
}

/// What the registers say.
#[derive(Clone, Copy, Debug)]
enum Seen {
    Judged(Verdict),
    /// There is no such session.
    Pruned(Verdict),
    /// Nothing: the core must be asked about this session.
    Unsure(Stored),
}

/// The epochs that a session was created under, and when it expires (ms).
#[derive(Clone, Copy, Debug)]
struct Stored {
    tenant_epoch: i64,
    user_epoch: i64,
    expires: i64,
}

impl Sessions {
    /// Validates a session token of a tenant that the caller is `covered` for; others are unknown to it. An error means
    /// that nobody can know now.
    pub async fn validate(&self, token: &str, covered: impl Fn(Uuid) -> bool + Send) -> Result<Validated, Error> {
        let Some(locator) = locate(token).filter(|locator| covered(locator.tenant)) else {
            return Ok(Validated {
                verdict: Verdict::Unknown,
                owner: None,
            });
        };
        let seen = self.look(&locator).await?;
        let verdict = match seen {
            Seen::Judged(verdict) | Seen::Pruned(verdict) => verdict,
            // Rare, and far larger than the rest.
            Seen::Unsure(session) => Box::pin(self.ask(&locator, &session)).await?,
        };
        let exists = matches!(seen, Seen::Judged(_) | Seen::Unsure(_));
        let owner = exists.then_some((locator.tenant, locator.user));
        Ok(Validated { verdict, owner })
    }

    /// The process that is asked is the one whose leases are judged.
    async fn look(&self, locator: &Locator) -> Result<Seen, Error> {
        let holder = self.redis.holder(locator.bucket)?;
        let (mut tenant, mut user) = ([0; 32], [0; 32]);
        let arguments = [
            &*locator.tenant.simple().encode_lower(&mut tenant),
            &*locator.user.simple().encode_lower(&mut user),
            &locator.id,
            holder.longest_lease(locator.bucket),
        ];
        let answer: Value = holder.run(&VALIDATE, locator.bucket, &arguments).await?;
        read(&answer).ok_or_else(unknown_answer)
    }

    async fn ask(&self, locator: &Locator, session: &Stored) -> Result<Verdict, Error> {
        metrics::core_asked();
        match self.core.resolve(locator.tenant, locator.user).await {
            Ok(truth) => {
                let epochs = (session.tenant_epoch, session.user_epoch);
                self.end_what_is_over(locator, &truth, epochs).await;
                Ok(judge(&truth, session))
            }
            Err(Error::Core(status)) if reason(&status) == Some(ErrorReason::NotFound) => Ok(Verdict::TenantEnded),
            Err(error) => Err(error),
        }
    }
}

/// What the script says, in the forms that are told at its head.
fn read(answer: &Value) -> Option<Seen> {
    let text = match answer {
        Value::Int(expires) => return Some(Seen::Judged(Verdict::Valid { expires: *expires })),
        Value::BulkString(text) => std::str::from_utf8(text).ok()?,
        _ => return None,
    };
    Some(match text {
        "ended" => Seen::Judged(Verdict::AccessEnded),
        "tenant" => Seen::Judged(Verdict::TenantEnded),
        "unknown" => Seen::Pruned(Verdict::Unknown),
        "pruned-ended" => Seen::Pruned(Verdict::AccessEnded),
        "pruned-tenant" => Seen::Pruned(Verdict::TenantEnded),
        _ => {
            let mut numbers = text.strip_prefix("ask ")?.split(' ').map(str::parse);
            Seen::Unsure(Stored {
                tenant_epoch: numbers.next()?.ok()?,
                user_epoch: numbers.next()?.ok()?,
                expires: numbers.next()?.ok()?,
            })
        }
    })
}

impl Sessions {
    /// The core may know of an end before the register does, which is believed again as soon as there is a lease: what was
    /// refused must not be valid in between. Epochs only rise, so what is below one is over for good.
    async fn end_what_is_over(&self, locator: &Locator, truth: &Epochs, session: (i64, i64)) {
        let floor = |truth: i64, session: i64| {
            if truth > session {
                truth.to_string()
            } else {
                String::new()
            }
        };
        let (tenant, user) = (floor(truth.tenant_epoch, session.0), floor(truth.user_epoch, session.1));
        if tenant.is_empty() && user.is_empty() || is_removed("prune-on-refusal") {
            return;
        }
        let arguments = [&*hex(locator.tenant), &*hex(locator.user), &*user, &*tenant];
        // Refused all the same if it fails.
        let pruned: Result<i64, _> = self.redis.run(&PRUNE, locator.bucket, &arguments).await;
        match pruned {
            Ok(sessions) => metrics::pruned(sessions),
            Err(error) => tracing::debug!(error = &error as &dyn std::error::Error, "not pruned yet"),
        }
    }
}

/// A session is valid under exactly the epochs that it was created under, while both states are active.
fn judge(truth: &Epochs, session: &Stored) -> Verdict {
    let active = i32::from(AccessState::AccessActive);
    if (truth.tenant_epoch, truth.tenant_state) != (session.tenant_epoch, active) {
        Verdict::TenantEnded
    } else if (truth.user_epoch, truth.user_state) != (session.user_epoch, active) {
        Verdict::AccessEnded
    } else {
        Verdict::Valid {
            expires: session.expires,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_epochs_and_active_states_are_valid() {
        let (active, inactive) = (AccessState::AccessActive, AccessState::AccessInactive);
        let check = |epochs: (i64, AccessState, i64, AccessState), expect: Verdict| {
            let (tenant_epoch, tenant_state, user_epoch, user_state) = epochs;
            let truth = Epochs {
                tenant_epoch,
                tenant_state: tenant_state.into(),
                user_epoch,
                user_state: user_state.into(),
            };
            let session = Stored {
                tenant_epoch: 5,
                user_epoch: 7,
                expires: 99,
            };
            assert_eq!(judge(&truth, &session), expect, "{epochs:?}");
        };
        check((5, active, 7, active), Verdict::Valid { expires: 99 });
        check((5, active, 8, active), Verdict::AccessEnded);
        check((5, active, 6, active), Verdict::AccessEnded);
        check((5, active, 7, inactive), Verdict::AccessEnded);
        check((6, active, 7, active), Verdict::TenantEnded);
        check((5, inactive, 7, active), Verdict::TenantEnded);
        let nothing = Stored {
            tenant_epoch: 0,
            user_epoch: 0,
            expires: 99,
        };
        assert_eq!(judge(&Epochs::default(), &nothing), Verdict::TenantEnded);
    }
}
