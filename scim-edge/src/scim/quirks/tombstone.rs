//! `TombstoneName`: a soft delete that renames. It is judged on canonical operations, so that no form of PATCH gets by.

use identity_proto::identity::v1::patch_operation::Op;
use identity_proto::identity::v1::{PatchOperation, Quirk};
use serde_json::Value as Json;

use super::Quirks;

/// Marks the new names in a PATCH that leaves the user without access. The core knows the current name, and compares.
pub fn mark(operations: &mut [PatchOperation], quirks: Quirks) {
    if !quirks.has(Quirk::TombstoneName) || !ends_access(operations) {
        return;
    }
    for operation in operations
        .iter_mut()
        .filter(|operation| is_about(operation, "userName"))
    {
        operation.tombstone_name = true;
    }
}

/// Whether `active` is false, or taken away, once all is done.
fn ends_access(operations: &[PatchOperation]) -> bool {
    let last = operations.iter().rev().find(|operation| is_about(operation, "active"));
    last.is_some_and(|operation| {
        let value = operation.value.clone().map_or(Json::Null, Json::from);
        operation.op() == Op::Remove || matches!(value, Json::Bool(false) | Json::Null)
    })
}

fn is_about(operation: &PatchOperation, attribute: &str) -> bool {
    operation
        .path
        .as_ref()
        .is_some_and(|path| path.schema.is_empty() && path.attribute == attribute)
}
