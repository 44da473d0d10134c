//! Patches a user: RFC 7644 section 3.5.2. The operations are canonical; `patch.rs` at the root of the crate applies
//! them without touching anything else.

use identity_proto::identity::v1::patch_operation::Op;
use identity_proto::identity::v1::value::Kind;
use identity_proto::identity::v1::{AttributePath, PatchOperation, User};
use identity_proto::schema::USER;

use super::password::Password;
use super::replace::{How, Next};
use super::row::Locked;
use super::{Users, check_version, id, no_user};
use crate::{Error, patch, validate};

impl Users {
    /// Applies the operations in order, all or none. Who takes `active` away ends the user's access.
    #[tracing::instrument(skip_all, fields(tenant.id = %self.store.tenant(), user.id = user))]
    pub async fn patch(&self, user: &str, operations: Vec<PatchOperation>, if_match: &[i64]) -> Result<User, Error> {
        let id = id(user)?;
        if let (Some(active), []) = (sets_active(&operations), if_match) {
            return self.set_active(id, active).await;
        }
        // Hashed before a row is locked and a connection held: it takes long, and may have to wait.
        let given = self.hasher.set(patch::password(&operations).map(str::to_owned)).await?;
        let mut tx = self.store.begin().await?;
        let current: Locked = tx.lock(id).await?.ok_or_else(no_user)?;
        check_version(current.stamp.version, if_match)?;
        let mut document = current.attributes.0.clone();
        let password = match patch::apply(&USER, &mut document, operations)?.password {
            None => Password::Kept,
            Some(None) => Password::Removed,
            Some(Some(_)) => given,
        };
        validate::prune(&mut document);
        let next = Next {
            document,
            password,
            how: How::Patch,
        };
        self.replace(tx, current, next).await
    }
}

/// The form in which identity providers deactivate: one replacement of `active`.
fn sets_active(operations: &[PatchOperation]) -> Option<bool> {
    let [operation] = operations else { return None };
    let plain = operation.op() == Op::Replace
        && operation.value_filter.is_none()
        && operation.path.as_ref() == Some(&AttributePath::core("active"));
    match operation.value.as_ref()?.kind {
        Some(Kind::Boolean(active)) if plain => Some(active),
        _ => None,
    }
}
