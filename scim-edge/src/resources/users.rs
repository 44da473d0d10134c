//! `/Users`: RFC 7644 sections 3.3 to 3.6.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::header::{ETAG, IF_MATCH, IF_NONE_MATCH, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};
use identity_proto::identity::v1::{
    CreateUserRequest, DeleteUserRequest, GetUserRequest, ListUsersRequest, PatchOperation, PatchUserRequest,
    UpdateUserRequest, User,
};
use identity_proto::schema::USER;

use crate::app::Edge;
use crate::auth::{Caller, Reader, Writer};
use crate::core::{call, with_credential};
use crate::error::Error;
use crate::extract::{Base, Body, Id, list_header};
use crate::respond;
use crate::scim::projection::Projection;
use crate::scim::query::Query;
use crate::scim::{etag, filter, list_response, patch as patch_body, user};

type Answer = Result<Response, Error>;

/// GET /Users
pub async fn list(State(edge): State<Arc<Edge>>, Reader(caller): Reader, query: Query, Base(base): Base) -> Answer {
    found(&edge, &caller, &query, &base).await
}

/// The users that a query finds, wherever it came from.
pub async fn found(edge: &Edge, caller: &Caller, query: &Query, base: &str) -> Answer {
    let page = query.page()?;
    let projection = query.projection(&USER)?;
    let filter = query
        .filter
        .as_deref()
        .map(|text| filter::parse(&USER, text, caller.quirks));
    let request = ListUsersRequest {
        filter: filter.transpose()?,
        page_size: page.count,
        skip: page.start_index - 1,
        count_only: page.count == 0,
        ..ListUsersRequest::default()
    };
    let found = call(edge.core.users().list_users(with_credential(request, &caller.hash))).await?;
    let users = found.users.iter();
    let resources = users.map(|one| projection.apply(user::render(one, base))).collect();
    let body = list_response::render(resources, found.total_size, page.start_index);
    Ok(respond::json(StatusCode::OK, &body))
}

/// POST /Users
pub async fn create(
    State(edge): State<Arc<Edge>>,
    Writer(caller): Writer,
    query: Query,
    Base(base): Base,
    Body(body): Body,
) -> Answer {
    let projection = query.projection(&USER)?;
    let input = user::parse(body, caller.quirks)?;
    caller.check_password(input.password.is_some())?;
    let request = CreateUserRequest {
        tenant_id: String::new(),
        user: Some(input.user),
        password: input.password,
    };
    let mut core = edge.core.users();
    let created = call(Box::pin(core.create_user(with_credential(request, &caller.hash)))).await?;
    let mut response = render(StatusCode::CREATED, &created, &base, &projection)?;
    let location = HeaderValue::try_from(user::location(&created, &base)).map_err(|_| Error::HeaderUnfit)?;
    response.headers_mut().insert(LOCATION, location);
    Ok(response)
}

/// GET /Users/{id}
pub async fn get(
    State(edge): State<Arc<Edge>>,
    Reader(caller): Reader,
    Id(id): Id,
    query: Query,
    Base(base): Base,
    headers: HeaderMap,
) -> Answer {
    let projection = query.projection(&USER)?;
    let found = read(&edge, &caller, id).await?;
    let known = list_header(&headers, &IF_NONE_MATCH);
    if etag::if_none_match(known.as_deref(), user::version(&found)) {
        return with_etag(respond::empty(StatusCode::NOT_MODIFIED), &found);
    }
    render(StatusCode::OK, &found, &base, &projection)
}

/// PUT /Users/{id}
pub async fn replace(
    State(edge): State<Arc<Edge>>,
    Writer(caller): Writer,
    Id(id): Id,
    query: Query,
    Base(base): Base,
    headers: HeaderMap,
    Body(body): Body,
) -> Answer {
    let projection = query.projection(&USER)?;
    let mut input = user::parse(body, caller.quirks)?;
    caller.check_password(input.password.is_some())?;
    check_if_none_match(&edge, &caller, &id, &headers).await?;
    input.user.id = id;
    let request = UpdateUserRequest {
        tenant_id: String::new(),
        user: Some(input.user),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["*".to_owned()],
        }),
        if_match: if_match(&headers),
        password: input.password,
    };
    let mut core = edge.core.users();
    let updated = call(Box::pin(core.update_user(with_credential(request, &caller.hash)))).await?;
    render(StatusCode::OK, &updated, &base, &projection)
}

/// PATCH /Users/{id}
pub async fn patch(
    State(edge): State<Arc<Edge>>,
    Writer(caller): Writer,
    Id(id): Id,
    query: Query,
    Base(base): Base,
    headers: HeaderMap,
    Body(body): Body,
) -> Answer {
    let projection = query.projection(&USER)?;
    let operations = patch_body::parse(&USER, body, &id, caller.quirks)?;
    let names_password = |one: &PatchOperation| one.path.as_ref().is_some_and(|path| path.attribute == "password");
    caller.check_password(operations.iter().any(names_password))?;
    check_if_none_match(&edge, &caller, &id, &headers).await?;
    let request = PatchUserRequest {
        tenant_id: String::new(),
        operations,
        id,
        if_match: if_match(&headers),
    };
    let patched = call(edge.core.users().patch_user(with_credential(request, &caller.hash))).await?;
    render(StatusCode::OK, &patched, &base, &projection)
}

/// DELETE /Users/{id}
pub async fn delete(State(edge): State<Arc<Edge>>, Writer(caller): Writer, Id(id): Id, headers: HeaderMap) -> Answer {
    check_if_none_match(&edge, &caller, &id, &headers).await?;
    let request = DeleteUserRequest {
        tenant_id: String::new(),
        id,
        if_match: if_match(&headers),
    };
    call(edge.core.users().delete_user(with_credential(request, &caller.hash))).await?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}

/// RFC 9110 section 13.1.2 for a method that changes a resource. Most clients send no If-None-Match, and nothing is
/// asked for them.
async fn check_if_none_match(edge: &Edge, caller: &Caller, id: &str, headers: &HeaderMap) -> Result<(), Error> {
    let Some(refused) = list_header(headers, &IF_NONE_MATCH) else {
        return Ok(());
    };
    let current = read(edge, caller, id.to_owned()).await?;
    if etag::if_none_match(Some(&refused), user::version(&current)) {
        return Err(Error::IfNoneMatch);
    }
    Ok(())
}

async fn read(edge: &Edge, caller: &Caller, id: String) -> Result<User, Error> {
    let request = GetUserRequest {
        id,
        ..GetUserRequest::default()
    };
    call(edge.core.users().get_user(with_credential(request, &caller.hash))).await
}

fn if_match(headers: &HeaderMap) -> Vec<i64> {
    etag::if_match(list_header(headers, &IF_MATCH).as_deref())
}

fn render(status: StatusCode, one: &User, base: &str, projection: &Projection) -> Answer {
    let resource = projection.apply(user::render(one, base));
    with_etag(respond::json(status, &resource.into()), one)
}

fn with_etag(mut response: Response, one: &User) -> Answer {
    let tag = etag::render(user::version(one));
    let tag = HeaderValue::try_from(tag).map_err(|_| Error::HeaderUnfit)?;
    response.headers_mut().insert(ETAG, tag);
    Ok(response)
}
