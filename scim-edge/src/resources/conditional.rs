//! Requests on a version: RFC 7644 section 3.14 and RFC 9110 section 13.1.

use std::future::Future;

use axum::response::Response;
use http::header::{ETAG, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::error::Error;
use crate::extract::list_header;
use crate::respond;
use crate::scim::etag;

/// The versions of which one must be the current one.
pub fn if_match(headers: &HeaderMap) -> Vec<i64> {
    etag::if_match(list_header(headers, &IF_MATCH).as_deref())
}

/// The answer to a GET from a client that has this version already.
pub fn not_modified(headers: &HeaderMap, version: i64) -> Option<Result<Response, Error>> {
    let known = list_header(headers, &IF_NONE_MATCH);
    let is_known = etag::if_none_match(known.as_deref(), version);
    is_known.then(|| with_etag(respond::empty(StatusCode::NOT_MODIFIED), version))
}

/// RFC 9110 section 13.1.2 for a method that changes a resource. Most clients send no If-None-Match, and the version is
/// not asked for then.
pub async fn check_if_none_match(
    headers: &HeaderMap,
    current: impl Future<Output = Result<i64, Error>>,
) -> Result<(), Error> {
    let Some(refused) = list_header(headers, &IF_NONE_MATCH) else {
        return Ok(());
    };
    if etag::if_none_match(Some(&refused), current.await?) {
        return Err(Error::IfNoneMatch);
    }
    Ok(())
}

/// The answer with the version's tag.
pub fn with_etag(mut response: Response, version: i64) -> Result<Response, Error> {
    let tag = HeaderValue::try_from(etag::render(version)).map_err(|_| Error::HeaderUnfit)?;
    response.headers_mut().insert(ETAG, tag);
    Ok(response)
}
