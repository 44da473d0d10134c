//! Deactivates or reactivates a user in one statement: what identity providers send most when access must end.

use identity_proto::identity::v1::{User, UserView};
use uuid::Uuid;

use super::row::Row;
use super::{Users, access_of, column, no_user, write_error};
use crate::Error;
use crate::outbox::Event;
use crate::store::{Binding, Mutation};

const SET_ACTIVE: Mutation = Mutation::new(
    "patched AS (
        UPDATE users
        SET attributes = jsonb_set(attributes, '{active}', to_jsonb($9)), keys = jsonb_set(keys, '{active}', to_jsonb($9)),
            version = version + 1, last_modified_at = greatest(clock_timestamp(), last_modified_at)
        WHERE tenant_id = $1 AND user_id = $2 AND active IS DISTINCT FROM $9
        RETURNING user_id, attributes, version, created_at, last_modified_at
    ),
    change AS (SELECT patched.*, move_user_access($1, $2, $10) AS access_epoch FROM patched)",
    "SELECT user_id, attributes, version, created_at, last_modified_at FROM change
     UNION ALL
     SELECT user_id, attributes, version, created_at, last_modified_at FROM users
     WHERE tenant_id = $1 AND user_id = $2 AND NOT EXISTS (SELECT FROM change)",
);

impl Users {
    /// Sets `active`. A user that is so already stays untouched. The event tells the attribute alone: the statement does
    /// not read the others.
    pub(super) async fn set_active(&self, id: Uuid, active: bool) -> Result<User, Error> {
        let state = access_of(active);
        let told = User {
            id: id.to_string(),
            active: Some(active),
            ..User::default()
        };
        let event = Event::user_patched(self.store.tenant(), id, told, Some(state));
        let bind = |statement: Binding<Row>| statement.bind(active).bind(column(state));
        let changed = if active {
            self.store.change(&SET_ACTIVE, event, bind).await
        } else {
            self.end(&SET_ACTIVE, event, bind).await
        };
        let row = changed.map_err(write_error)?;
        self.wake.now();
        let user = User::from(row.ok_or_else(no_user)?);
        if user.active == Some(active) {
            return Ok(user);
        }
        // Another request set it while this statement waited, and the statement saw the row as it was before.
        self.get(&user.id, UserView::Basic).await
    }
}
