//! THE table from a failure to the HTTP status and the error code of OAuth: RFC 6749 sections 4.1.2.1 and 5.2. What the SCIM
//! side of the edge already has a status for, such as a body that is too long, keeps it.

use axum::response::{IntoResponse, Response};
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use identity_proto::identity::v1::ErrorReason;
use serde_json::json;

use crate::error::Error as Failure;

/// An error code of OAuth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    InvalidRequest,
    InvalidClient,
    InvalidGrant,
    InvalidScope,
    UnauthorizedClient,
    UnsupportedGrantType,
    UnsupportedResponseType,
    AccessDenied,
    TemporarilyUnavailable,
    ServerError,
}

impl ErrorCode {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            ErrorCode::InvalidRequest => "invalid_request",
            ErrorCode::InvalidClient => "invalid_client",
            ErrorCode::InvalidGrant => "invalid_grant",
            ErrorCode::InvalidScope => "invalid_scope",
            ErrorCode::UnauthorizedClient => "unauthorized_client",
            ErrorCode::UnsupportedGrantType => "unsupported_grant_type",
            ErrorCode::UnsupportedResponseType => "unsupported_response_type",
            ErrorCode::AccessDenied => "access_denied",
            ErrorCode::TemporarilyUnavailable => "temporarily_unavailable",
            ErrorCode::ServerError => "server_error",
        }
    }
}

/// Why a request to an OAuth endpoint fails.
#[derive(Debug)]
pub enum Error {
    /// What was sent is wrong; the sentence says what to change.
    Refused(ErrorCode, String),
    /// A consent that does not come from the page of this edge.
    ForeignForm,
    /// The core refused or failed, or the request cannot be read.
    Failed(Failure),
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Error::Failed(failure)
    }
}

/// The table: reason to status and error code.
fn outcome(reason: ErrorReason) -> (StatusCode, ErrorCode) {
    use ErrorReason as R;
    match reason {
        R::ClientInvalid => (StatusCode::UNAUTHORIZED, ErrorCode::InvalidClient),
        R::GrantInvalid => (StatusCode::BAD_REQUEST, ErrorCode::InvalidGrant),
        R::ClientUnauthorized => (StatusCode::BAD_REQUEST, ErrorCode::UnauthorizedClient),
        R::ScopeInvalid => (StatusCode::BAD_REQUEST, ErrorCode::InvalidScope),
        // What was pasted into the consent page is no key that is valid: it is shown again.
        R::CredentialInvalid | R::CredentialExpired => (StatusCode::BAD_REQUEST, ErrorCode::AccessDenied),
        R::ConsentRefused | R::ScopeMissing | R::ScimDisabled | R::TenantSuspended => {
            (StatusCode::FORBIDDEN, ErrorCode::AccessDenied)
        }
        R::RedirectUriMismatch
        | R::InvalidFilter
        | R::InvalidPath
        | R::InvalidSyntax
        | R::InvalidValue
        | R::NoTarget
        | R::Mutability
        | R::PageTokenInvalid
        | R::NotFound
        | R::Uniqueness
        | R::VersionMismatch => (StatusCode::BAD_REQUEST, ErrorCode::InvalidRequest),
        R::TooMany => (StatusCode::TOO_MANY_REQUESTS, ErrorCode::TemporarilyUnavailable),
        R::Unavailable | R::ServiceKeyInvalid | R::MethodNotAllowed => {
            (StatusCode::SERVICE_UNAVAILABLE, ErrorCode::TemporarilyUnavailable)
        }
        // No OAuth request meets these.
        R::Internal | R::Unspecified | R::LoginInvalid | R::LoginStale | R::AccessEnded | R::EventsGone => {
            (StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::ServerError)
        }
    }
}

impl Error {
    /// The core's reason, if it refused or failed.
    pub fn reason(&self) -> Option<ErrorReason> {
        match self {
            Error::Failed(failure) => failure.reason(),
            Error::Refused(..) | Error::ForeignForm => None,
        }
    }

