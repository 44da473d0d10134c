//! The endpoints of OAuth: RFC 6749, 7009, 7636, 7662, 8414, 9207 and 9700. The edge reads what is sent and renders what the
//! core decides; no code, secret or token is kept here, and none leaves for the core but as its SHA-256.

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::app::Edge;

mod authorize;
mod back;
mod client;
mod consent;
mod csrf;
mod error;
mod issued;
mod metadata;
mod page;
mod parameters;
mod request;
mod token;

use error::Error;

/// What stands before the bearer authentication of SCIM: each of these authenticates in its own way.
pub fn router() -> Router<Arc<Edge>> {
    Router::new()
        .route("/.well-known/oauth-authorization-server", get(metadata::metadata))
        .route("/oauth/authorize", get(authorize::show).post(authorize::decide))
        .route("/oauth/token", post(token::issue))
        .route("/oauth/revoke", post(issued::revoke))
        .route("/oauth/introspect", post(issued::introspect))
        .method_not_allowed_fallback(|| async { Error::from(crate::error::Error::MethodNotAllowed) })
}

/// An answer that is JSON. Besides what the edge says of every answer, RFC 6749 section 5.1 wants HTTP/1.0's own word.
fn json(status: http::StatusCode, body: &serde_json::Value) -> axum::response::Response {
    use http::HeaderValue;
    use http::header::{CONTENT_TYPE, PRAGMA};
    let mut response = crate::respond::json(status, body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    response
}
