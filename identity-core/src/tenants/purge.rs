//! Removes the users and groups of deleted tenants. Nobody can reach them any more; this forgets them. In batches, because a tenant
//! may have more users than one statement can remove in its time.

use std::time::Duration;

use runtime::Shutdown;

use crate::error::{Error, database};
use crate::store::SystemStore;

/// With all their memberships.
const BATCH: i64 = 250;
const EVERY: Duration = Duration::from_mins(1);

const USERS: &str = "DELETE FROM users WHERE (tenant_id, user_id) IN (
        SELECT users.tenant_id, users.user_id FROM tenant JOIN users ON users.tenant_id = tenant.tenant_id
        WHERE tenant.state = 'deleted' LIMIT $1
    )";
/// After the users: then no group is large.
const GROUPS: &str = "DELETE FROM groups WHERE (tenant_id, group_id) IN (
        SELECT groups.tenant_id, groups.group_id FROM tenant JOIN groups ON groups.tenant_id = tenant.tenant_id
        WHERE tenant.state = 'deleted' LIMIT $1
    )";

/// Runs until shutdown: purges whatever is left over, then waits.
pub async fn purge_deleted(store: SystemStore, shutdown: Shutdown) {
    while !shutdown.is_requested() {
        match purge_batch(&store).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "deleted tenants are not purged"
            ),
        }
        tokio::select! { () = shutdown.requested() => {}, () = tokio::time::sleep(EVERY) => {} }
    }
}

/// Removes one batch. Answers whether there may be more.
pub(super) async fn purge_batch(store: &SystemStore) -> Result<bool, Error> {
    for statement in [USERS, GROUPS] {
        let removed = sqlx::query(statement)
            .bind(BATCH)
            .execute(&mut *store.connection().await?)
            .await
            .map_err(database)?;
        if removed.rows_affected() >= BATCH.unsigned_abs() {
            return Ok(true);
        }
    }
    Ok(false)
}
