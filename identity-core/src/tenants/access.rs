//! Suspends, resumes and deletes a tenant: its state, its epoch and the event in one statement. What is so already moves
//! nothing.

use identity_proto::identity::v1::AccessState;
use uuid::Uuid;

use super::{Tenant, Tenants, no_tenant};
use crate::access::column;
use crate::error::{Error, database};
use crate::outbox::Event;
use crate::store::Mutation;

/// From which states a tenant comes into `$9` is no question: any other but deleted, which is final.
const SET_STATE: Mutation = Mutation::new(
    "moved AS (
        UPDATE tenant SET state = $9 WHERE tenant_id = $1 AND state NOT IN ($9, 'deleted')
        RETURNING tenant_id, name, state, scim_enabled, profile, quirks, refuse_passwords, created_at
    ),
    change AS (SELECT moved.*, move_tenant_access($1, $10) AS access_epoch FROM moved)",
    "SELECT tenant_id, name, state, scim_enabled, profile, quirks, refuse_passwords, created_at FROM change",
);

const DELETE: Mutation = Mutation::new(
    "moved AS (
        UPDATE tenant SET state = 'deleted' WHERE tenant_id = $1 AND state <> 'deleted'
        RETURNING tenant_id, name, state, scim_enabled, profile, quirks, refuse_passwords, created_at
    ),
    revoked AS (
        UPDATE credential SET revoked_at = clock_timestamp() WHERE tenant_id = $1 AND revoked_at IS NULL
    ),
    change AS (SELECT moved.*, move_tenant_access($1, 'deleted') AS access_epoch FROM moved)",
    "SELECT tenant_id, name, state, scim_enabled, profile, quirks, refuse_passwords, created_at FROM change",
);

impl Tenants {
    /// Ends every session of the tenant and refuses its SCIM callers.
    #[tracing::instrument(skip_all, fields(tenant.id = %tenant.id))]
    pub(crate) async fn suspend(&self, tenant: Tenant) -> Result<Tenant, Error> {
        self.set_state(tenant, AccessState::AccessInactive, "suspended").await
    }

    /// Lets new logins and SCIM callers in again; ended sessions stay ended.
    #[tracing::instrument(skip_all, fields(tenant.id = %tenant.id))]
    pub(crate) async fn resume(&self, tenant: Tenant) -> Result<Tenant, Error> {
        self.set_state(tenant, AccessState::AccessActive, "active").await
    }

    /// Ends every session of the tenant, its credentials and, soon after, its users.
    #[tracing::instrument(skip_all, fields(tenant.id = %tenant))]
    pub(crate) async fn delete(&self, tenant: Uuid) -> Result<Tenant, Error> {
        let event = Event::tenant_access(tenant, AccessState::AccessDeleted);
        let moved: Option<Tenant> = self
            .store
            .change(tenant, &DELETE, event, |statement| statement)
            .await
            .map_err(database)?;
        self.wake.now();
        let moved = moved.ok_or_else(no_tenant)?;
        // The end of access is committed: users that are left over now are removed by the task behind `purge_deleted`.
        if let Err(error) = super::purge::purge_batch(&self.store).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "users of a deleted tenant stay for now"
            );
        }
        Ok(moved)
    }

    /// `state` is the tenant's own column, beside that of its access.
    async fn set_state(&self, tenant: Tenant, access: AccessState, state: &'static str) -> Result<Tenant, Error> {
        let event = Event::tenant_access(tenant.id, access);
        let moved: Option<Tenant> = self
            .store
            .change(tenant.id, &SET_STATE, event, |statement| {
                statement.bind(state).bind(column(access))
            })
            .await
            .map_err(database)?;
        self.wake.now();
        match moved {
            Some(moved) => Ok(moved),
            None => self.find(&tenant.id.to_string()).await,
        }
    }
}
