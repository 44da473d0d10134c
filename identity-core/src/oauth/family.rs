//! The end of a grant: of its refresh tokens and access tokens alike.

use uuid::Uuid;

use super::Proven;
use crate::Error;
use crate::error::database;
use crate::store::{Audited, Lease};

/// The grant is locked: no token of it comes up while this looks.
const REVOKE: Audited = Audited::new(
    "ended AS (
        UPDATE oauth_grant SET revoked_at = clock_timestamp() WHERE grant_id = $4 AND revoked_at IS NULL
        RETURNING grant_id, client_id
    ),
    tokens AS (
        UPDATE credential SET revoked_at = clock_timestamp() WHERE grant_id = $4 AND revoked_at IS NULL
    ),
    change AS (
        SELECT $5::uuid AS tenant_id, grant_id AS subject_id, jsonb_build_object('client_id', client_id) AS detail FROM ended
    )",
    "SELECT subject_id FROM change",
);

/// Ends the grant in a transaction that holds its lock, and that the caller commits. That a code or a token came twice is told in the
/// log as well: somebody may have stolen it.
pub(super) async fn revoke(
    connection: &mut Lease,
    client: &Proven,
    grant: Uuid,
    why: &'static str,
) -> Result<(), Error> {
    let ended: Option<(Uuid,)> = REVOKE
        .by(&client.actor(), why)
        .bind(grant)
        .bind(client.0.tenant)
        .fetch_optional(&mut **connection)
        .await
        .map_err(database)?;
    if ended.is_some() && why != "grant.revoke" {
        tracing::warn!(tenant.id = %client.0.tenant, client.id = %client.0.id, grant.id = %grant, why, "a grant was ended");
    }
    Ok(())
}
