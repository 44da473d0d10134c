//! THE table from a reason to a gRPC code: no other file of this crate chooses one. Errors are logged here, once.

use std::error::Error as _;
use std::time::Duration;

use identity_proto::identity::v1::ErrorReason;
use identity_proto::status::status;
use tonic::{Code, Status};

use crate::Error;

/// How long a caller should wait before it tries again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Trailers have room for little, and a message may quote what a client sent.
const MAX_MESSAGE: usize = 1_000;

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        log(&error);
        let retry_after = error.retryable().then_some(RETRY_AFTER);
        let end = error.message.floor_char_boundary(MAX_MESSAGE);
        let message = error.message.get(..end).unwrap_or_default();
        status(code(error.reason), error.reason, message, error.metadata, retry_after)
    }
}

fn code(reason: ErrorReason) -> Code {
    match reason {
        ErrorReason::ServiceKeyInvalid
        | ErrorReason::CredentialInvalid
        | ErrorReason::CredentialExpired
        | ErrorReason::ClientInvalid => Code::Unauthenticated,
        ErrorReason::ScopeMissing
        | ErrorReason::MethodNotAllowed
        | ErrorReason::ScimDisabled
        | ErrorReason::TenantSuspended
        | ErrorReason::ClientUnauthorized
        | ErrorReason::ConsentRefused => Code::PermissionDenied,
        ErrorReason::InvalidFilter
        | ErrorReason::InvalidPath
        | ErrorReason::InvalidSyntax
        | ErrorReason::InvalidValue
        | ErrorReason::NoTarget
        | ErrorReason::Mutability
        | ErrorReason::PageTokenInvalid
        | ErrorReason::LoginInvalid
        | ErrorReason::GrantInvalid
        | ErrorReason::ScopeInvalid
        | ErrorReason::RedirectUriMismatch => Code::InvalidArgument,
        ErrorReason::EventsGone => Code::OutOfRange,
        ErrorReason::TooMany => Code::ResourceExhausted,
        ErrorReason::NotFound => Code::NotFound,
        ErrorReason::Uniqueness => Code::AlreadyExists,
        ErrorReason::VersionMismatch => Code::Aborted,
        ErrorReason::LoginStale | ErrorReason::AccessEnded => Code::FailedPrecondition,
        ErrorReason::Unavailable => Code::Unavailable,
        ErrorReason::Internal | ErrorReason::Unspecified => Code::Internal,
    }
}

/// What the caller did wrong is the caller's to know. The source is written by its `Display`, which leaves out the values
/// that PostgreSQL adds as details.
fn log(error: &Error) {
    let source = error.source().map(ToString::to_string);
    match error.reason {
        ErrorReason::Internal | ErrorReason::Unspecified => tracing::error!(source, "{error}"),
        ErrorReason::Unavailable => tracing::warn!(source, "{error}"),
        _ => tracing::debug!(reason = error.reason.as_str_name(), source, "{error}"),
    }
}

#[cfg(test)]
mod tests {
    use identity_proto::status::{metadata, reason, retry_after};

    use super::*;

    #[test]
    fn a_status_carries_the_reason_and_nothing_internal() {
        let check = |error: Error, code: Code, retry: bool| {
            let expect = error.reason;
            let status = Status::from(error);
            assert_eq!((status.code(), reason(&status)), (code, Some(expect)));
            assert_eq!(retry_after(&status).is_some(), retry);
            assert!(!status.message().contains("secret"), "{status:?}");
        };
        check(Error::internal("secret"), Code::Internal, false);
        check(
            crate::error::database(sqlx::Error::PoolTimedOut),
            Code::Unavailable,
            true,
        );
        check(
            Error::new(ErrorReason::VersionMismatch, "changed"),
            Code::Aborted,
            false,
        );
    }

    #[test]
    fn metadata_survives_and_a_long_message_is_cut_between_characters() {
        let status = Status::from(Error::new(ErrorReason::Uniqueness, "é".repeat(5_000)).with("attribute", "userName"));
        assert_eq!(metadata(&status, "attribute").as_deref(), Some("userName"));
        assert!(status.message().len() <= MAX_MESSAGE);
    }
}
