//! PATCH: RFC 7644 section 3.5.2. A body becomes canonical operations, each with a path and a value of the schema's
//! type, which the core applies without knowing any SCIM syntax.
//!
//! Decisions that the RFC leaves open: replacing with null, `[]` or an object without values removes; adding them adds
//! nothing, except that an explicit null with a path is refused; keys of a value without path that name no attribute
//! are ignored, as they are in POST and PUT, while a path that names none is refused.

use identity_proto::identity::v1::Quirk;
use identity_proto::identity::v1::patch_operation::{NoMatch, Op};
use identity_proto::identity::v1::{AttributePath, ErrorReason, Filter, PatchOperation};
use identity_proto::schema::{Attribute, Mutability, ResourceType, Schema, Target};
use serde_json::{Map, Value as Json};

use super::path::{self, Path};
use super::quirks::{self, Quirks};
use super::value::{canonical, canonical_one, found};
use super::{Refusal, Result};
use envelope::{Sent, too_many};

mod by_value;
mod envelope;
mod references;

/// The schema of a PATCH body.
pub const URN: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
/// How many operations one request may hold, as sent and as expanded.
pub const MAX_OPERATIONS: usize = 1_000;
/// How many operations as sent, where many of them may become one: as many as a body holds that takes each member out by an
/// operation of its own.
pub const MAX_OF_REFERENCES: usize = 50_000;

/// Reads the body of a PATCH of the resource with this id.
pub fn parse(
    resource: &'static ResourceType,
    body: Map<String, Json>,
    id: &str,
    quirks: Quirks,
) -> Result<Vec<PatchOperation>> {
    let mut reader = Reader {
        resource,
        quirks,
        operations: Vec::new(),
    };
    let has_references = resource.schema.attributes.iter().any(Attribute::is_set_of_references);
    let most = if has_references {
        MAX_OF_REFERENCES
    } else {
        MAX_OPERATIONS
    };
    let operations = envelope::operations(quirks::patch(resource, body, id, quirks), most)?;
    for (index, operation) in operations.into_iter().enumerate() {
        let read = Sent::read(operation).and_then(|sent| reader.operation(sent));
        read.map_err(|refusal| Refusal::new(refusal.reason, format!("Operations[{index}]: {}", refusal.detail)))?;
    }
    quirks::tombstone::mark(&mut reader.operations, quirks);
    Ok(reader.operations)
}

/// Collects the canonical operations.
struct Reader {
    resource: &'static ResourceType,
    quirks: Quirks,
    operations: Vec<PatchOperation>,
}

impl Reader {
    fn operation(&mut self, sent: Sent) -> Result<()> {
        let means_all = |path: &String| path.eq_ignore_ascii_case(self.resource.schema.id);
        match (sent.op, sent.path.filter(|path| !means_all(path))) {
            (Op::Remove, None) => Err(Refusal::new(
                ErrorReason::NoTarget,
                "remove needs a path: name the attribute to remove.",
            )),
            (Op::Remove, Some(path)) => self.remove(&path, sent.value),
            (op, None) => self.pathless(op, sent.value),
            (op, Some(path)) => {
                let parsed = path::parse(self.resource, &path, self.quirks)?;
                let Some(value) = sent.value else {
                    return Err(Refusal::value(format!("{path}: add and replace need a value.")));
                };
                if op == Op::Add && value.is_null() {
                    return Err(Refusal::value(format!(
                        "{path}: null cannot be added; use remove to clear the attribute."
                    )));
                }
                self.assign(op, &path, parsed, value)
            }
        }
    }

