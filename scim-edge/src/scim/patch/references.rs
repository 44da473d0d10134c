//! Operations on a set of references, such as a group's members. Their values are lists of ids, so that neither the size of
//! a filter nor the number of operations limits how many are added or taken out at once.

use identity_proto::identity::v1::patch_operation::Op;
use serde_json::Value as Json;

use super::Reader;
use crate::scim::path::Path;
use crate::scim::references::{Form, ids, selected};
use crate::scim::{Refusal, Result};

impl Reader {
    /// add and replace. Replacing with nothing takes all out.
    pub(super) fn assign_references(&mut self, op: Op, name: &str, path: Path, values: Json) -> Result<()> {
        whole_values(name, &path)?;
        if path.value_filter.is_some() {
            return Err(unchangeable(name));
        }
        let ids = ids(&path.path.attribute, values, Form::Objects)?;
        match (op, ids.is_empty()) {
            (Op::Replace, true) => self.push(Op::Remove, path.path, None, None),
            (_, true) => Ok(()),
            (op, false) => self.push(op, path.path, None, Some(ids.into())),
        }
    }

    /// remove of those that a value filter selects, or that the value lists; without either, of all. An empty list takes
    /// none out.
    pub(super) fn remove_references(&mut self, name: &str, path: Path, value: Option<Json>) -> Result<()> {
        whole_values(name, &path)?;
        let ids = match (path.value_filter, value.unwrap_or_default()) {
            (Some(filter), _) => selected(&path.path.attribute, filter)?,
            (None, Json::Null) => return self.push(Op::Remove, path.path, None, None),
            (None, values) => {
                self.check_remove_by_value(name)?;
                let values = match values {
                    id @ Json::String(_) => Json::Array(vec![id]),
                    other => other,
                };
                ids(&path.path.attribute, values, Form::ObjectsOrIds)?
            }
        };
        if ids.is_empty() {
            return Ok(());
        }
        self.push(Op::Remove, path.path, None, Some(ids.into()))
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
