//! Reads one group: RFC 7644 section 3.4.1.

use identity_proto::identity::v1::{Group, GroupView};

use super::members::{FirstMembers, first_members};
use super::row::Row;
use super::{Groups, id, no_group};
use crate::error::{Error, database};

const BASIC: &str = "SELECT group_id, display_name, external_id, version, created_at, last_modified_at FROM groups
    WHERE tenant_id = $1 AND group_id = $2";

/// How many members the view FULL begins with.
const FIRST: usize = 1_000;
const FULL: &str = concat!(
    "SELECT r.group_id, r.display_name, r.external_id, r.version, r.created_at, r.last_modified_at,
        members.member_ids, members.are_groups, members.member_names
    FROM groups r",
    first_members!(1_001),
    " WHERE r.tenant_id = $1 AND r.group_id = $2"
);

#[derive(sqlx::FromRow)]
struct WithMembers {
    #[sqlx(flatten)]
    row: Row,
    #[sqlx(flatten)]
    members: FirstMembers,
}

impl Groups {
    /// The group of that id. Another tenant's is not found.
    #[tracing::instrument(skip_all, fields(tenant.id = %self.store.tenant(), group.id = group))]
    pub async fn get(&self, group: &str, view: GroupView) -> Result<Group, Error> {
        let id = id(group)?;
        let statement = match view {
            GroupView::Full => FULL,
            GroupView::Unspecified | GroupView::Basic => BASIC,
        };
        let tenant = self.store.tenant();
        let mut connection = self.store.read().await?;
        let found: Option<WithMembers> = sqlx::query_as(statement)
            .bind(tenant)
            .bind(id)
            .fetch_optional(&mut *connection)
            .await
            .map_err(database)?;
        let WithMembers { row, members } = found.ok_or_else(no_group)?;
        let (members, next_members_token) = members.cut(&self.pages, (tenant, id), FIRST);
        Ok(Group {
            members,
            next_members_token,
            ..row.into()
        })
    }
}