    /// add or replace with an object whose keys are paths.
    fn pathless(&mut self, op: Op, value: Option<Json>) -> Result<()> {
        let Some(Json::Object(map)) = value else {
            return Err(Refusal::value(
                "add and replace without a path need an object as value.",
            ));
        };
        for (key, value) in map {
            match path::parse(self.resource, &key, self.quirks) {
                Ok(parsed) => self.assign(op, &key, parsed, value)?,
                Err(_) if key.eq_ignore_ascii_case(self.resource.schema.id) => self.pathless(op, Some(value))?,
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// add or replace of what `path` leads to. `name` is the path as written, for messages.
    fn assign(&mut self, op: Op, name: &str, path: Path, value: Json) -> Result<()> {
        let (attribute, sub) = match path.target {
            Target::Extension(schema) => return self.assign_extension(op, schema, value),
            Target::Attribute(attribute, sub) => (attribute, sub),
        };
        if attribute.name == "schemas" && sub.is_none() {
            return Ok(()); // it follows from the data
        }
        writable(name, attribute, sub)?;
        if attribute.is_set_of_references() {
            return self.assign_references(op, name, path, listed(attribute, value));
        }
        let nulls = if op == Op::Replace {
            null_sub_attributes(&path, &value)
        } else {
            Vec::new()
        };
        let canonical = match sub {
            Some(sub) => canonical(sub, name, value)?,
            None if path.value_filter.is_some() => canonical_one(attribute, name, alone(value))?,
            None => canonical(attribute, name, listed(attribute, value))?,
        };
        let clears = canonical.is_none() && nulls.is_empty() && op == Op::Replace;
        for sub in nulls {
            let path = path.path.clone().with_sub(sub.name);
            self.push(Op::Remove, path, None, None)?;
        }
        match canonical {
            Some(value) => self.push(op, path.path, path.value_filter, Some(value)),
            None if clears => {
                removable(name, attribute, sub)?;
                self.push(Op::Remove, path.path, path.value_filter, None)
            }
            None => Ok(()),
        }
    }

    fn assign_extension(&mut self, op: Op, schema: &'static Schema, value: Json) -> Result<()> {
        match value {
            Json::Object(map) => {
                for (key, value) in map {
                    let name = format!("{}:{key}", schema.id);
                    if let Ok(parsed) = path::parse(self.resource, &name, self.quirks) {
                        self.assign(op, &name, parsed, value)?;
                    }
                }
                Ok(())
            }
            Json::Null if op == Op::Add => Ok(()),
            Json::Null => self.push(Op::Remove, whole(schema), None, None),
            other => Err(Refusal::value(format!(
                "{} must be an object, not {}.",
                schema.id,
                found(&other)
            ))),
        }
    }

    fn remove(&mut self, name: &str, value: Option<Json>) -> Result<()> {
        let path = path::parse(self.resource, name, self.quirks)?;
        let (attribute, sub) = match path.target {
            Target::Extension(schema) => return self.push(Op::Remove, whole(schema), None, None),
            Target::Attribute(attribute, sub) => (attribute, sub),
        };
        writable(name, attribute, sub)?;
        removable(name, attribute, sub)?;
        if attribute.is_set_of_references() {
            return self.remove_references(name, path, value.map(|value| listed(attribute, value)));
        }
        let listed = match value.unwrap_or_default() {
            Json::Null => None,
            _ if path.value_filter.is_some() || sub.is_some() || !attribute.multi_valued => None,
            value => Some(listed(attribute, value)),
        };
        let Some(values) = listed else {
            return self.push(Op::Remove, path.path, path.value_filter, None);
        };
        self.check_remove_by_value(name)?;
        match by_value::any_of(name, attribute, values)? {
            Some(filter) => self.push(Op::Remove, path.path, Some(filter), None),
            None => Ok(()),
        }
    }

    fn check_remove_by_value(&self, name: &str) -> Result<()> {
        if self.quirks.has(Quirk::RemoveByValue) {
            return Ok(());
        }
        let detail = format!("{name}: remove takes no value; name what to remove in the path: {name}[value eq \"…\"].");
        Err(Refusal::value(detail))
    }

    fn push(&mut self, op: Op, path: AttributePath, value_filter: Option<Filter>, value: Option<Json>) -> Result<()> {
        if self.operations.len() == MAX_OPERATIONS {
            return Err(too_many(MAX_OPERATIONS));
        }
        let creates = value_filter.is_some() && self.quirks.has(Quirk::CreateOnNoMatch);
        let no_match = if creates { NoMatch::Create } else { NoMatch::NoTarget };
        self.operations.push(PatchOperation {
            op: op.into(),
            path: Some(path),
            value_filter,
            value: value.map(Into::into),
            no_match: no_match.into(),
            tombstone_name: false,
        });
        Ok(())
    }
}

/// The sub-attributes of a single complex value that are null: replacing by null removes, and only those.
fn null_sub_attributes(path: &Path, value: &Json) -> Vec<&'static Attribute> {
    let (Target::Attribute(attribute, None), Json::Object(map)) = (path.target, value) else {
        return Vec::new();
    };
    if attribute.multi_valued {
        return Vec::new();
    }
    let nulls = map.iter().filter(|(_, value)| value.is_null());
    let named = nulls.filter_map(|(key, _)| attribute.sub_attribute(key));
    named.filter(|sub| sub.mutability != Mutability::ReadOnly).collect()
}

/// One object stands for a list of one.
fn listed(attribute: &Attribute, value: Json) -> Json {
    if attribute.multi_valued && value.is_object() {
        Json::Array(vec![value])
    } else {
        value
    }
}

/// A list of one stands for its value.
fn alone(value: Json) -> Json {
    match value {
        Json::Array(mut list) if list.len() == 1 => list.remove(0),
        other => other,
    }
}

fn whole(schema: &Schema) -> AttributePath {
    AttributePath {
        schema: schema.id.to_owned(),
        ..AttributePath::default()
    }
}

fn writable(name: &str, attribute: &Attribute, sub: Option<&Attribute>) -> Result<()> {
    let read_only = |one: &Attribute| one.mutability == Mutability::ReadOnly;
    if read_only(attribute) || sub.is_some_and(read_only) {
        Err(Refusal::mutability(format!("{name} is read-only: leave it out.")))
    } else {
        Ok(())
    }
}

fn removable(name: &str, attribute: &Attribute, sub: Option<&Attribute>) -> Result<()> {
    if sub.unwrap_or(attribute).required || attribute.name == "schemas" {
        Err(Refusal::mutability(format!(
            "{name} is required and cannot be removed: replace it."
        )))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
