//! Switches SCIM on or off for a tenant. Sessions and users stay as they are.

use uuid::Uuid;

use super::{Tenant, Tenants, no_tenant};
use crate::error::{Error, database};

const SET_SCIM: &str = "UPDATE tenant SET scim_enabled = $2 WHERE tenant_id = $1 AND state <> 'deleted'
    RETURNING tenant_id, name, state, scim_enabled, profile, quirks, refuse_passwords, created_at";

impl Tenants {
    /// Switches SCIM on or off.
    #[tracing::instrument(skip_all, fields(tenant.id = %tenant, enabled))]
    pub(crate) async fn set_scim(&self, tenant: Uuid, enabled: bool) -> Result<Tenant, Error> {
        let row: Option<Tenant> = sqlx::query_as(SET_SCIM)
            .bind(tenant)
            .bind(enabled)
            .fetch_optional(&mut *self.store.connection().await?)
            .await
            .map_err(database)?;
        row.ok_or_else(no_tenant)
    }
}
