//! `/Groups`: RFC 7644 sections 3.3 to 3.6. Members are read only where the answer holds them; of many, the first come
//! with the group and the others follow as the answer is sent.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::header::LOCATION;
use http::{HeaderMap, HeaderValue, StatusCode};
use identity_proto::identity::v1::group_service_client::GroupServiceClient;
use identity_proto::identity::v1::{
    CreateGroupRequest, DeleteGroupRequest, Filter, GetGroupRequest, Group, GroupView, ListGroupsRequest,
    PatchGroupRequest, Quirk, UnknownMembers, UpdateGroupRequest,
};
use identity_proto::schema::{Attribute, CORE_GROUP, GROUP};

use super::conditional::{check_if_none_match, if_match, not_modified, with_etag};
use super::members::Pages;
use super::search;
use super::text::{self, Listed, More, Rendered};
use crate::app::Edge;
use crate::auth::{Caller, Reader, Writer};
use crate::core::{call, with_credential};
use crate::error::Error;
use crate::extract::{Body, Client, Id};
use crate::respond;
use crate::scim::group::{self, MEMBERS};
use crate::scim::patch as patch_body;
use crate::scim::projection::Projection;
use crate::scim::query::{Page, Query};
use crate::scim::resource::{uri, version};

type Answer = Result<Response, Error>;

/// GET /Groups
pub async fn list(State(edge): State<Arc<Edge>>, Reader(caller): Reader, query: Query, client: Client) -> Answer {
    search::groups(&edge, &caller, &query, &client).await
}

/// A page of the groups that a filter finds.
pub async fn page(
    edge: &Edge,
    caller: &Caller,
    filter: Option<Filter>,
    page: Page,
    projection: &Projection,
    base: &str,
) -> Result<Listed, Error> {
    let request = ListGroupsRequest {
        filter,
        page_size: page.count,
        skip: page.start_index - 1,
        count_only: page.count == 0,
        view: view(keeps_members(projection)).into(),
        ..ListGroupsRequest::default()
    };
    let mut core = edge.core.groups();
    let found = call(core.list_groups(with_credential(request, &caller.hash))).await?;
    let groups = found.groups.iter().map(|one| rendered(one, base, projection));
    Ok(Listed {
        total: found.total_size,
        resources: groups.collect(),
    })
}

/// POST /Groups
pub async fn create(
    State(edge): State<Arc<Edge>>,
    Writer(caller): Writer,
    query: Query,
    client: Client,
    Body(body): Body,
) -> Answer {
    let projection = query.projection(&GROUP)?;
    let group = group::parse(body, caller.quirks)?;
    let has_members = !group.members.is_empty();
    let request = CreateGroupRequest {
        tenant_id: String::new(),
        group: Some(group),
        unknown_members: unknown_members(&caller).into(),
    };
    let change = async |mut core: GroupServiceClient<_>, request| core.create_group(request).await;
    let mut created = edge.core.change_group(request, &caller.hash, change).await?;
    if has_members && keeps_members(&projection) {
        created = read_created(&edge, &caller, created).await;
    }
    let location = uri(&GROUP, &created.id, &client.base);
    let location = HeaderValue::try_from(location).map_err(|_| Error::HeaderUnfit)?;
    let mut response = render(StatusCode::CREATED, &edge, &caller, &created, &client, projection)?;
    response.headers_mut().insert(LOCATION, location);
    Ok(response)
}

/// The group with its members. That it was created has to be said, or it is created again: if it cannot be read now, the
/// answer is without members.
async fn read_created(edge: &Edge, caller: &Caller, created: Group) -> Group {
    match read(edge, caller, created.id.clone(), GroupView::Full).await {
        Ok(whole) => whole,
        Err(error) => {
            tracing::warn!(?error, "a new group could not be read: it is answered without members");
            created
        }
    }
}

/// GET /Groups/{id}
pub async fn get(
    State(edge): State<Arc<Edge>>,
    Reader(caller): Reader,
    Id(id): Id,
    query: Query,
    client: Client,
    headers: HeaderMap,
) -> Answer {
    let projection = query.projection(&GROUP)?;
    let found = read(&edge, &caller, id, view(keeps_members(&projection))).await?;
    if let Some(answer) = not_modified(&headers, version(found.meta.as_ref())) {
        return answer;
    }
    render(StatusCode::OK, &edge, &caller, &found, &client, projection)
}

