//! What a PATCH body holds before any path is looked at: the list of operations, and of each its three members.

use identity_proto::identity::v1::ErrorReason;
use identity_proto::identity::v1::patch_operation::Op;
use serde_json::{Map, Value as Json};

use super::URN;
use crate::scim::value::found;
use crate::scim::{Refusal, Result};

/// The operations of a body, which may hold so many.
pub fn operations(body: Map<String, Json>, most: usize) -> Result<Vec<Json>> {
    let (mut schemas, mut operations) = (Json::Null, Json::Null);
    for (key, value) in body {
        match key.to_ascii_lowercase().as_str() {
            "schemas" => schemas = value,
            "operations" => operations = value,
            _ => {}
        }
    }
    let is_patch = |urn: &Json| urn.as_str().is_some_and(|urn| urn.eq_ignore_ascii_case(URN));
    if !schemas.as_array().is_some_and(|urns| urns.iter().any(is_patch)) {
        return Err(Refusal::syntax(format!(
            "schemas is required and must be a list that holds \"{URN}\"."
        )));
    }
    match operations {
        Json::Array(list) if list.len() > most => Err(too_many(most)),
        Json::Array(list) if !list.is_empty() => Ok(list),
        _ => Err(Refusal::syntax(
            "Operations is required and must be a list of at least one operation.",
        )),
    }
}

/// More operations than a request may hold.
pub fn too_many(most: usize) -> Refusal {
    let detail = format!("A PATCH may hold {most} operations: send the rest in another request.");
    Refusal::new(ErrorReason::TooMany, detail)
}

/// One operation as it was sent. A missing value is not a null.
pub struct Sent {
    pub op: Op,
    pub path: Option<String>,
    pub value: Option<Json>,
}

impl Sent {
    /// Reads one operation.
    pub fn read(operation: Json) -> Result<Self> {
        let Json::Object(map) = operation else {
            return Err(Refusal::syntax(format!(
                "an operation must be an object, not {}.",
                found(&operation)
            )));
        };
        let (mut op, mut path, mut value) = (Json::Null, Json::Null, None);
        for (key, member) in map {
            match key.to_ascii_lowercase().as_str() {
                "op" => op = member,
                "path" => path = member,
                "value" => value = Some(member),
                _ => {}
            }
        }
        let op = match op.as_str() {
            Some("add") => Op::Add,
            Some("remove") => Op::Remove,
            Some("replace") => Op::Replace,
            _ => {
                return Err(Refusal::syntax(format!(
                    "op must be \"add\", \"remove\" or \"replace\", not {op}."
                )));
            }
        };
        let path = match path {
            Json::Null => None,
            Json::String(path) => Some(path),
            other => return Err(Refusal::path(format!("path must be a string, not {}.", found(&other)))),
        };
        Ok(Sent { op, path, value })
    }
}
