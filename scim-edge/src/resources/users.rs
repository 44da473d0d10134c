//! `/Users`: RFC 7644 sections 3.3 to 3.6.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::header::LOCATION;
use http::{HeaderMap, HeaderValue, StatusCode};
use identity_proto::identity::v1::{
    CreateUserRequest, DeleteUserRequest, Filter, GetUserRequest, ListUsersRequest, PatchOperation, PatchUserRequest,
    UpdateUserRequest, User, UserView,
};
use identity_proto::schema::{Attribute, CORE_USER, USER};

use super::conditional::{check_if_none_match, if_match, not_modified, with_etag};
use super::search;
use super::text::{Listed, Rendered};
use crate::app::Edge;
use crate::auth::{Caller, Reader, Writer};
use crate::core::{call, with_credential};
use crate::error::Error;
use crate::extract::{Body, Client, Id};
use crate::respond;
use crate::scim::projection::Projection;
use crate::scim::query::{Page, Query};
use crate::scim::resource::{uri, version};
use crate::scim::{patch as patch_body, user};

type Answer = Result<Response, Error>;

/// GET /Users
pub async fn list(State(edge): State<Arc<Edge>>, Reader(caller): Reader, query: Query, client: Client) -> Answer {
    search::users(&edge, &caller, &query, &client).await
}

/// A page of the users that a filter finds. Groups are shown only to who names them: most lists are read to match users,
/// and the groups of each cost a question of their own.
pub async fn page(
    edge: &Edge,
    caller: &Caller,
    filter: Option<Filter>,
    page: Page,
    projection: &Projection,
    base: &str,
) -> Result<Listed, Error> {
    let request = ListUsersRequest {
        filter,
        page_size: page.count,
        skip: page.start_index - 1,
        count_only: page.count == 0,
        view: view(asks_for_groups(projection)).into(),
        ..ListUsersRequest::default()
    };
    let found = call(edge.core.users().list_users(with_credential(request, &caller.hash))).await?;
    let users = found.users.iter().map(|one| Rendered {
        resource: projection.apply(user::render(one, base)),
        more: None,
    });
    Ok(Listed {
        total: found.total_size,
        resources: users.collect(),
    })
}

/// POST /Users
pub async fn create(
    State(edge): State<Arc<Edge>>,
    Writer(caller): Writer,
    query: Query,
    client: Client,
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
    let mut response = render(StatusCode::CREATED, &created, &client, &projection)?;
    let location = uri(&USER, &created.id, &client.base);
    let location = HeaderValue::try_from(location).map_err(|_| Error::HeaderUnfit)?;
    response.headers_mut().insert(LOCATION, location);
    Ok(response)
}

/// GET /Users/{id}
pub async fn get(
    State(edge): State<Arc<Edge>>,
    Reader(caller): Reader,
    Id(id): Id,
    query: Query,
    client: Client,
    headers: HeaderMap,
) -> Answer {
    let projection = query.projection(&USER)?;
    let view = view(groups().is_some_and(|groups| projection.keeps(groups)));
    let found = read(&edge, &caller, id, view).await?;
    if let Some(answer) = not_modified(&headers, version(found.meta.as_ref())) {
        return answer;
    }
    render(StatusCode::OK, &found, &client, &projection)
}

/// PUT /Users/{id}
pub async fn replace(
    State(edge): State<Arc<Edge>>,
    Writer(caller): Writer,
    Id(id): Id,
    query: Query,
    client: Client,
    headers: HeaderMap,
    Body(body): Body,
) -> Answer {
    let projection = query.projection(&USER)?;
    let mut input = user::parse(body, caller.quirks)?;
    caller.check_password(input.password.is_some())?;
    check_if_none_match(&headers, current(&edge, &caller, &id)).await?;
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
    render_changed(&edge, &caller, updated, &client, &projection).await
}

/// PATCH /Users/{id}
pub async fn patch(
    State(edge): State<Arc<Edge>>,
    Writer(caller): Writer,
    Id(id): Id,
    query: Query,
    client: Client,
    headers: HeaderMap,
    Body(body): Body,
) -> Answer {
    let projection = query.projection(&USER)?;
    let operations = patch_body::parse(&USER, body, &id, caller.quirks)?;
    let names_password = |one: &PatchOperation| one.path.as_ref().is_some_and(|path| path.attribute == "password");
    caller.check_password(operations.iter().any(names_password))?;
    check_if_none_match(&headers, current(&edge, &caller, &id)).await?;
    let request = PatchUserRequest {
        tenant_id: String::new(),
        operations,
        id,
        if_match: if_match(&headers),
    };
    let patched = call(edge.core.users().patch_user(with_credential(request, &caller.hash))).await?;
    render_changed(&edge, &caller, patched, &client, &projection).await
}

/// DELETE /Users/{id}
pub async fn delete(State(edge): State<Arc<Edge>>, Writer(caller): Writer, Id(id): Id, headers: HeaderMap) -> Answer {
    check_if_none_match(&headers, current(&edge, &caller, &id)).await?;
    let request = DeleteUserRequest {
        tenant_id: String::new(),
        id,
        if_match: if_match(&headers),
    };
    call(edge.core.users().delete_user(with_credential(request, &caller.hash))).await?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}

async fn current(edge: &Edge, caller: &Caller, id: &str) -> Result<i64, Error> {
    let current = read(edge, caller, id.to_owned(), UserView::Basic).await?;
    Ok(version(current.meta.as_ref()))
}

async fn read(edge: &Edge, caller: &Caller, id: String, view: UserView) -> Result<User, Error> {
    let request = GetUserRequest {
        id,
        view: view.into(),
        ..GetUserRequest::default()
    };
    call(edge.core.users().get_user(with_credential(request, &caller.hash))).await
}

/// The answer to PUT and PATCH. The core answers a change without groups: who names them gets what is read after it.
async fn render_changed(
    edge: &Edge,
    caller: &Caller,
    mut changed: User,
    client: &Client,
    projection: &Projection,
) -> Answer {
    if asks_for_groups(projection) {
        changed = read(edge, caller, changed.id, UserView::Full).await?;
    }
    render(StatusCode::OK, &changed, client, projection)
}

fn render(status: StatusCode, one: &User, client: &Client, projection: &Projection) -> Answer {
    let resource = projection.apply(user::render(one, &client.base));
    with_etag(respond::json(status, &resource.into()), version(one.meta.as_ref()))
}

fn asks_for_groups(projection: &Projection) -> bool {
    groups().is_some_and(|groups| projection.asks_for(groups))
}

fn groups() -> Option<&'static Attribute> {
    CORE_USER.attributes.iter().find(|one| one.name == "groups")
}

fn view(with_groups: bool) -> UserView {
    if with_groups { UserView::Full } else { UserView::Basic }
}
