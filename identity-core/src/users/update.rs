//! Replaces a user: RFC 7644 section 3.5.1.

use identity_proto::identity::v1::User;

use super::replace::{How, Next};
use super::row::Locked;
use super::{Users, check_version, document, id, no_user};
use crate::Error;

impl Users {
    /// Replaces every attribute that a client may write. What the user says not of `active` stays as it is: nobody is
    /// let in again by an omission. A password that is not given stays too.
    #[tracing::instrument(skip_all, fields(tenant.id = %self.store.tenant(), user.id = user.id))]
    pub async fn update(&self, user: User, password: Option<String>, if_match: &[i64]) -> Result<User, Error> {
        let id = id(&user.id)?;
        let mut document = document::of(user)?;
        let password = self.hasher.set(password).await?;
        let mut tx = self.store.begin().await?;
        let current: Locked = tx.lock(id).await?.ok_or_else(no_user)?;
        check_version(current.stamp.version, if_match)?;
        document::keep_active(&mut document, &current.attributes);
        let next = Next {
            document,
            password,
            how: How::Put,
        };
        self.replace(tx, current, next).await
    }
}
