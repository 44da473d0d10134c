//! Creates a tenant, with its access active.

use identity_proto::identity::v1::ErrorReason;
use identity_proto::identity::v1::tenant::Profile;
use uuid::Uuid;

use super::{Tenant, Tenants, name};
use crate::error::{Error, database};

const CREATE: &str = "WITH created AS (
        INSERT INTO tenant (tenant_id, name, scim_enabled, profile) VALUES ($1, $2, $3, $4)
        RETURNING tenant_id, name, state, scim_enabled, profile, quirks, refuse_passwords, created_at
    ),
    access AS (SELECT move_tenant_access(tenant_id, 'active') FROM created)
    SELECT created.tenant_id, name, state, scim_enabled, profile, quirks, refuse_passwords, created_at FROM created CROSS JOIN access";

impl Tenants {
    /// Creates a tenant under a new id.
    #[tracing::instrument(skip_all, fields(tenant.name = name))]
    pub(crate) async fn create(&self, name: &str, scim_enabled: bool, profile: Profile) -> Result<Tenant, Error> {
        name::check(name)?;
        let profile = match profile {
            Profile::Unspecified | Profile::Interop => "interop",
            Profile::Strict => "strict",
        };
        sqlx::query_as(CREATE)
            .bind(Uuid::now_v7())
            .bind(name)
            .bind(scim_enabled)
            .bind(profile)
            .fetch_one(&mut *self.store.connection().await?)
            .await
            .map_err(
                |error| match error.as_database_error().and_then(|reported| reported.constraint()) {
                    Some("tenant_name_key") => {
                        let message = "a tenant of this name exists already; choose another name";
                        Error::new(ErrorReason::Uniqueness, message).with("attribute", "name")
                    }
                    _ => database(error),
                },
            )
    }
}