    fn outcome(&self) -> (StatusCode, ErrorCode) {
        match self {
            Error::Refused(ErrorCode::InvalidClient, _) => outcome(ErrorReason::ClientInvalid),
            Error::Refused(code, _) => (StatusCode::BAD_REQUEST, *code),
            Error::ForeignForm => (StatusCode::FORBIDDEN, ErrorCode::AccessDenied),
            // What is wrong in the HTTP of a request has a status already.
            Error::Failed(failure) => match failure.reason() {
                Some(reason) => outcome(reason),
                None => (failure.answer().status, ErrorCode::InvalidRequest),
            },
        }
    }

    /// The error code.
    pub fn code(&self) -> ErrorCode {
        self.outcome().1
    }

    /// The status of a page that tells it. A browser is never asked for a password: only programs prove themselves here.
    pub fn page_status(&self) -> StatusCode {
        match self.outcome().0 {
            StatusCode::UNAUTHORIZED => StatusCode::BAD_REQUEST,
            status => status,
        }
    }

    /// A sentence for the administrator who set the client up, in the characters that RFC 6749 allows in
    /// `error_description`.
    pub fn description(&self) -> String {
        let text = match self {
            Error::Refused(_, text) => text.clone(),
            Error::ForeignForm => {
                "This form is not of the page that was opened last in this browser, or cookies are not allowed: begin again where you began."
                    .to_owned()
            }
            Error::Failed(failure) => match (failure.reason(), failure) {
                (Some(reason), Failure::Core(status)) if outcome(reason).0.is_client_error() => {
                    told(reason, status.message())
                }
                _ => failure.answer().detail,
            },
        };
        let allowed = |character: char| match character {
            '"' => '\'',
            '\\' => '/',
            ' '..='~' => character,
            _ => '?',
        };
        text.chars().map(allowed).collect()
    }

    /// When to try again, if that is all that helps.
    pub fn retry_after(&self) -> Option<HeaderValue> {
        match (self.code(), self) {
            (ErrorCode::TemporarilyUnavailable, Error::Failed(failure)) => Some(failure.retry_after()),
            _ => None,
        }
    }

    /// Failures that are ours to mend are logged, once.
    pub fn log(&self) {
        if let Error::Failed(failure) = self {
            failure.log(self.outcome().0);
        }
    }
}

/// What the core says, which knows what is wrong, or else what the reason itself says.
fn told(reason: ErrorReason, message: &str) -> String {
    let own = match reason {
        ErrorReason::CredentialInvalid => {
            "This key is unknown or was revoked: paste one that is live, or make a new one with 'portcullis token create'."
        }
        ErrorReason::CredentialExpired => "This key has expired: make a new one with 'portcullis token create'.",
        ErrorReason::TenantSuspended | ErrorReason::ScimDisabled => {
            "The tenant of this key is suspended, or SCIM is switched off for it: paste a key of the application's own tenant, or ask the service's operator."
        }
        _ if !message.is_empty() => message,
        ErrorReason::ClientInvalid => {
            "The client is unknown or did not prove itself: compare its id and secret with what 'portcullis client create' printed."
        }
        ErrorReason::GrantInvalid => {
            "The code or refresh token is unknown, used, expired or revoked: have the connection authorized again."
        }
        ErrorReason::ScopeInvalid => {
            "The scope is more than this client may have: ask for fewer scopes, or for none by name."
        }
        ErrorReason::TooMany => "There are too many requests: try again after the time in Retry-After.",
        _ => "This is not allowed: compare the settings of the client with those in the documentation.",
    };
    own.to_owned()
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        self.log();
        let (status, code) = self.outcome();
        let body = json!({"error": code.name(), "error_description": self.description()});
        let mut response = super::json(status, &body);
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after() {
            headers.insert(RETRY_AFTER, seconds);
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"OAuth\""));
        }
        response
    }
}

#[cfg(test)]
mod tests;
