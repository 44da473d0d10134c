//! What can go wrong here, and the one table that turns it into a gRPC status. A dead session is no error.

use std::time::Duration;

use identity_proto::identity::v1::ErrorReason;
use identity_proto::status::{reason, status};
use tonic::{Code, Status};

use crate::prune::dead_letters::cut;

/// A call that could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Sessions live in Redis: without it nobody can know.
    #[error("Redis cannot be reached")]
    Redis(#[from] redis::RedisError),
    /// Redis was found unreachable a moment ago.
    #[error("Redis cannot be reached")]
    Down,
    /// The access registers are not yet where the login was checked.
    #[error("the access registers are behind; try again in a moment")]
    Behind,
    /// The core refused, or could not be reached.
    #[error("the core answered: {0}")]
    Core(Status),
    #[error("the login was already used, or it expired; begin it again")]
    LoginUsed,
    #[error("access changed while the login was completed; begin it again")]
    AccessChanged,
    #[error("{0}")]
    Invalid(&'static str),
    #[error("the service key is missing or unknown")]
    ServiceKey,
    /// Also what a key that is limited to other tenants is told.
    #[error("there is no such tenant or user")]
    NotFound,
    #[error("this service key may not call this method; use one of role admin that is not limited to tenants")]
    Role,
    #[error(
        "there is no dead letter {:?}: it was replayed or forgotten, or there were too many; `portcullis events dead-letters list` \
         shows those that wait",
        cut(.0)
    )]
    NoLetter(String),
    #[error("no random numbers are to be had")]
    Random,
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let (code, why, wait) = match &error {
            Error::Core(status) if reason(status).is_some_and(callers) => return status.clone(),
            Error::Redis(_) | Error::Down | Error::Behind | Error::Core(_) => (
                Code::Unavailable,
                ErrorReason::Unavailable,
                Some(Duration::from_secs(1)),
            ),
            Error::LoginUsed => (Code::FailedPrecondition, ErrorReason::LoginInvalid, None),
            Error::AccessChanged => (Code::FailedPrecondition, ErrorReason::LoginStale, None),
            Error::Invalid(_) => (Code::InvalidArgument, ErrorReason::InvalidValue, None),
            Error::ServiceKey => (Code::Unauthenticated, ErrorReason::ServiceKeyInvalid, None),
            Error::Role => (Code::PermissionDenied, ErrorReason::MethodNotAllowed, None),
            Error::NoLetter(_) | Error::NotFound => (Code::NotFound, ErrorReason::NotFound, None),
            Error::Random => (Code::Internal, ErrorReason::Internal, None),
        };
        match code {
            // The link says it once, and the metrics how often: without Redis no validation of thousands a second has news.
            Code::Unavailable if matches!(error, Error::Down) => {
                tracing::debug!("a call is unanswered: no link to Redis");
            }
            Code::Unavailable => tracing::warn!(error = &error as &dyn std::error::Error, "a call is unanswered"),
            Code::Internal => tracing::error!(error = &error as &dyn std::error::Error, "a call failed"),
            _ => {}
        }
        let message = match error {
            Error::Core(_) => "the core cannot be reached".to_owned(),
            error => error.to_string(),
        };
        status(code, why, message, [], wait)
    }
}

/// Whether the core refused what it was asked. Otherwise it is away, or this service has no standing with it, and what else it is
/// asked fares no better.
pub fn is_about_what_was_asked(status: &Status) -> bool {
    reason(status).is_some_and(|reason| callers(reason) && reason != ErrorReason::Unavailable)
}

/// Whether a refusal of the core is about what the caller asked. The others are about this service's own standing with
/// the core, and would mislead the caller.
fn callers(reason: ErrorReason) -> bool {
    !matches!(
        reason,
        ErrorReason::ServiceKeyInvalid
            | ErrorReason::MethodNotAllowed
            | ErrorReason::Internal
            | ErrorReason::Unspecified
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_that_there_is_not_is_named_in_short() {
        let told = Status::from(Error::NoLetter("x".repeat(100_000)));
        assert!(told.message().len() < 500, "{}", told.message().len());
    }

    #[test]
    fn the_core_refuses_what_was_asked_or_nothing_fares_better() {
        let check = |why: ErrorReason, refuses_this: bool, is_told: bool| {
            let of_core = status(Code::Aborted, why, "as the core says", [], None);
            assert_eq!(is_about_what_was_asked(&of_core), refuses_this, "{why:?}");
            let told = Status::from(Error::Core(of_core)).message() == "as the core says";
            assert_eq!(told, is_told, "{why:?}");
        };
        check(ErrorReason::NotFound, true, true);
        check(ErrorReason::InvalidValue, true, true);
        check(ErrorReason::Unavailable, false, true);
        check(ErrorReason::ServiceKeyInvalid, false, false);
        check(ErrorReason::MethodNotAllowed, false, false);
        check(ErrorReason::Internal, false, false);
        assert!(!is_about_what_was_asked(&Status::unavailable("a proxy's")));
    }
}
