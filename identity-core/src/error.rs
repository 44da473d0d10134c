//! What can go wrong, without a word of any transport: `grpc/error.rs` turns the reason into a gRPC code, the edge turns
//! it into an HTTP status. The message is for the person who can change something; the source is for the log.

use std::fmt;

use identity_proto::identity::v1::ErrorReason;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// A failed operation. `Display` is the message alone: never SQL, never a secret, never the source.
#[derive(Debug)]
pub struct Error {
    /// Why, for programs.
    pub reason: ErrorReason,
    /// What to change, for a person.
    pub message: String,
    /// Details for programs, as the reason's documentation in the proto lists them.
    pub metadata: Vec<(&'static str, String)>,
    source: Option<Source>,
}

impl Error {
    /// An error that its message explains in full.
    pub fn new(reason: ErrorReason, message: impl Into<String>) -> Self {
        Error {
            reason,
            message: message.into(),
            metadata: Vec::new(),
            source: None,
        }
    }

    /// A broken assumption of our own. The caller learns no more than that.
    pub fn internal(source: impl Into<Source>) -> Self {
        Self::new(ErrorReason::Internal, "an internal error; it was logged").with_source(source)
    }

    /// A resource that does not exist, or that another tenant owns: the answer is the same.
    pub fn not_found(what: &str) -> Self {
        Self::new(ErrorReason::NotFound, format!("there is no such {what}"))
    }

    /// Adds a detail for programs.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.metadata.push((key, value.into()));
        self
    }

    /// Keeps the cause for the log.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Whether the same request can succeed later without anyone changing anything.
    pub fn retryable(&self) -> bool {
        match self.reason {
            ErrorReason::Unavailable => true,
            ErrorReason::Unspecified
            | ErrorReason::ServiceKeyInvalid
            | ErrorReason::CredentialInvalid
            | ErrorReason::CredentialExpired
            | ErrorReason::ScopeMissing
            | ErrorReason::MethodNotAllowed
            | ErrorReason::ScimDisabled
            | ErrorReason::TenantSuspended
            | ErrorReason::InvalidFilter
            | ErrorReason::InvalidPath
            | ErrorReason::InvalidSyntax
            | ErrorReason::InvalidValue
            | ErrorReason::NoTarget
            | ErrorReason::Mutability
            | ErrorReason::TooMany
            | ErrorReason::PageTokenInvalid
            | ErrorReason::EventsGone
            | ErrorReason::NotFound
            | ErrorReason::Uniqueness
            | ErrorReason::VersionMismatch
            | ErrorReason::LoginInvalid
            | ErrorReason::LoginStale
            | ErrorReason::AccessEnded
            | ErrorReason::ClientInvalid
            | ErrorReason::GrantInvalid
            | ErrorReason::ClientUnauthorized
            | ErrorReason::ScopeInvalid
            | ErrorReason::RedirectUriMismatch
            | ErrorReason::ConsentRefused
            | ErrorReason::Internal => false,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// The one reading of what PostgreSQL and its driver report. Errors that a call site expects, such as a constraint's, are
/// taken out there first.
pub fn database(error: sqlx::Error) -> Error {
    let reason = match &error {
        sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Configuration(_) => ErrorReason::Unavailable,
        sqlx::Error::Database(reported) => reported.code().map_or(ErrorReason::Internal, |code| reason(&code)),
        _ => ErrorReason::Internal,
    };
    let message = match reason {
        ErrorReason::Unavailable => "the database cannot be reached or is overloaded; try again in a moment",
        ErrorReason::InvalidValue => {
            "a value cannot be stored: it holds the character U+0000, or a number that is too large; correct it"
        }
        _ => return Error::internal(error),
    };
    Error::new(reason, message).with_source(error)
}

/// Whether PostgreSQL reported this SQLSTATE.
pub(crate) fn has_code(error: &sqlx::Error, sqlstate: &str) -> bool {
    let reported = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    reported.as_deref() == Some(sqlstate)
}

/// What a SQLSTATE means. Conditions that pass: connections (08), a password or database that is being changed (28, 3D), serialization
/// and deadlock (40), resources (53), a cancelled statement or a stopping server (57), a server that became read-only by fail-over, a table, column or function
/// that is not there yet because the schema is still being made. Values that PostgreSQL cannot hold are the client's.
fn reason(sqlstate: &str) -> ErrorReason {
    match sqlstate {
        "22021" | "22P05" | "22003" => ErrorReason::InvalidValue,
        "25006" | "55P03" | "42P01" | "42703" | "42883" => ErrorReason::Unavailable,
        _ if matches!(sqlstate.get(..2), Some("08" | "28" | "3D" | "40" | "53" | "57")) => ErrorReason::Unavailable,
        _ => ErrorReason::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_passes_is_unavailable() {
        let check = |sqlstate: &str, expect: ErrorReason| assert_eq!(reason(sqlstate), expect, "{sqlstate}");
        for passing in [
            "08006", "28P01", "3D000", "53300", "57P01", "57P03", "57014", "40001", "40P01", "25006", "42P01", "42703",
            "42883",
        ] {
            check(passing, ErrorReason::Unavailable);
        }
        for value in ["22021", "22P05", "22003"] {
            check(value, ErrorReason::InvalidValue);
        }
        for lasting in ["23505", "42501", "22012", "XX000", ""] {
            check(lasting, ErrorReason::Internal);
        }
        assert!(database(sqlx::Error::PoolTimedOut).retryable());
        assert!(!database(sqlx::Error::RowNotFound).retryable());
    }

    #[test]
    fn the_message_never_shows_the_source() {
        let error = Error::internal("SELECT secret FROM users");
        assert!(!error.to_string().contains("SELECT"));
        assert!(std::error::Error::source(&error).is_some());
    }
}
