//! THE table from a failure to its HTTP status and scimType, and the error body: RFC 7644 section 3.12. No error status
//! is chosen anywhere else, but for what the OAuth endpoints answer: `oauth/error.rs`.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use identity_proto::identity::v1::ErrorReason;
use identity_proto::status;
use serde_json::{Map, Value as Json, json};

use crate::respond;
use crate::scim::Refusal;

const URN: &str = "urn:ietf:params:scim:api:messages:2.0:Error";
/// Said with 503 when the core does not say it.
const RETRY_AFTER_SECONDS: u64 = 2;

/// Why a request fails.
#[derive(Debug)]
pub enum Error {
    /// The request cannot be understood or carried out.
    Refused(Refusal),
    /// The core refused, failed, or could not be reached.
    Core(tonic::Status),
    /// The core did not answer in time.
    Timeout,
    /// This edge cannot serve now, and why.
    NotReady(&'static str),
    /// There is no bearer token, or more than one.
    NoToken,
    /// What is sent as token is none.
    MalformedToken,
    /// The token does not allow this.
    ScopeMissing(&'static str),
    /// Nothing is served at this path, or there is no resource of this id.
    NotFound,
    /// The path is served, the method is not.
    MethodNotAllowed,
    /// The client accepts no form that is served.
    NotAcceptable,
    /// The body's media type, charset or encoding is not understood.
    UnsupportedMediaType(String),
    /// The body is longer than this many bytes.
    BodyTooLarge(usize),
    /// The body did not arrive in time.
    BodyTimeout,
    /// The connection broke while the body was read.
    BodyBroken,
    /// If-None-Match names the resource that is there: RFC 9110 section 13.1.2.
    IfNoneMatch,
    /// A filter on a discovery endpoint: RFC 7644 section 4.
    DiscoveryFilter,
    /// An endpoint of RFC 7644 that is not offered; the text says what is instead.
    NotOffered(&'static str),
    /// A handler panicked.
    Panicked,
    /// A value of ours does not fit into a header.
    HeaderUnfit,
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Error::Refused(refusal)
    }
}

impl From<tonic::Status> for Error {
    fn from(status: tonic::Status) -> Self {
        Error::Core(status)
    }
}

/// What the client is told.
pub struct Answer {
    pub status: StatusCode,
    scim_type: Option<&'static str>,
    pub detail: String,
}

impl Error {
    /// The reason, if it is one of those that cross the gRPC boundary. A status that carries none comes from a broken
    /// connection or a deadline.
    pub fn reason(&self) -> Option<ErrorReason> {
        Some(match self {
            Error::Refused(refusal) => refusal.reason,
            Error::Core(status) => status::reason(status).unwrap_or(ErrorReason::Unavailable),
            Error::Timeout | Error::NotReady(_) => ErrorReason::Unavailable,
            Error::ScopeMissing(_) => ErrorReason::ScopeMissing,
            Error::MalformedToken => ErrorReason::CredentialInvalid,
            Error::NotFound => ErrorReason::NotFound,
            Error::Panicked | Error::HeaderUnfit => ErrorReason::Internal,
            _ => return None,
        })
    }

    /// What SCIM says of it.
    pub fn answer(&self) -> Answer {
        let plain = |status, detail: &str| Answer {
            status,
            scim_type: None,
            detail: detail.to_owned(),
        };
        match self {
            Error::NoToken => plain(
                StatusCode::UNAUTHORIZED,
                "Authentication is required: send exactly one header Authorization: Bearer <token>.",
            ),
            Error::MethodNotAllowed => plain(
                StatusCode::METHOD_NOT_ALLOWED,
                "This method is not served here; the Allow header lists those that are.",
            ),
            Error::NotAcceptable => plain(
                StatusCode::NOT_ACCEPTABLE,
                "Answers are application/scim+json: allow it in the Accept header.",
            ),
            Error::UnsupportedMediaType(detail) => plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail),
            Error::BodyTooLarge(limit) => plain(
                StatusCode::PAYLOAD_TOO_LARGE,
                &format!("The body is larger than the limit of {limit} bytes."),
            ),
            Error::BodyTimeout => plain(StatusCode::REQUEST_TIMEOUT, "The body did not arrive in time."),
            Error::BodyBroken => plain(StatusCode::BAD_REQUEST, "The body could not be read to its end."),
            Error::DiscoveryFilter => plain(
                StatusCode::FORBIDDEN,
                "Discovery endpoints cannot be filtered: leave the filter out.",
            ),
            Error::IfNoneMatch => plain(
                StatusCode::PRECONDITION_FAILED,
                "The resource is there in a version that If-None-Match names: leave that header out to change it.",
            ),
            Error::NotOffered(instead) => plain(StatusCode::NOT_IMPLEMENTED, instead),
            _ => {
                let reason = self.reason().unwrap_or(ErrorReason::Internal);
                let (status, scim_type) = outcome(reason);
                Answer {
                    status,
                    scim_type,
                    detail: self.detail(reason),
                }
            }
        }
    }

    /// Text that reaches the client. Of failures that are not the client's, nothing internal is said.
    fn detail(&self, reason: ErrorReason) -> String {
        match (reason, self) {
            (ErrorReason::NotFound, _) => "There is nothing here: the path or the id is unknown.".to_owned(),
            (_, Error::NotReady(reason)) => format!("Not ready: {reason}."),
            (ErrorReason::Unavailable, _) => {
                "The service cannot reach its data now: try again after the time in Retry-After.".to_owned()
            }
            (_, Error::Refused(refusal)) => refusal.detail.clone(),
            (_, Error::ScopeMissing(scope)) => {
                format!("The token lacks the scope {scope}: use one that has it, or have one created.")
            }
            (_, Error::MalformedToken) => {
                "The bearer token is not valid: check that it was copied whole, or have a new one created.".to_owned()
            }
            (_, Error::Core(status)) if outcome(reason).0.is_client_error() && !status.message().is_empty() => {
                status.message().to_owned()
            }
            (_, _) => "The service failed to carry this out; its log says why.".to_owned(),
        }
    }

    /// When to try again, for the header Retry-After.
    pub fn retry_after(&self) -> HeaderValue {
        let told = match self {
            Error::Core(status) => status::retry_after(status),
            _ => None,
        };
        let wait = told.unwrap_or(Duration::from_secs(RETRY_AFTER_SECONDS));
        let seconds = wait.as_secs_f64().ceil().max(1.0);
        HeaderValue::try_from(seconds.to_string()).unwrap_or(HeaderValue::from_static("2"))
    }

    /// Logs why an answer that was begun is broken off: its client gets no more than that.
    pub fn log_broken_answer(&self) {
        if let Error::Core(cause) = self {
            tracing::error!(code = ?cause.code(), message = cause.message(), "an answer is broken off: the core refused or failed");
        } else {
            tracing::error!("an answer is broken off: the core did not answer in time");
        }
    }

    /// Failures that are ours to mend are logged here, once.
    pub fn log(&self, status: StatusCode) {
        match self {
            Error::Core(cause) if status.is_server_error() => {
                tracing::error!(code = ?cause.code(), message = cause.message(), "the core failed or cannot be reached");
            }
            Error::Timeout => tracing::error!("the core did not answer in time"),
            Error::Panicked => tracing::error!("a request handler panicked"),
            Error::HeaderUnfit => tracing::error!("a value of ours does not fit into a header"),
            _ => {}
        }
    }
}

/// The table: reason to status and scimType (RFC 7644, table 9).
fn outcome(reason: ErrorReason) -> (StatusCode, Option<&'static str>) {
    use ErrorReason as R;
    match reason {
        R::InvalidFilter => (StatusCode::BAD_REQUEST, Some("invalidFilter")),
        R::InvalidPath => (StatusCode::BAD_REQUEST, Some("invalidPath")),
        R::InvalidSyntax => (StatusCode::BAD_REQUEST, Some("invalidSyntax")),
        R::InvalidValue | R::PageTokenInvalid => (StatusCode::BAD_REQUEST, Some("invalidValue")),
        R::NoTarget => (StatusCode::BAD_REQUEST, Some("noTarget")),
        R::Mutability => (StatusCode::BAD_REQUEST, Some("mutability")),
        R::TooMany => (StatusCode::BAD_REQUEST, Some("tooMany")),
        R::CredentialInvalid | R::CredentialExpired => (StatusCode::UNAUTHORIZED, None),
        R::ScopeMissing | R::ScimDisabled | R::TenantSuspended => (StatusCode::FORBIDDEN, None),
        R::NotFound => (StatusCode::NOT_FOUND, None),
        R::Uniqueness => (StatusCode::CONFLICT, Some("uniqueness")),
        R::VersionMismatch => (StatusCode::PRECONDITION_FAILED, None),
        // The edge's own key is refused while keys are rotated or set up: the client should come back.
        R::Unavailable | R::ServiceKeyInvalid | R::MethodNotAllowed => (StatusCode::SERVICE_UNAVAILABLE, None),
        // No SCIM request meets these.
        R::Internal
        | R::Unspecified
        | R::LoginInvalid
        | R::LoginStale
        | R::AccessEnded
        | R::EventsGone
        | R::ClientInvalid
        | R::GrantInvalid
        | R::ClientUnauthorized
        | R::ScopeInvalid
        | R::RedirectUriMismatch
        | R::ConsentRefused => (StatusCode::INTERNAL_SERVER_ERROR, None),
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let Answer {
            status,
            scim_type,
            detail,
        } = self.answer();
        self.log(status);
        let mut body = Map::new();
        body.insert("schemas".to_owned(), json!([URN]));
        body.insert("status".to_owned(), status.as_str().into());
        body.extend(scim_type.map(|scim_type| ("scimType".to_owned(), scim_type.into())));
        body.insert("detail".to_owned(), detail.into());
        let mut response = respond::json(status, &Json::Object(body));
        let headers = response.headers_mut();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, self.retry_after());
        }
        if status == StatusCode::UNAUTHORIZED {
            let challenge = match self {
                Error::NoToken => "Bearer",
                _ => "Bearer error=\"invalid_token\"",
            };
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_place_in_the_table() {
        for number in 0..64 {
            let Ok(reason) = ErrorReason::try_from(number) else {
                continue;
            };
            let (status, scim_type) = outcome(reason);
            assert!(status.is_client_error() || status.is_server_error(), "{reason:?}");
            let may_have_type = matches!(status, StatusCode::BAD_REQUEST | StatusCode::CONFLICT);
            assert_eq!(scim_type.is_some(), may_have_type, "{reason:?}");
        }
    }

    #[test]
    fn a_status_without_a_reason_is_503_and_says_when_to_return() {
        for status in [
            tonic::Status::unavailable("tcp connect error"),
            tonic::Status::internal("h2 protocol error"),
            tonic::Status::cancelled("Timeout expired"),
            tonic::Status::unknown(""),
        ] {
            let response = Error::from(status).into_response();
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(response.headers()[RETRY_AFTER], "2");
        }
    }

    #[test]
    fn the_core_says_when_to_return() {
        let delay = Some(Duration::from_millis(6_100));
        let status = status::status(tonic::Code::Unavailable, ErrorReason::Unavailable, "x", [], delay);
        assert_eq!(Error::from(status).into_response().headers()[RETRY_AFTER], "7");
    }

    #[test]
    fn failures_of_ours_are_500_and_say_nothing() {
        for error in [Error::Panicked, Error::HeaderUnfit] {
            let answer = error.answer();
            assert_eq!(
                (answer.status, answer.scim_type),
                (StatusCode::INTERNAL_SERVER_ERROR, None)
            );
            assert_eq!(answer.detail, "The service failed to carry this out; its log says why.");
        }
    }

    #[test]
    fn internal_text_never_reaches_the_client() {
        let status = status::status(tonic::Code::Internal, ErrorReason::Internal, "sqlx: secret", [], None);
        assert!(!Error::from(status).answer().detail.contains("sqlx"));
        assert!(
            !Error::from(tonic::Status::unknown("src/x.rs"))
                .answer()
                .detail
                .contains("src")
        );
        let status = status::status(
            tonic::Code::AlreadyExists,
            ErrorReason::Uniqueness,
            "userName is taken",
            [],
            None,
        );
        assert_eq!(Error::from(status).answer().detail, "userName is taken");
    }
}
