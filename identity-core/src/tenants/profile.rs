//! How a tenant's requests are read: a preset, and the quirks that the tenant has otherwise. What they mean is the
//! edge's to know.

use std::collections::BTreeMap;

use identity_proto::identity::v1::tenant::Profile;
use identity_proto::identity::v1::{ErrorReason, Quirk, QuirkSetting, SetProfileRequest};
use sqlx::types::Json;
use uuid::Uuid;

use super::{Tenant, Tenants, no_tenant};
use crate::error::{Error, database};

/// A preset starts anew; settings are laid over what stands.
const SET_PROFILE: &str = "UPDATE tenant
    SET profile = coalesce($2, profile),
        quirks = CASE WHEN $2 IS NULL THEN quirks ELSE '{}' END || $3,
        refuse_passwords = coalesce($4, refuse_passwords)
    WHERE tenant_id = $1 AND state <> 'deleted'
    RETURNING tenant_id, name, state, scim_enabled, profile, quirks, refuse_passwords, created_at";

impl Tenants {
    /// Changes how the tenant's requests are read.
    #[tracing::instrument(skip_all, fields(tenant.id = %tenant))]
    pub(crate) async fn set_profile(&self, tenant: Uuid, request: &SetProfileRequest) -> Result<Tenant, Error> {
        let preset = match request.profile() {
            Profile::Interop => Some("interop"),
            Profile::Strict => Some("strict"),
            Profile::Unspecified => None,
        };
        let row: Option<Tenant> = sqlx::query_as(SET_PROFILE)
            .bind(tenant)
            .bind(preset)
            .bind(Json(columns(&request.quirks)?))
            .bind(request.refuse_passwords)
            .fetch_optional(&mut *self.store.connection().await?)
            .await
            .map_err(database)?;
        row.ok_or_else(no_tenant)
    }
}

/// Reads the column `profile`.
pub(crate) fn profile(column: &str) -> Profile {
    match column {
        "interop" => Profile::Interop,
        "strict" => Profile::Strict,
        _ => Profile::Unspecified,
    }
}

/// Reads the column `quirks`. A name that this version does not know is left out.
pub(crate) fn settings(column: &BTreeMap<String, bool>) -> Vec<QuirkSetting> {
    let known = column
        .iter()
        .filter_map(|(name, enabled)| Some((Quirk::from_str_name(name)?, *enabled)));
    known
        .map(|(quirk, enabled)| QuirkSetting {
            quirk: quirk.into(),
            enabled,
        })
        .collect()
}

fn columns(settings: &[QuirkSetting]) -> Result<BTreeMap<&'static str, bool>, Error> {
    let column = |setting: &QuirkSetting| match Quirk::try_from(setting.quirk) {
        Ok(quirk) if quirk != Quirk::Unspecified => Ok((quirk.as_str_name(), setting.enabled)),
        _ => Err(Error::new(
            ErrorReason::InvalidValue,
            "one of the quirks is not known to this version",
        )),
    };
    settings.iter().map(column).collect()
}
