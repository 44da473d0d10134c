//! PATCH: canonical operations applied to a resource's document, RFC 7644 section 3.5.2. Pure: the caller holds the row,
//! validates what comes out and drops it on an error.
//!
//! What the RFC leaves open is settled here:
//! - `add` of null adds nothing; `replace` with null or an empty list is `remove`.
//! - `replace` of `emails[type eq "work"]` makes the value anew, from the filter's equalities and what is given.
//! - A path such as `emails.display`, without a filter, means that sub-attribute in every value.
//! - Read-only sub-attributes inside a complex value are ignored, as in POST and PUT; a path that names one is refused.
//! - `schemas` follows from the content: adding to it changes nothing.

mod values;

use std::fmt;

use identity_proto::identity::v1::patch_operation::{NoMatch, Op};
use identity_proto::identity::v1::value::Kind;
use identity_proto::identity::v1::{AttributePath, ErrorReason, Filter, PatchOperation};
use identity_proto::schema::{Attribute, Mutability, ResourceType, Schema, Target, Type, USER};
use serde_json::{Map, Value as Json};

use crate::Error;
use crate::keys::fold;
use crate::validate::prune;

/// What the operations ask for beside the document.
#[derive(Default)]
pub struct Patched {
    /// A password that was set, or removed (`Some(None)`).
    pub password: Option<Option<String>>,
}

impl fmt::Debug for Patched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let password = self.password.as_ref().map(|set| set.as_ref().map(|_| "[redacted]"));
        f.debug_struct("Patched").field("password", &password).finish()
    }
}

/// The password that the operations set, if [`apply`] takes them and none of them removes it again. It can be hashed
/// before any row is locked.
pub fn password(operations: &[PatchOperation]) -> Option<&str> {
    let mut texts = operations
        .iter()
        .filter_map(|operation| match operation.value.as_ref()?.kind.as_ref()? {
            Kind::Text(text) if operation.path.as_ref().is_some_and(names_password) => Some(text.as_str()),
            _ => None,
        });
    texts.next_back()
}

fn names_password(path: &AttributePath) -> bool {
    matches!(USER.target(path), Some(Target::Attribute(attribute, _)) if attribute.name == "password")
}

/// One operation on one attribute, with its value as JSON.
struct Change {
    path: AttributePath,
    action: Action,
    filter: Option<Filter>,
    create: bool,
}

enum Action {
    Add(Json),
    Replace(Json),
    Remove,
}

/// Applies the operations in order. After an error the document is in no particular state.
pub fn apply(
    resource: &'static ResourceType,
    document: &mut Map<String, Json>,
    operations: Vec<PatchOperation>,
) -> Result<Patched, Error> {
    let mut patched = Patched::default();
    let mut created = None;
    for operation in operations {
        if operation.tombstone_name && is_tombstone(document, &operation) {
            continue;
        }
        let change = Change::new(operation)?;
        match resource.target(&change.path) {
            Some(Target::Extension(schema)) => extension(resource, document, schema, change)?,
            Some(Target::Attribute(attribute, sub_attribute)) => {
                change.check_writable(attribute, sub_attribute)?;
                match attribute.name {
                    "schemas" => {}
                    "password" => set_password(&mut patched, change)?,
                    _ => container(document, change, attribute, sub_attribute, &mut created)?,
                }
            }
            None => {
                let message = no_attribute(resource, &change.path);
                return Err(Error::new(ErrorReason::InvalidPath, message));
            }
        }
    }
    prune(document);
    Ok(patched)
}

/// Whether the operation only puts 32 hexadecimal digits before the name that the user has.
fn is_tombstone(document: &Map<String, Json>, operation: &PatchOperation) -> bool {
    let value = operation.value.clone().map(Json::from);
    let split = value
        .as_ref()
        .and_then(Json::as_str)
        .and_then(|name| name.split_at_checked(32));
    let name = document.get("userName").and_then(Json::as_str);
    split.zip(name).is_some_and(|((digits, rest), name)| {
        digits.bytes().all(|byte| byte.is_ascii_hexdigit()) && fold(rest) == fold(name)
    })
}

impl Change {
    fn new(operation: PatchOperation) -> Result<Self, Error> {
        let (op, create) = (operation.op(), operation.no_match() == NoMatch::Create);
        let path = operation.path.unwrap_or_default();
        let value = operation.value.map(Json::from);
        let action = match (op, value) {
            (Op::Remove, None | Some(Json::Null)) | (Op::Replace, Some(Json::Null)) => Action::Remove,
            (Op::Remove, Some(_)) => {
                return Err(refused(format!(
                    "{path}: a remove operation has no value; use a filter in its path"
                )));
            }
            (Op::Replace, Some(Json::Array(values))) if values.is_empty() => Action::Remove,
            (Op::Replace, Some(value)) => Action::Replace(value),
            (Op::Add, Some(value)) => Action::Add(value),
            (Op::Add | Op::Replace, None) => return Err(refused(format!("{path}: the operation needs a value"))),
            (Op::Unspecified, _) => {
                let message = format!("{path}: the operation must be add, remove or replace");
                return Err(Error::new(ErrorReason::InvalidSyntax, message));
            }
        };
        Ok(Change {
            path,
            action,
            filter: operation.value_filter,
            create,
        })
    }

