//! Resolves the hash of a bearer token to its tenant and scopes: RFC 6750, with the token already hashed by the edge.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use identity_proto::identity::v1::tenant::{Profile, State};
use identity_proto::identity::v1::{ErrorReason, QuirkSetting};
use sqlx::types::Json;
use subtle::ConstantTimeEq;
use tokio::time::Instant;
use uuid::Uuid;

use crate::error::{Error, database};
use crate::store::{SystemStore, Turns};
use crate::tenants;

/// How long a good answer is reused. A revoked token works for no longer than this anywhere.
const REUSE: Duration = Duration::from_millis(400);
/// How many look-ups run at once. Anyone can invent tokens: they must not take every connection from what else needs one.
const LOOK_UPS: usize = 4;
/// How many answers are kept at most.
const CAPACITY: usize = 10_000;

const RESOLVE: &str = "SELECT credential.credential_id, credential.tenant_id, credential.sha256, credential.scopes,
        credential.client_id IS NOT NULL AS of_client, credential.expires_at, credential.revoked_at IS NOT NULL AS revoked,
        credential.expires_at <= clock_timestamp() AS expired,
        coalesce(credential.last_used_at < clock_timestamp() - interval '60 seconds', true) AS note_use,
        tenant.state, tenant.scim_enabled, tenant.profile, tenant.quirks, tenant.refuse_passwords
    FROM credential JOIN tenant ON tenant.tenant_id = credential.tenant_id
    WHERE credential.sha256 = $1";

/// Checked again in the statement, so that requests at the same time write once.
const NOTE_USE: &str =
    "UPDATE credential SET last_used_at = clock_timestamp(), last_used_address = coalesce($2, last_used_address)
    WHERE credential_id = $1 AND coalesce(last_used_at < clock_timestamp() - interval '60 seconds', true)";

/// A credential that is good now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    pub id: Uuid,
    pub(crate) tenant: Uuid,
    pub scopes: Vec<String>,
    /// An access token of an OAuth client, and no static token.
    pub(crate) of_client: bool,
    pub profile: Profile,
    pub quirks: Vec<QuirkSetting>,
    pub refuse_passwords: bool,
}

#[derive(sqlx::FromRow)]
struct Row {
    credential_id: Uuid,
    tenant_id: Uuid,
    sha256: Vec<u8>,
    scopes: Vec<String>,
    of_client: bool,
    expires_at: jiff_sqlx::Timestamp,
    revoked: bool,
    expired: bool,
    note_use: bool,
    state: String,
    scim_enabled: bool,
    profile: String,
    quirks: Json<BTreeMap<String, bool>>,
    refuse_passwords: bool,
}

type Good = HashMap<[u8; 32], (Instant, Arc<Credential>)>;

/// Looks credentials up, and reuses good answers for a moment.
#[derive(Clone)]
pub struct Authenticator {
    store: SystemStore,
    good: Arc<Mutex<Good>>,
    turns: Turns,
}

impl Authenticator {
    /// Looks up in `store`.
    pub fn new(store: SystemStore) -> Self {
        Authenticator {
            store,
            good: Arc::default(),
            turns: Turns::new(
                LOOK_UPS,
                "too many credentials are looked up at once; try again in a moment",
            ),
        }
    }

    /// The credential of this hash, in lower-case hexadecimal, used from `address`.
    pub(crate) async fn authenticate(&self, hex: &str, address: Option<&str>) -> Result<Arc<Credential>, Error> {
        let hash = parse_hex(hex).ok_or_else(invalid)?;
        if let Some(credential) = self.reused(&hash) {
            return Ok(credential);
        }
        let _turn = self.turns.take().await?;
        if let Some(credential) = self.reused(&hash) {
            return Ok(credential);
        }
        // Taken before the look-up, so that what is revoked during it is not reused for longer.
        let asked_at = Instant::now();
        let row: Option<Row> = sqlx::query_as(RESOLVE)
            .bind(hash.as_slice())
            .fetch_optional(&mut *self.store.connection().await?)
            .await
            .map_err(database)?;
        let row = row.filter(|row| row.sha256.ct_eq(&hash).into()).ok_or_else(invalid)?;
        let note_use = row.note_use;
        let credential = Arc::new(judge(row)?);
        if note_use {
            self.note_use(credential.id, address).await;
        }
        self.reuse(hash, asked_at, credential.clone());
        Ok(credential)
    }

    /// Failing to note a use must not fail the use.
    async fn note_use(&self, id: Uuid, address: Option<&str>) {
        let noted: Result<_, Error> = async {
            let mut connection = self.store.connection().await?;
            let noted = sqlx::query(NOTE_USE)
                .bind(id)
                .bind(address)
                .execute(&mut *connection)
                .await;
            noted.map_err(database)
        }
        .await;
        if let Err(error) = noted {
            tracing::warn!(error = &error as &dyn std::error::Error, credential.id = %id, "last use not noted");
        }
    }

    fn reused(&self, hash: &[u8; 32]) -> Option<Arc<Credential>> {
        let good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, credential) = good.get(hash)?;
        (since.elapsed() < REUSE).then(|| credential.clone())
    }

    fn reuse(&self, hash: [u8; 32], since: Instant, credential: Arc<Credential>) {
        let mut good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
        if good.len() >= CAPACITY {
            good.retain(|_, (since, _)| since.elapsed() < REUSE);
        }
        if good.len() < CAPACITY {
            good.insert(hash, (since, credential));
        }
    }
}

/// What the row says of a request that comes now. A revoked token's holder learns nothing of the tenant.
fn judge(row: Row) -> Result<Credential, Error> {
    let state = tenants::state(&row.state);
    if row.revoked || matches!(state, State::Deleted | State::Unspecified) {
        return Err(invalid());
    }
    if row.expired {
        let expired_at = row.expires_at.to_jiff().to_string();
        let message = format!(
            "the bearer token expired at {expired_at}; create another and configure it in your identity provider"
        );
        return Err(Error::new(ErrorReason::CredentialExpired, message).with("expired_at", expired_at));
    }
    if state == State::Suspended {
        let message = "this tenant is suspended; ask the service's operator to resume it";
        return Err(Error::new(ErrorReason::TenantSuspended, message));
    }
    if !row.scim_enabled {
        let message = "SCIM provisioning is switched off for this tenant; ask the service's operator to enable it";
        return Err(Error::new(ErrorReason::ScimDisabled, message));
    }
    Ok(Credential {
        id: row.credential_id,
        tenant: row.tenant_id,
        scopes: row.scopes,
        of_client: row.of_client,
        profile: tenants::profile(&row.profile),
        quirks: tenants::settings(&row.quirks),
        refuse_passwords: row.refuse_passwords,
    })
}

fn invalid() -> Error {
    let message =
        "the bearer token is unknown or was revoked; configure a token of this tenant in your identity provider";
    Error::new(ErrorReason::CredentialInvalid, message)
}

fn parse_hex(hex: &str) -> Option<[u8; 32]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, []) = hex.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let bytes: Option<Vec<u8>> = pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?))
        .collect();
    bytes?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_64_lower_case_digits() {
        let check = |hex: &str, expect: Option<[u8; 32]>| assert_eq!(parse_hex(hex), expect, "{hex}");
        check(&"0f".repeat(32), Some([0x0f; 32]));
        check(&"0F".repeat(32), None);
        check(&"0f".repeat(31), None);
        check(&"0f".repeat(33), None);
        check(&format!("{}0", "0f".repeat(31)), None);
        check(&"é".repeat(32), None);
    }
}
