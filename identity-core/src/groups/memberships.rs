//! Which groups a user or a group is in, directly or through others, and whether it is in one.

use identity_proto::identity::v1::{IsMemberRequest, ListGroupsOfUserRequest, ListGroupsOfUserResponse, Membership};
use uuid::Uuid;

use super::Groups;
use crate::error::{Error, database};
use crate::keys;
use crate::list::page_size;

const DEFAULT_SIZE: i32 = 100;
const MAX_SIZE: i32 = 1_000;

const ALL: &str = "SELECT a.group_id, g.display_name, bool_or(a.direct) AS direct
    FROM ancestors($1, $2) AS a JOIN groups AS g ON g.tenant_id = $1 AND g.group_id = a.group_id
    WHERE a.group_id > $3
    GROUP BY a.group_id, g.display_name ORDER BY a.group_id LIMIT $4";
const DIRECT: &str = "SELECT m.group_id, g.display_name, true AS direct
    FROM member AS m JOIN groups AS g ON g.tenant_id = $1 AND g.group_id = m.group_id
    WHERE m.tenant_id = $1 AND (m.member_user_id = $2 OR m.member_group_id = $2) AND m.group_id > $3
    ORDER BY m.group_id LIMIT $4";

const IS_THERE: &str = "SELECT EXISTS (SELECT FROM users WHERE tenant_id = $1 AND user_id = $2)
        OR EXISTS (SELECT FROM groups WHERE tenant_id = $1 AND group_id = $2)";

const IS_MEMBER: &str = "SELECT EXISTS (SELECT FROM ancestors($1, $3) AS a WHERE a.group_id = $2)";
const IS_DIRECT_MEMBER: &str =
    "SELECT EXISTS (SELECT FROM member WHERE tenant_id = $1 AND group_id = $2 AND member_id = $3)";

#[derive(sqlx::FromRow)]
struct MembershipRow {
    group_id: Uuid,
    display_name: String,
    direct: bool,
}

impl Groups {
    /// One page of the groups that a user or a group is in.
    #[tracing::instrument(skip_all, fields(tenant.id = %self.store.tenant(), user.id = request.user_id))]
    pub async fn groups_of(&self, request: &ListGroupsOfUserRequest) -> Result<ListGroupsOfUserResponse, Error> {
        let member = keys::id(&request.user_id).ok_or_else(|| Error::not_found("user"))?;
        let tenant = self.store.tenant();
        let depth: &[u8] = if request.direct_only { b"direct" } else { b"all" };
        let list: [&[u8]; 4] = [b"groups of", tenant.as_bytes(), member.as_bytes(), depth];
        let after = self.pages.after(&list, &request.page_token)?;
        let size = page_size(request.page_size, DEFAULT_SIZE, MAX_SIZE);
        let mut connection = self.store.read().await?;
        let mut rows: Vec<MembershipRow> = sqlx::query_as(if request.direct_only { DIRECT } else { ALL })
            .bind(tenant)
            .bind(member)
            .bind(after.unwrap_or_default())
            .bind(i64::from(size) + 1)
            .fetch_all(&mut *connection)
            .await
            .map_err(database)?;
        if rows.is_empty() {
            let is_there: bool = sqlx::query_scalar(IS_THERE)
                .bind(tenant)
                .bind(member)
                .fetch_one(&mut *connection)
                .await
                .map_err(database)?;
            let none = ListGroupsOfUserResponse::default();
            return if is_there {
                Ok(none)
            } else {
                Err(Error::not_found("user"))
            };
        }
        let size = usize::try_from(size).unwrap_or_default();
        let more = rows.len() > size;
        rows.truncate(size);
        let next_page_token = match rows.last() {
            Some(last) if more => self.pages.sign(&list, last.group_id.as_bytes()),
            _ => String::new(),
        };
        Ok(ListGroupsOfUserResponse {
            groups: rows.into_iter().map(Membership::from).collect(),
            next_page_token,
        })
    }

    /// Whether a user or a group is in a group. An id that names nobody is a member of nothing.
    #[tracing::instrument(skip_all, fields(tenant.id = %self.store.tenant(), group.id = request.group_id))]
    pub async fn is_member(&self, request: &IsMemberRequest) -> Result<bool, Error> {
        let (Some(group), Some(member)) = (keys::id(&request.group_id), keys::id(&request.member_id)) else {
            return Ok(false);
        };
        sqlx::query_scalar(if request.direct_only {
            IS_DIRECT_MEMBER
        } else {
            IS_MEMBER
        })
        .bind(self.store.tenant())
        .bind(group)
        .bind(member)
        .fetch_one(&mut *self.store.read().await?)
        .await
        .map_err(database)
    }
}

impl From<MembershipRow> for Membership {
    fn from(row: MembershipRow) -> Self {
        Membership {
            group_id: row.group_id.to_string(),
            display: row.display_name,
            direct: row.direct,
        }
    }
}
