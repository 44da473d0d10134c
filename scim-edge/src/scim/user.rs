//! Users: RFC 7643 sections 4.1 and 4.3, JSON to the typed message and back.

use identity_proto::identity::v1::{EnterpriseUser, Manager, Membership, User};
use identity_proto::schema::{COMMON, ENTERPRISE_URN, GROUP, USER, USER_URN};
use serde_json::{Map, Value as Json, json};

use super::quirks::{self, Quirks};
use super::resource::{check_schemas, is_id, meta, uri};
use super::value::{canonical_map, found};
use super::{Refusal, Result};

/// What a client sends by POST or PUT.
#[derive(Debug)]
pub struct UserInput {
    pub user: User,
    pub password: Option<String>,
}

/// Reads the body of POST or PUT. Read-only and unknown attributes are left out.
pub fn parse(body: Map<String, Json>, quirks: Quirks) -> Result<UserInput> {
    let body = quirks::resource(&USER, body, quirks);
    check_schemas(&USER, &body)?;
    let mut canonical = Map::new();
    let mut top = Map::new();
    for (key, value) in body {
        match USER.find_schema(&key) {
            Some(schema) if schema.id != USER_URN => {
                let extension = extension(schema.id, schema.attributes, value)?;
                if !extension.is_empty() {
                    canonical.insert(schema.id.to_owned(), extension.into());
                }
            }
            _ => {
                top.insert(key, value);
            }
        }
    }
    let common = top.clone();
    canonical.append(&mut canonical_map(USER.schema.attributes, "", top)?);
    canonical.append(&mut canonical_map(COMMON, "", common)?);
    canonical.remove("schemas");
    let password = match canonical.remove("password") {
        Some(Json::String(password)) => Some(password),
        _ => None,
    };
    if !canonical.contains_key("userName") {
        return Err(Refusal::value(
            "userName is required: send the name by which the user is known.",
        ));
    }
    let mut user: User = serde_json::from_value(Json::Object(canonical))
        .map_err(|error| Refusal::value(format!("The user cannot be read: {error}.")))?;
    drop_sent_manager_ref(&mut user);
    Ok(UserInput { user, password })
}

/// A client's `$ref` of the manager is not kept: [`render`] makes it from the value. A manager of nothing else is none,
/// and an extension of nothing else is not there.
fn drop_sent_manager_ref(user: &mut User) {
    let Some(enterprise) = &mut user.enterprise else { return };
    let Some(manager) = &mut enterprise.manager else { return };
    manager.r#ref = None;
    if *manager == Manager::default() {
        enterprise.manager = None;
    }
    if *enterprise == EnterpriseUser::default() {
        user.enterprise = None;
    }
}

fn extension(
    urn: &str,
    attributes: &'static [identity_proto::schema::Attribute],
    value: Json,
) -> Result<Map<String, Json>> {
    match value {
        Json::Null => Ok(Map::new()),
        Json::Object(map) => canonical_map(attributes, &format!("{urn}:"), map),
        other => Err(Refusal::value(format!(
            "{urn} must be an object, not {}.",
            found(&other)
        ))),
    }
}

/// Renders a user; `base` is the URI of the SCIM root, without a slash at its end.
pub fn render(user: &User, base: &str) -> Map<String, Json> {
    let mut attributes = match serde_json::to_value(user) {
        Ok(Json::Object(map)) => map,
        _ => Map::new(),
    };
    if let Some(manager) = attributes
        .get_mut(ENTERPRISE_URN)
        .and_then(|one| one.get_mut("manager"))
    {
        refer_to_manager(manager, base);
    }
    without_unassigned(&mut attributes);
    let mut schemas = vec![USER_URN];
    schemas.extend(attributes.contains_key(ENTERPRISE_URN).then_some(ENTERPRISE_URN));
    let mut resource = Map::new();
    resource.insert("schemas".to_owned(), json!(schemas));
    resource.insert("id".to_owned(), user.id.clone().into());
    resource.append(&mut attributes);
    if !user.groups.is_empty() {
        let groups = user.groups.iter().map(|one| membership(one, base));
        resource.insert("groups".to_owned(), groups.collect());
    }
    let meta = meta(&USER, &user.id, user.meta.as_ref(), base);
    resource.insert("meta".to_owned(), meta);
    resource
}

/// One value of `groups`, which is of the server alone: RFC 7643 section 4.1.2.
fn membership(one: &Membership, base: &str) -> Json {
    json!({
        "value": one.group_id,
        "$ref": uri(&GROUP, &one.group_id, base),
        "display": one.display,
        "type": if one.direct { "direct" } else { "indirect" },
    })
}

/// Makes `$ref` the URI of the user that `value` names, whatever is stored: every `$ref` leads somewhere. A value that
/// cannot be an id of ours has none.
fn refer_to_manager(manager: &mut Json, base: &str) {
    let Json::Object(manager) = manager else { return };
    manager.remove("$ref");
    let id = manager.get("value").and_then(Json::as_str).filter(|id| is_id(id));
    let uri = id.map(|id| uri(&USER, id, base));
    manager.extend(uri.map(|uri| ("$ref".to_owned(), uri.into())));
}

/// Leaves out complex attributes without sub-attributes and lists without values: RFC 7643 section 2.5. The typed
/// message is four levels deep at most.
fn without_unassigned(map: &mut Map<String, Json>) {
    map.retain(|_, value| {
        if let Json::Object(inner) = value {
            without_unassigned(inner);
        }
        match value {
            Json::Object(inner) => !inner.is_empty(),
            Json::Array(list) => {
                list.retain(|one| one.as_object().is_none_or(|inner| !inner.is_empty()));
                !list.is_empty()
            }
            _ => true,
        }
    });
}

#[cfg(test)]
mod tests;
