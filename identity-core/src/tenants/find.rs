//! Reads tenants. A deleted one is not found, and its name is free again.

use identity_proto::identity::v1::{ListTenantsRequest, ListTenantsResponse};
use uuid::Uuid;

use super::{Tenant, Tenants, no_tenant};
use crate::error::{Error, database};

const FIND: &str =
    "SELECT tenant_id, name, state, scim_enabled, profile, quirks, refuse_passwords, created_at FROM tenant
    WHERE state <> 'deleted' AND (tenant_id = $1 OR name = $2)";

const LIST: &str =
    "SELECT tenant_id, name, state, scim_enabled, profile, quirks, refuse_passwords, created_at FROM tenant
    WHERE state <> 'deleted' AND name > $1 ORDER BY name LIMIT $2";

const DEFAULT_SIZE: i32 = 100;
const MAX_SIZE: i32 = 1_000;

impl Tenants {
    /// The tenant of that id or name.
    pub(crate) async fn find(&self, reference: &str) -> Result<Tenant, Error> {
        let found: Option<Tenant> = sqlx::query_as(FIND)
            .bind(Uuid::parse_str(reference).ok())
            .bind(reference)
            .fetch_optional(&mut *self.store.connection().await?)
            .await
            .map_err(database)?;
        found.ok_or_else(no_tenant)
    }

    /// Tenants by name, a page at a time.
    #[tracing::instrument(skip_all)]
    pub async fn list(&self, request: &ListTenantsRequest) -> Result<ListTenantsResponse, Error> {
        let after = match request.page_token.as_str() {
            "" => String::new(),
            token => String::from_utf8(self.pages.verify(&[b"tenants"], token)?).map_err(Error::internal)?,
        };
        let size = match request.page_size {
            ..=0 => DEFAULT_SIZE,
            size => size.min(MAX_SIZE),
        };
        let mut tenants: Vec<Tenant> = sqlx::query_as(LIST)
            .bind(after)
            .bind(size + 1)
            .fetch_all(&mut *self.store.connection().await?)
            .await
            .map_err(database)?;
        let size = usize::try_from(size).unwrap_or_default();
        let more = tenants.len() > size;
        tenants.truncate(size);
        let next_page_token = match tenants.last() {
            Some(last) if more => self.pages.sign(&[b"tenants"], last.name.as_bytes()),
            _ => String::new(),
        };
        Ok(ListTenantsResponse {
            tenants: tenants.into_iter().map(Into::into).collect(),
            next_page_token,
        })
    }
}