/// PUT /Groups/{id}
pub async fn replace(
    State(edge): State<Arc<Edge>>,
    Writer(caller): Writer,
    Id(id): Id,
    query: Query,
    client: Client,
    headers: HeaderMap,
    Body(body): Body,
) -> Answer {
    let projection = query.projection(&GROUP)?;
    let mut group = group::parse(body, caller.quirks)?;
    check_if_none_match(&headers, current(&edge, &caller, &id)).await?;
    group.id = id;
    let request = UpdateGroupRequest {
        tenant_id: String::new(),
        group: Some(group),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["*".to_owned()],
        }),
        if_match: if_match(&headers),
        unknown_members: unknown_members(&caller).into(),
    };
    let change = async |mut core: GroupServiceClient<_>, request| core.update_group(request).await;
    let updated = edge.core.change_group(request, &caller.hash, change).await?;
    render_changed(&edge, &caller, updated, &client, projection).await
}

/// PATCH /Groups/{id}
pub async fn patch(
    State(edge): State<Arc<Edge>>,
    Writer(caller): Writer,
    Id(id): Id,
    query: Query,
    client: Client,
    headers: HeaderMap,
    Body(body): Body,
) -> Answer {
    let projection = query.projection(&GROUP)?;
    let operations = patch_body::parse(&GROUP, body, &id, caller.quirks)?;
    check_if_none_match(&headers, current(&edge, &caller, &id)).await?;
    let request = PatchGroupRequest {
        tenant_id: String::new(),
        id,
        operations,
        if_match: if_match(&headers),
        unknown_members: unknown_members(&caller).into(),
    };
    let change = async |mut core: GroupServiceClient<_>, request| core.patch_group(request).await;
    let patched = edge.core.change_group(request, &caller.hash, change).await?;
    render_changed(&edge, &caller, patched, &client, projection).await
}

/// DELETE /Groups/{id}
pub async fn delete(State(edge): State<Arc<Edge>>, Writer(caller): Writer, Id(id): Id, headers: HeaderMap) -> Answer {
    check_if_none_match(&headers, current(&edge, &caller, &id)).await?;
    let request = DeleteGroupRequest {
        tenant_id: String::new(),
        id,
        if_match: if_match(&headers),
    };
    let change = async |mut core: GroupServiceClient<_>, request| core.delete_group(request).await;
    edge.core.change_group(request, &caller.hash, change).await?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}

async fn current(edge: &Edge, caller: &Caller, id: &str) -> Result<i64, Error> {
    let current = read(edge, caller, id.to_owned(), GroupView::Basic).await?;
    Ok(version(current.meta.as_ref()))
}

async fn read(edge: &Edge, caller: &Caller, id: String, view: GroupView) -> Result<Group, Error> {
    let request = GetGroupRequest {
        id,
        view: view.into(),
        ..GetGroupRequest::default()
    };
    call(edge.core.groups().get_group(with_credential(request, &caller.hash))).await
}

/// The answer to PUT and PATCH. The core answers a change without members; who is to see them gets what is read after it.
async fn render_changed(
    edge: &Arc<Edge>,
    caller: &Arc<Caller>,
    mut changed: Group,
    client: &Client,
    projection: Projection,
) -> Answer {
    if shows_members(caller, &projection) {
        changed = read(edge, caller, changed.id, GroupView::Full).await?;
    }
    render(StatusCode::OK, edge, caller, &changed, client, projection)
}

/// Whether the answer to a change holds members.
fn shows_members(caller: &Caller, projection: &Projection) -> bool {
    if caller.quirks.has(Quirk::BriefGroups) {
        members().is_some_and(|members| projection.asks_for(members))
    } else {
        keeps_members(projection)
    }
}

fn render(
    status: StatusCode,
    edge: &Arc<Edge>,
    caller: &Arc<Caller>,
    one: &Group,
    client: &Client,
    projection: Projection,
) -> Answer {
    let parts = text::one(rendered(one, &client.base, &projection));
    let body = Pages::new(edge, caller, client, projection).body(parts);
    with_etag(respond::scim(status, body), version(one.meta.as_ref()))
}

fn rendered(one: &Group, base: &str, projection: &Projection) -> Rendered {
    let more = More {
        group_id: one.id.clone(),
        page_token: one.next_members_token.clone(),
    };
    Rendered {
        resource: projection.apply(group::render(one, base)),
        more: (!more.page_token.is_empty()).then_some(more),
    }
}

fn unknown_members(caller: &Caller) -> UnknownMembers {
    if caller.quirks.has(Quirk::UnknownMembers) {
        UnknownMembers::LeaveOut
    } else {
        UnknownMembers::Refuse
    }
}

fn keeps_members(projection: &Projection) -> bool {
    members().is_some_and(|members| projection.keeps(members))
}

fn members() -> Option<&'static Attribute> {
    CORE_GROUP.attributes.iter().find(|one| one.name == MEMBERS)
}

fn view(with_members: bool) -> GroupView {
    if with_members {
        GroupView::Full
    } else {
        GroupView::Basic
    }
}
