//! Queries, in a URL or in the body of a POST: RFC 7644 sections 3.4.2 and 3.4.3. In a POST, what the URL says is ignored.
//!
//! At the root all types are searched: users come first, then groups, and pages go across both. An attribute that only one
//! type has is absent from resources of the other.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use identity_proto::identity::v1::Filter;
use identity_proto::schema::{GROUP, ResourceType, USER};

use super::members::Pages;
use super::text::{self, Listed};
use super::{groups as groups_of, users as users_of};
use crate::app::Edge;
use crate::auth::{Caller, Reader};
use crate::error::Error;
use crate::extract::{Body, Client};
use crate::respond;
use crate::scim::projection::Projection;
use crate::scim::query::{Page, Query};
use crate::scim::{filter, search};

type Answer = Result<Response, Error>;

/// POST /Users/.search
pub async fn search_users(
    State(edge): State<Arc<Edge>>,
    Reader(caller): Reader,
    client: Client,
    Body(body): Body,
) -> Answer {
    users(&edge, &caller, &search::parse(body)?, &client).await
}

/// POST /Groups/.search
pub async fn search_groups(
    State(edge): State<Arc<Edge>>,
    Reader(caller): Reader,
    client: Client,
    Body(body): Body,
) -> Answer {
    groups(&edge, &caller, &search::parse(body)?, &client).await
}

/// POST /.search
pub async fn search_all(
    State(edge): State<Arc<Edge>>,
    Reader(caller): Reader,
    client: Client,
    Body(body): Body,
) -> Answer {
    all(&edge, &caller, &search::parse(body)?, &client).await
}

/// The users that a query finds.
pub async fn users(edge: &Arc<Edge>, caller: &Arc<Caller>, query: &Query, client: &Client) -> Answer {
    let page = query.page()?;
    let projection = query.projection(&USER)?;
    let filter = filter_on(&USER, caller, query)?;
    let found = users_of::page(edge, caller, filter, page, &projection, &client.base).await?;
    Ok(answer(edge, caller, client, found, page, projection))
}

/// The groups that a query finds.
pub async fn groups(edge: &Arc<Edge>, caller: &Arc<Caller>, query: &Query, client: &Client) -> Answer {
    let page = query.page()?;
    let projection = query.projection(&GROUP)?;
    let filter = filter_on(&GROUP, caller, query)?;
    let found = groups_of::page(edge, caller, filter, page, &projection, &client.base).await?;
    Ok(answer(edge, caller, client, found, page, projection))
}

/// The resources of all types that a query finds.
async fn all(edge: &Arc<Edge>, caller: &Arc<Caller>, query: &Query, client: &Client) -> Answer {
    let page = query.page()?;
    let (of_users, of_groups) = (query.projection(&USER)?, query.projection(&GROUP)?);
    let filter_among = |resource, other| {
        let filter = query.filter.as_deref();
        let filter = filter.map(|text| filter::parse_among(resource, other, text, caller.quirks));
        filter.transpose()
    };
    let (for_users, for_groups) = (filter_among(&USER, &GROUP)?, filter_among(&GROUP, &USER)?);
    let base = &client.base;
    let mut found = users_of::page(edge, caller, for_users, page, &of_users, base).await?;
    let rest = behind(page, &found);
    let groups = groups_of::page(edge, caller, for_groups, rest, &of_groups, base).await?;
    found.total += groups.total;
    found.resources.extend(groups.resources);
    Ok(answer(edge, caller, client, found, page, of_groups))
}

/// What is left of a page behind the results that were found for it; nothing if more of these follow.
fn behind(page: Page, found: &Listed) -> Page {
    let skipped = page.start_index - 1;
    let here = i64::try_from(found.resources.len()).unwrap_or(i64::MAX);
    let is_reached = skipped.saturating_add(here) >= found.total;
    let left = if is_reached { i64::from(page.count) - here } else { 0 };
    Page {
        start_index: (skipped - found.total).max(0) + 1,
        count: i32::try_from(left).unwrap_or_default().max(0),
    }
}

fn filter_on(resource: &'static ResourceType, caller: &Caller, query: &Query) -> Result<Option<Filter>, Error> {
    let filter = query.filter.as_deref();
    let filter = filter.map(|text| filter::parse(resource, text, caller.quirks));
    Ok(filter.transpose()?)
}

/// `projection` is that of groups, if there are any.
fn answer(
    edge: &Arc<Edge>,
    caller: &Arc<Caller>,
    client: &Client,
    found: Listed,
    page: Page,
    projection: Projection,
) -> Response {
    let parts = text::list(found, page.start_index);
    let body = Pages::new(edge, caller, client, projection).body(parts);
    respond::scim(StatusCode::OK, body)
}
