//! Groups: RFC 7643 section 4.2, JSON to the typed message and back. A member is its id: `type` and `$ref` follow from that,
//! and a client's word on them is not taken. `display` is as the client gave it, or the member's own name.

use identity_proto::identity::v1::member::Type;
use identity_proto::identity::v1::{Group, Member};
use identity_proto::schema::{COMMON, GROUP, GROUP_URN, ResourceType, USER};
use serde_json::{Map, Value as Json, json};

use super::quirks::{self, Quirks};
use super::references::{Form, Reference, references};
use super::resource::{check_schemas, meta, uri};
use super::value::canonical_map;
use super::{Refusal, Result};

/// The attribute that holds the members.
pub const MEMBERS: &str = "members";

/// Reads the body of POST or PUT. Read-only and unknown attributes are left out; members that are absent, null or an
/// empty list are none.
pub fn parse(body: Map<String, Json>, quirks: Quirks) -> Result<Group> {
    let mut body = quirks::resource(&GROUP, body, quirks);
    check_schemas(&GROUP, &body)?;
    let members = references(MEMBERS, take(&mut body, MEMBERS), Form::Objects)?;
    let mut canonical = canonical_map(GROUP.schema.attributes, "", body.clone())?;
    canonical.append(&mut canonical_map(COMMON, "", body)?);
    let mut text = |name| match canonical.remove(name) {
        Some(Json::String(text)) => Some(text),
        _ => None,
    };
    let Some(display_name) = text("displayName") else {
        return Err(Refusal::value("displayName is required: send the group's name."));
    };
    Ok(Group {
        display_name,
        external_id: text("externalId"),
        members: members.into_iter().map(member_of).collect(),
        ..Group::default()
    })
}

fn take(body: &mut Map<String, Json>, name: &str) -> Json {
    let key = body.keys().find(|key| key.eq_ignore_ascii_case(name)).cloned();
    key.and_then(|key| body.shift_remove(&key)).unwrap_or_default()
}

fn member_of(reference: Reference) -> Member {
    Member {
        id: reference.id,
        display: reference.display.unwrap_or_default(),
        ..Member::default()
    }
}

/// Renders a group; `base` is the URI of the SCIM root, without a slash at its end. Members come last: there may be more
/// of them than are here.
pub fn render(group: &Group, base: &str) -> Map<String, Json> {
    let mut resource = Map::new();
    resource.insert("schemas".to_owned(), json!([GROUP_URN]));
    resource.insert("id".to_owned(), group.id.clone().into());
    if let Some(external_id) = &group.external_id {
        resource.insert("externalId".to_owned(), external_id.clone().into());
    }
    resource.insert("displayName".to_owned(), group.display_name.clone().into());
    let meta = meta(&GROUP, &group.id, group.meta.as_ref(), base);
    resource.insert("meta".to_owned(), meta);
    if !group.members.is_empty() {
        resource.insert(MEMBERS.to_owned(), members(&group.members, base));
    }
    resource
}

/// Renders some members.
pub fn members(members: &[Member], base: &str) -> Json {
    members.iter().map(|one| member(one, base)).collect()
}

fn member(one: &Member, base: &str) -> Json {
    let mut rendered = Map::new();
    rendered.insert("value".to_owned(), one.id.clone().into());
    if let Some(resource) = resource_type(one.r#type()) {
        rendered.insert("$ref".to_owned(), uri(resource, &one.id, base).into());
        rendered.insert("type".to_owned(), resource.name.into());
    }
    if !one.display.is_empty() {
        rendered.insert("display".to_owned(), one.display.clone().into());
    }
    rendered.into()
}

fn resource_type(kind: Type) -> Option<&'static ResourceType> {
    match kind {
        Type::User => Some(&USER),
        Type::Group => Some(&GROUP),
        Type::Unspecified => None,
    }
}

#[cfg(test)]
mod tests;
