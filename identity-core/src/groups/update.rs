//! Replaces a group: RFC 7644 section 3.5.1. Members that are not given leave; only those who differ are written.

use identity_proto::identity::v1::{Group, UnknownMembers};

use super::create::given;
use super::replace::{How, Next};
use super::{Groups, id};
use crate::Error;

impl Groups {
    /// Replaces every attribute that a client may write.
    #[tracing::instrument(skip_all, fields(tenant.id = %self.store.tenant(), group.id = group.id))]
    pub async fn update(&self, group: &Group, unknown: UnknownMembers, if_match: &[i64]) -> Result<Group, Error> {
        let id = id(&group.id)?;
        let (attributes, delta) = given(group)?;
        let change = self.lock(id, &delta, if_match).await?;
        let next = Next {
            attributes,
            delta,
            unknown,
            how: How::Put,
        };
        self.replace(change, next).await
    }
}
