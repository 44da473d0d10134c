//! Patches a group: RFC 7644 section 3.5.2. Operations on members become one [`Delta`]; the rest is applied to the few
//! attributes of the row as to any document.

use identity_proto::identity::v1::patch_operation::Op;
use identity_proto::identity::v1::value::Kind;
use identity_proto::identity::v1::{ErrorReason, Group, PatchOperation, UnknownMembers, Value};
use identity_proto::schema::GROUP;

use super::delta::{Delta, Named};
use super::replace::{How, Next};
use super::row::Attributes;
use super::{Groups, id};
use crate::{Error, patch, validate};

impl Groups {
    /// Applies the operations in order, all or none.
    #[tracing::instrument(skip_all, fields(tenant.id = %self.store.tenant(), group.id = group))]
    pub async fn patch(
        &self,
        group: &str,
        operations: Vec<PatchOperation>,
        unknown: UnknownMembers,
        if_match: &[i64],
    ) -> Result<Group, Error> {
        let id = id(group)?;
        let (of_members, rest): (Vec<_>, Vec<_>) = operations.into_iter().partition(is_of_members);
        let delta = delta(&of_members)?;
        let change = self.lock(id, &delta, if_match).await?;
        let mut document = change.locked.row.attributes().document();
        patch::apply(&GROUP, &mut document, rest)?;
        validate::group(&document)?;
        let next = Next {
            attributes: Attributes::of(&document),
            delta,
            unknown,
            how: How::Patch,
        };
        self.replace(change, next).await
    }
}

fn is_of_members(operation: &PatchOperation) -> bool {
    let path = operation.path.as_ref();
    path.is_some_and(|path| path.schema.is_empty() && path.attribute == "members")
}

/// What the operations on members come to.
fn delta(operations: &[PatchOperation]) -> Result<Delta, Error> {
    let mut delta = Delta::default();
    for operation in operations {
        let has_sub = operation
            .path
            .as_ref()
            .is_some_and(|path| !path.sub_attribute.is_empty());
        if has_sub || operation.value_filter.is_some() {
            let message = "members are added and removed by their ids; what a member is cannot be changed";
            return Err(Error::new(ErrorReason::Mutability, message));
        }
        match (operation.op(), members(operation)?) {
            (Op::Add, Some(members)) => delta.add(members),
            (Op::Replace, members) => {
                delta.clear();
                delta.add(members.unwrap_or_default());
            }
            (Op::Remove, None) => delta.clear(),
            (Op::Remove, Some(members)) => delta.remove(members.iter().map(|member| member.id)),
            (Op::Add, None) => return Err(refused("members: add needs a value")),
            (Op::Unspecified, _) => {
                let message = "members: the operation must be add, remove or replace";
                return Err(Error::new(ErrorReason::InvalidSyntax, message));
            }
        }
        delta.check_size()?;
    }
    Ok(delta)
}

/// The members that are the operation's value; `None` without one, or with null.
fn members(operation: &PatchOperation) -> Result<Option<Vec<Named<'_>>>, Error> {
    match operation.value.as_ref().and_then(|value| value.kind.as_ref()) {
        None | Some(Kind::Null(_)) => Ok(None),
        Some(Kind::List(list)) => list.values.iter().map(member).collect::<Result<_, _>>().map(Some),
        Some(_) => Err(no_member()),
    }
}

/// An id as text, or the id with the name that it is given.
fn member(value: &Value) -> Result<Named<'_>, Error> {
    let (id, display) = match &value.kind {
        Some(Kind::Complex(parts)) => (parts.attributes.get("value"), parts.attributes.get("display")),
        _ => (Some(value), None),
    };
    Ok(Named {
        id: id.and_then(text).ok_or_else(no_member)?,
        display: display.and_then(text).filter(|name| !name.is_empty()),
    })
}

fn text(value: &Value) -> Option<&str> {
    match &value.kind {
        Some(Kind::Text(text)) => Some(text),
        _ => None,
    }
}

fn no_member() -> Error {
    refused("members: the value must be a list of ids")
}

fn refused(message: &str) -> Error {
    Error::new(ErrorReason::InvalidValue, message)
}
