//! Reads one user: RFC 7644 section 3.4.1.

use identity_proto::identity::v1::{User, UserView};

use super::row::Row;
use super::{Users, id, no_user};
use crate::error::{Error, database};
use crate::groups::groups_of;

const BASIC: &str = "SELECT user_id, attributes, version, created_at, last_modified_at FROM users
    WHERE tenant_id = $1 AND user_id = $2";

const FULL: &str = concat!(
    "SELECT r.user_id, r.attributes, r.version, r.created_at, r.last_modified_at,
        above.group_ids, above.group_names, above.are_direct
    FROM users r",
    groups_of!(),
    " WHERE r.tenant_id = $1 AND r.user_id = $2"
);

impl Users {
    /// The user of that id. Another tenant's is not found.
    #[tracing::instrument(skip_all, fields(tenant.id = %self.store.tenant(), user.id = user))]
    pub async fn get(&self, user: &str, view: UserView) -> Result<User, Error> {
        let id = id(user)?;
        let statement = match view {
            UserView::Full => FULL,
            UserView::Unspecified | UserView::Basic => BASIC,
        };
        let mut connection = self.store.read().await?;
        let row: Option<Row> = sqlx::query_as(statement)
            .bind(self.store.tenant())
            .bind(id)
            .fetch_optional(&mut *connection)
            .await
            .map_err(database)?;
        row.map(User::from).ok_or_else(no_user)
    }
}
