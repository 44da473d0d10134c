//! The request that a task works for. Its id is the one that the HTTP answer tells the client; it goes with every call
//! between the services, into PostgreSQL with the change, and from there to the prune. So does its place in a trace, in
//! the form of W3C Trace Context.

use std::fmt;
use std::future::Future;

use http::{HeaderMap, HeaderName, HeaderValue};
use tonic::metadata::{MetadataMap, MetadataValue};
use tracing::Span;
use uuid::Uuid;

use crate::trace;

/// The header, and the gRPC metadata, that carry the id.
pub const REQUEST_ID: HeaderName = HeaderName::from_static(NAME);
const NAME: &str = "x-request-id";

/// A longer request id than this is not a client's own, but an attack on the logs.
const LONGEST: usize = 128;

tokio::task_local! {
    static CURRENT: RequestId;
}

/// An id of a request: 1 to 128 letters, digits, dots, hyphens and underscores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// A new one.
    pub fn random() -> Self {
        // An UUID always fits into a header.
        let id = HeaderValue::try_from(Uuid::new_v4().to_string());
        RequestId(id.unwrap_or(HeaderValue::from_static("none")))
    }

    /// What the caller sent, if it is plain and short.
    pub fn sent(headers: &HeaderMap) -> Option<Self> {
        let sent = headers.get(REQUEST_ID)?;
        let fits = (1..=LONGEST).contains(&sent.len())
            && sent
                .as_bytes()
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte));
        fits.then(|| RequestId(sent.clone()))
    }

    /// The id of the request that this task works for, if it works for one.
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok()
    }

    /// Works for this request.
    pub async fn scope<F: Future>(self, work: F) -> F::Output {
        CURRENT.scope(self, work).await
    }

    /// As it is sent.
    pub fn header(&self) -> HeaderValue {
        self.0.clone()
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Puts the current request and the place in its trace on a call to another service.
pub(crate) fn carry(metadata: &mut MetadataMap) {
    if let Some(Ok(id)) = RequestId::current().map(|id| MetadataValue::try_from(id.as_str())) {
        metadata.insert(NAME, id);
    }
    if let Some(Ok(parent)) = trace::parent(&Span::current()).map(MetadataValue::try_from) {
        metadata.insert(trace::NAME, parent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_plain_id_is_kept_and_anything_else_is_not() {
        let check = |sent: &'static [u8], kept: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_bytes(sent).unwrap());
            assert_eq!(RequestId::sent(&headers).is_some(), kept, "{sent:?}");
        };
        check(b"7f3a.B_c-9", true);
        check(&[b'x'; LONGEST], true);
        check(&[b'x'; LONGEST + 1], false);
        check(b"", false);
        check(b"a b", false);
        check(b"a'b", false);
        check(b"\xc3\xa9", false);
        assert_eq!(RequestId::sent(&HeaderMap::new()), None);
    }

    #[tokio::test]
    async fn a_task_knows_its_request() {
        assert_eq!(RequestId::current(), None);
        let id = RequestId::random();
        let inside = id.clone().scope(async { RequestId::current() }).await;
        assert_eq!(inside, Some(id));
    }
}
