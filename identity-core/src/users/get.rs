//! Reads one user: RFC 7644 section 3.4.1.

use identity_proto::identity::v1::User;

use super::row::Row;
use super::{Users, id, no_user};
use crate::error::{Error, database};

const GET: &str = "SELECT user_id, attributes, version, created_at, last_modified_at FROM users
    WHERE tenant_id = $1 AND user_id = $2";

impl Users {
    /// The user of that id. Another tenant's is not found.
    #[tracing::instrument(skip_all, fields(tenant.id = %self.store.tenant(), user.id = user))]
    pub async fn get(&self, user: &str) -> Result<User, Error> {
        let id = id(user)?;
        let mut connection = self.store.read().await?;
        let row: Option<Row> = sqlx::query_as(GET)
            .bind(self.store.tenant())
            .bind(id)
            .fetch_optional(&mut *connection)
            .await
            .map_err(database)?;
        row.map(User::from).ok_or_else(no_user)
    }
}
