//! `/.search` and `/Users/.search`: RFC 7644 section 3.4.3. Users are all that there is to search, so both are one. What
//! the URL says is ignored: the query is the body.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::users;
use crate::app::Edge;
use crate::auth::Reader;
use crate::error::Error;
use crate::extract::{Base, Body};
use crate::scim::search;

/// POST /.search and POST /Users/.search
pub async fn search(
    State(edge): State<Arc<Edge>>,
    Reader(caller): Reader,
    Base(base): Base,
    Body(body): Body,
) -> Result<Response, Error> {
    users::found(&edge, &caller, &search::parse(body)?, &base).await
}
