//! Why a command ends without success: one line that says what to do next, and the exit code that scripts rely on.

use std::fmt;
use std::process::ExitCode;

use identity_proto::identity::v1::ErrorReason;
use identity_proto::status;
use tonic::{Code, Status};

use crate::connect::System;

/// A command that did not succeed.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    Refused = 1,
    Usage = 2,
    Unreachable = 3,
}

impl Failure {
    /// The system said no, or the command could not be carried out.
    pub fn refused(message: impl Into<String>) -> Self {
        Failure {
            exit: Exit::Refused,
            message: message.into(),
        }
    }

    /// The command line or a setting is wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Failure {
            exit: Exit::Usage,
            message: message.into(),
        }
    }

    /// Nobody answers, or whoever answers cannot know now.
    pub fn unreachable(message: impl Into<String>) -> Self {
        Failure {
            exit: Exit::Unreachable,
            message: message.into(),
        }
    }

    /// The exit code: 1 refused, 2 wrong usage, 3 not to be reached.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.exit as u8)
    }

    /// Adds where the system was looked for, when it was not found there.
    pub(crate) fn about(mut self, system: &System) -> Self {
        if self.exit == Exit::Unreachable {
            self.message = format!("{}; {}", self.message, system.advice());
        }
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Failure::refused(format!("{error:#}"))
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Failure::refused(error.to_string())
    }
}

/// An answer over gRPC. A status without a reason comes from the connection, not from a service.
impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        let message = status.message();
        match (status::reason(&status), status.code()) {
            (None, Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unknown) => {
                Failure::unreachable(format!("the system does not answer ({})", cause(&status)))
            }
            (Some(ErrorReason::Unavailable), _) | (_, Code::Unavailable) => {
                let wait = status::retry_after(&status).map_or(1, |delay| delay.as_secs().max(1));
                Failure::unreachable(format!("{message}; try again in {wait} s"))
            }
            (reason, _) => match reason.and_then(next_step) {
                Some(step) => Failure::refused(format!("{message}; {step}")),
                None => Failure::refused(message),
            },
        }
    }
}

/// What the deepest cause says: "connection refused" rather than "transport error".
fn cause(status: &Status) -> String {
    let mut deepest: &dyn std::error::Error = status;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    match deepest.downcast_ref::<Status>() {
        Some(status) => status.message().to_owned(),
        None => deepest.to_string(),
    }
}

/// What the person at the shell can do about it, where the message itself cannot know.
fn next_step(reason: ErrorReason) -> Option<&'static str> {
    match reason {
        ErrorReason::ServiceKeyInvalid => Some("set PORTCULLIS_SERVICE_KEY to a key of role admin, or give --data-dir"),
        ErrorReason::MethodNotAllowed => Some("use a service key of role admin"),
        ErrorReason::NotFound => Some(
            "look it up with `tenant list`, or `token list`, `client list`, `user list` or `group list --tenant NAME`",
        ),
        ErrorReason::TenantSuspended => Some("resume it with `tenant resume NAME`"),
        ErrorReason::LoginInvalid | ErrorReason::LoginStale => Some("login begin --tenant NAME"),
        ErrorReason::AccessEnded => Some("see `access show --tenant NAME USER`; only an active user can log in"),
        ErrorReason::EventsGone => Some("leave --from out to begin with the oldest that is kept"),
        ErrorReason::Internal => Some("its cause is in the service's log"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: Status, exit: Exit, says: &str) {
        let failure = Failure::from(status);
        assert_eq!(failure.exit, exit, "{failure}");
        assert!(failure.message.contains(says), "{failure}");
        assert!(!failure.message.contains('\n'), "{failure}");
    }

    #[test]
    fn a_status_becomes_an_exit_code_and_a_next_step() {
        let of = |code, reason, text: &str| status::status(code, reason, text, [], None);
        check(
            Status::unavailable("tcp connect error"),
            Exit::Unreachable,
            "tcp connect error",
        );
        check(
            Status::cancelled("Timeout expired"),
            Exit::Unreachable,
            "Timeout expired",
        );
        check(
            of(Code::Unavailable, ErrorReason::Unavailable, "no database"),
            Exit::Unreachable,
            "no database; try again in 1 s",
        );
        check(
            of(Code::FailedPrecondition, ErrorReason::LoginStale, "access changed"),
            Exit::Refused,
            "access changed; login begin --tenant NAME",
        );
        check(
            of(Code::AlreadyExists, ErrorReason::Uniqueness, "taken"),
            Exit::Refused,
            "taken",
        );
        check(Status::not_found("gone"), Exit::Refused, "gone");
    }
}