    fn check_writable(&self, attribute: &Attribute, sub_attribute: Option<&Attribute>) -> Result<(), Error> {
        let path = &self.path;
        let target = sub_attribute.unwrap_or(attribute);
        if attribute.mutability == Mutability::ReadOnly || target.mutability == Mutability::ReadOnly {
            return Err(mutability(format!("{path} is read-only; leave it out")));
        }
        if self.filter.is_some() && !attribute.multi_valued {
            let message = format!("{path} has one value; leave the filter out of its path");
            return Err(Error::new(ErrorReason::InvalidPath, message));
        }
        let clears = match &self.action {
            Action::Remove => self.filter.is_none(),
            Action::Add(value) | Action::Replace(value) => value.is_null(),
        };
        if clears && (target.required || attribute.name == "schemas") {
            return Err(mutability(format!("{path} is required and cannot be removed")));
        }
        Ok(())
    }
}

fn no_attribute(resource: &ResourceType, path: &AttributePath) -> String {
    format!("{}s have no attribute {path}", resource.name.to_ascii_lowercase())
}

fn refused(message: impl Into<String>) -> Error {
    Error::new(ErrorReason::InvalidValue, message)
}

fn mutability(message: impl Into<String>) -> Error {
    Error::new(ErrorReason::Mutability, message)
}

fn set_password(patched: &mut Patched, change: Change) -> Result<(), Error> {
    match change.action {
        Action::Remove => patched.password = Some(None),
        Action::Add(Json::Null) => {}
        Action::Add(Json::String(password)) | Action::Replace(Json::String(password)) => {
            patched.password = Some(Some(password));
        }
        Action::Add(_) | Action::Replace(_) => return Err(refused("password must be a text")),
    }
    Ok(())
}

/// A whole extension: each attribute given is an operation of its own.
fn extension(
    resource: &'static ResourceType,
    document: &mut Map<String, Json>,
    schema: &'static Schema,
    change: Change,
) -> Result<(), Error> {
    let (given, action): (Json, fn(Json) -> Action) = match change.action {
        Action::Remove => {
            document.shift_remove(schema.id);
            return Ok(());
        }
        Action::Add(given) => (given, Action::Add),
        Action::Replace(given) => (given, replace_or_remove),
    };
    for (name, value) in object(&change.path, given)? {
        let path = AttributePath {
            attribute: name,
            ..change.path.clone()
        };
        let Some(Target::Attribute(attribute, None)) = resource.target(&path) else {
            return Err(refused(no_attribute(resource, &path)));
        };
        let change = Change {
            path,
            action: action(value),
            filter: None,
            create: false,
        };
        change.check_writable(attribute, None)?;
        container(document, change, attribute, None, &mut None)?;
    }
    Ok(())
}

fn replace_or_remove(value: Json) -> Action {
    if value.is_null() {
        Action::Remove
    } else {
        Action::Replace(value)
    }
}

/// Changes an attribute inside the core document or inside its extension, which comes and goes with its content.
fn container(
    document: &mut Map<String, Json>,
    change: Change,
    attribute: &'static Attribute,
    sub_attribute: Option<&'static Attribute>,
    created: &mut Option<values::Created>,
) -> Result<(), Error> {
    let urn = change.path.schema.clone();
    let inside = match urn.as_str() {
        "" => &mut *document,
        urn => member(document, urn)?,
    };
    if attribute.multi_valued {
        values::change(inside, change, attribute, sub_attribute, created)?;
    } else {
        singular(inside, change, attribute, sub_attribute)?;
    }
    if inside.is_empty() {
        document.shift_remove(&urn);
    }
    Ok(())
}

fn singular(
    inside: &mut Map<String, Json>,
    change: Change,
    attribute: &'static Attribute,
    sub_attribute: Option<&'static Attribute>,
) -> Result<(), Error> {
    let name = attribute.name;
    match (change.action, sub_attribute) {
        (Action::Add(Json::Null), _) => {}
        (Action::Remove, None) => {
            inside.shift_remove(name);
        }
        (Action::Remove, Some(sub)) => {
            let rest = member(inside, name)?;
            rest.shift_remove(sub.name);
            if rest.is_empty() {
                inside.shift_remove(name);
            }
        }
        (Action::Add(value) | Action::Replace(value), Some(sub)) => {
            member(inside, name)?.insert(sub.name.to_owned(), value);
        }
        (Action::Add(value), None) if attribute.kind == Type::Complex => {
            merge(member(inside, name)?, attribute, object(&change.path, value)?, false);
        }
        (Action::Replace(value), None) if attribute.kind == Type::Complex => {
            merge(member(inside, name)?, attribute, object(&change.path, value)?, true);
        }
        (Action::Add(value) | Action::Replace(value), None) => {
            inside.insert(name.to_owned(), value);
        }
    }
    Ok(())
}

/// The complex value under that name, made empty if it is absent.
fn member<'a>(inside: &'a mut Map<String, Json>, name: &str) -> Result<&'a mut Map<String, Json>, Error> {
    let value = inside.entry(name).or_insert_with(|| Json::Object(Map::new()));
    value
        .as_object_mut()
        .ok_or_else(|| refused(format!("{name} must be an object with sub-attributes")))
}

fn object(path: &AttributePath, value: Json) -> Result<Map<String, Json>, Error> {
    match value {
        Json::Object(attributes) => Ok(attributes),
        _ => Err(refused(format!("{path} must be an object with sub-attributes"))),
    }
}

/// Sets the sub-attributes that are given; with `clear`, a null clears one. Those that are read-only stay as they are.
fn merge(into: &mut Map<String, Json>, attribute: &Attribute, given: Map<String, Json>, clear: bool) {
    let read_only = |name: &str| {
        let mut definitions = attribute.sub_attributes.iter();
        definitions.any(|sub| sub.name == name && sub.mutability == Mutability::ReadOnly)
    };
    for (name, value) in given {
        if read_only(&name) || (value.is_null() && !clear) {
            continue;
        }
        if value.is_null() {
            into.shift_remove(&name);
        } else {
            into.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests;
