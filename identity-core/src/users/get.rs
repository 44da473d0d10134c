//! Reads one user: RFC 7644 section 3.4.1.

use identity_proto::identity::v1::{User, UserView};

use super::row::Row;
use super::{Users, id, no_user};
use crate::error::{Error, database};
use crate::groups::groups_of_one;

const BASIC: &str = "SELECT user_id, attributes, version, created_at, last_modified_at, false AS is_member FROM users
    WHERE tenant_id = $1 AND user_id = $2";

/// Says whether there is anything to ask of groups: that is a question of its own, and dear to who is in none.
const FULL: &str = "SELECT user_id, attributes, version, created_at, last_modified_at, EXISTS (
        SELECT FROM member AS m WHERE m.tenant_id = $1 AND m.member_user_id = $2) AS is_member
    FROM users WHERE tenant_id = $1 AND user_id = $2";

#[derive(sqlx::FromRow)]
struct Found {
    #[sqlx(flatten)]
    row: Row,
    is_member: bool,
}

impl Users {
    /// The user of that id. Another tenant's is not found.
    #[tracing::instrument(skip_all, fields(tenant.id = %self.store.tenant(), user.id = user))]
    pub async fn get(&self, user: &str, view: UserView) -> Result<User, Error> {
        let id = id(user)?;
        let statement = match view {
            UserView::Full => FULL,
            UserView::Unspecified | UserView::Basic => BASIC,
        };
        let tenant = self.store.tenant();
        let mut connection = self.store.read().await?;
        let found: Option<Found> = sqlx::query_as(statement)
            .bind(tenant)
            .bind(id)
            .fetch_optional(&mut *connection)
            .await
            .map_err(database)?;
        let Found { row, is_member } = found.ok_or_else(no_user)?;
        let groups = if is_member {
            groups_of_one(&mut connection, tenant, id).await?
        } else {
            Vec::new()
        };
        Ok(User {
            groups,
            ..User::from(row)
        })
    }
}
