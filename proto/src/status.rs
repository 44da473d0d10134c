//! The reason of a failure, carried through gRPC as `google.rpc.ErrorInfo` on every error status.

use std::collections::HashMap;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::identity::v1::ErrorReason;

/// The `ErrorInfo` domain of every error of this system.
pub const DOMAIN: &str = "portcullis";

const PREFIX: &str = "ERROR_REASON_";

/// Builds a status that carries `reason`; `retry_after` becomes `RetryInfo`.
pub fn status(
    code: Code,
    reason: ErrorReason,
    message: impl Into<String>,
    metadata: impl IntoIterator<Item = (&'static str, String)>,
    retry_after: Option<Duration>,
) -> Status {
    let metadata: HashMap<String, String> = metadata
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
    let mut details = ErrorDetails::with_error_info(reason_name(reason), DOMAIN, metadata);
    if let Some(delay) = retry_after {
        details.set_retry_info(Some(delay));
    }
    Status::with_error_details(code, message, details)
}

/// The reason of a status; `None` when it came from something that is not this system, such as a broken connection.
pub fn reason(status: &Status) -> Option<ErrorReason> {
    let info = status.get_details_error_info()?;
    ErrorReason::from_str_name(&format!("{PREFIX}{}", info.reason))
}

/// One entry of the error's metadata.
pub fn metadata(status: &Status, key: &str) -> Option<String> {
    status.get_details_error_info()?.metadata.remove(key)
}

/// How long the caller should wait before it tries again.
pub fn retry_after(status: &Status) -> Option<Duration> {
    status.get_details_retry_info()?.retry_delay
}

fn reason_name(reason: ErrorReason) -> &'static str {
    let name = reason.as_str_name();
    name.strip_prefix(PREFIX).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_metadata_and_delay_survive_the_wire() {
        let metadata_in = [("attribute", "userName".to_owned())];
        let sent = status(
            Code::Unavailable,
            ErrorReason::Uniqueness,
            "taken",
            metadata_in,
            Some(Duration::from_secs(2)),
        );
        assert_eq!(reason(&sent), Some(ErrorReason::Uniqueness));
        assert_eq!(metadata(&sent, "attribute").as_deref(), Some("userName"));
        assert_eq!(retry_after(&sent), Some(Duration::from_secs(2)));
    }

    #[test]
    fn a_foreign_status_has_no_reason() {
        assert_eq!(reason(&Status::unavailable("connection refused")), None);
    }
}
