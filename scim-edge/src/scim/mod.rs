//! SCIM as text and JSON: parsing and rendering of RFC 7643 and RFC 7644, and nothing else.
//!
//! Everything here is pure: no async, no clock, no I/O. Client input never panics and never recurses without a counter.

pub mod comparison;
pub mod discovery;
pub mod etag;
pub mod filter;
pub mod group;
pub mod json;
pub mod lexer;
pub mod list_response;
pub mod patch;
pub mod path;
pub mod projection;
pub mod query;
pub mod quirks;
pub mod references;
pub mod resource;
pub mod search;
pub mod user;
pub mod value;

use identity_proto::identity::v1::ErrorReason;

/// Why a request is refused: a reason for programs, and a sentence that says what to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub reason: ErrorReason,
    pub detail: String,
}

/// The result of every parser here.
pub type Result<T> = std::result::Result<T, Refusal>;

impl Refusal {
    /// A refusal for this reason.
    pub fn new(reason: ErrorReason, detail: impl Into<String>) -> Self {
        Refusal {
            reason,
            detail: detail.into(),
        }
    }

    /// The body or the query is not of the form that it must have.
    pub fn syntax(detail: impl Into<String>) -> Self {
        Self::new(ErrorReason::InvalidSyntax, detail)
    }

    /// A value has the wrong type or is missing.
    pub fn value(detail: impl Into<String>) -> Self {
        Self::new(ErrorReason::InvalidValue, detail)
    }

    /// A filter cannot be understood.
    pub fn filter(detail: impl Into<String>) -> Self {
        Self::new(ErrorReason::InvalidFilter, detail)
    }

    /// A PATCH path cannot be understood.
    pub fn path(detail: impl Into<String>) -> Self {
        Self::new(ErrorReason::InvalidPath, detail)
    }

    /// The attribute is not the client's to change.
    pub fn mutability(detail: impl Into<String>) -> Self {
        Self::new(ErrorReason::Mutability, detail)
    }
}

#[cfg(test)]
mod properties;
