//! `/ServiceProviderConfig`, `/Schemas` and `/ResourceTypes`: RFC 7644 section 4. A filter is refused there, so that
//! nobody takes an unfiltered answer for a filtered one; other parameters are ignored.

use axum::response::Response;
use http::StatusCode;
use serde_json::{Map, Value as Json};

use crate::auth::Reader;
use crate::error::Error;
use crate::extract::{Base, Segment};
use crate::respond;
use crate::scim::query::Query;
use crate::scim::{discovery, list_response};

type Answer = Result<Response, Error>;

/// GET /ServiceProviderConfig
pub async fn service_provider_config(_: Reader, query: Query, Base(base): Base) -> Answer {
    unfiltered(&query)?;
    Ok(respond::json(
        StatusCode::OK,
        &discovery::service_provider_config(&base),
    ))
}

/// GET /Schemas
pub async fn schemas(_: Reader, query: Query, Base(base): Base) -> Answer {
    unfiltered(&query)?;
    Ok(whole_list(discovery::schemas(&base)))
}

/// GET /Schemas/{urn}
pub async fn schema(_: Reader, query: Query, Base(base): Base, Segment(urn): Segment) -> Answer {
    unfiltered(&query)?;
    one(discovery::schema(&urn, &base))
}

/// GET /ResourceTypes
pub async fn resource_types(_: Reader, query: Query, Base(base): Base) -> Answer {
    unfiltered(&query)?;
    Ok(whole_list(discovery::resource_types(&base)))
}

/// GET /ResourceTypes/{name}
pub async fn resource_type(_: Reader, query: Query, Base(base): Base, Segment(name): Segment) -> Answer {
    unfiltered(&query)?;
    one(discovery::resource_type(&name, &base))
}

fn unfiltered(query: &Query) -> Result<(), Error> {
    match query.filter {
        None => Ok(()),
        Some(_) => Err(Error::DiscoveryFilter),
    }
}

fn whole_list(resources: Vec<Map<String, Json>>) -> Response {
    let total = i64::try_from(resources.len()).unwrap_or(i64::MAX);
    respond::json(StatusCode::OK, &list_response::render(resources, total, 1))
}

fn one(found: Option<Map<String, Json>>) -> Answer {
    let found = found.ok_or(Error::NotFound)?;
    Ok(respond::json(StatusCode::OK, &found.into()))
}
