//! Operations on a set of references, such as a group's members. Their values are lists of ids, and neighbouring operations
//! that add or take out are one, so that neither the size of a filter nor the number of operations as expanded limits how
//! many are added or taken out at once. What does is the body, and how many operations may be sent.

use identity_proto::identity::v1::patch_operation::Op;
use identity_proto::identity::v1::value::Kind;
use identity_proto::identity::v1::{AttributePath, Value};
use serde_json::{Value as Json, json};

use super::Reader;
use crate::scim::path::Path;
use crate::scim::references::{Form, Reference, references, selected};
use crate::scim::{Refusal, Result};

impl Reader {
    /// add and replace. Replacing with nothing takes all out.
    pub(super) fn assign_references(&mut self, op: Op, name: &str, path: Path, values: Json) -> Result<()> {
        whole_values(name, &path)?;
        if path.value_filter.is_some() {
            return Err(unchangeable(name));
        }
        let given = references(&path.path.attribute, values, Form::Objects)?;
        match (op, given.is_empty()) {
            (Op::Replace, true) => self.push(Op::Remove, path.path, None, None),
            (_, true) => Ok(()),
            (op, false) => self.push_listed(op, path.path, given.into_iter().map(named).collect()),
        }
    }

    /// remove of those that a value filter selects, or that the value lists; without either, of all. An empty list takes
    /// none out.
    pub(super) fn remove_references(&mut self, name: &str, path: Path, value: Option<Json>) -> Result<()> {
        whole_values(name, &path)?;
        let ids: Vec<String> = match (path.value_filter, value.unwrap_or_default()) {
            (Some(filter), _) => selected(&path.path.attribute, filter)?,
            (None, Json::Null) => return self.push(Op::Remove, path.path, None, None),
            (None, values) => {
                self.check_remove_by_value(name)?;
                let values = match values {
                    id @ Json::String(_) => Json::Array(vec![id]),
                    other => other,
                };
                let listed = references(&path.path.attribute, values, Form::ObjectsOrIds)?;
                listed.into_iter().map(|one| one.id).collect()
            }
        };
        if ids.is_empty() {
            return Ok(());
        }
        self.push_listed(Op::Remove, path.path, ids.into_iter().map(Json::from).collect())
    }

    /// Some clients send an operation for each value. One after another, those that add and those that take out come to
    /// one list; of those that replace, each undoes what came before.
    fn push_listed(&mut self, op: Op, path: AttributePath, values: Vec<Json>) -> Result<()> {
        let last = self.operations.last_mut().filter(|last| {
            let is_alike = last.op() == op && last.path.as_ref() == Some(&path);
            is_alike && op != Op::Replace
        });
        match last.and_then(|last| last.value.as_mut()?.kind.as_mut()) {
            Some(Kind::List(listed)) => {
                listed.values.extend(values.into_iter().map(Value::from));
                Ok(())
            }
            _ => self.push(op, path, None, Some(values.into())),
        }
    }
}

/// An id, with the name that it is given if it is given one.
fn named(reference: Reference) -> Json {
    match reference.display {
        None => reference.id.into(),
        Some(display) => json!({ "value": reference.id, "display": display }),
    }
}

fn whole_values(name: &str, path: &Path) -> Result<()> {
    if path.path.sub_attribute.is_empty() {
        Ok(())
    } else {
        Err(unchangeable(name))
    }
}

fn unchangeable(name: &str) -> Refusal {
    Refusal::mutability(format!(
        "{name}: nothing of such a value can be changed: remove it, and add another."
    ))
}
