//! The audit log, as it is read. It is written by `store::Audited`, with each change.

use identity_proto::identity::v1::{AuditEntry, ListAuditEntriesRequest, ListAuditEntriesResponse};
use sqlx::types::JsonValue;
use uuid::Uuid;

use crate::error::{Error, database};
use crate::page::PageTokens;
use crate::store::SystemStore;
use crate::time::to_proto;

const DEFAULT_SIZE: i32 = 100;
const MAX_SIZE: i32 = 1_000;

const LIST: &str =
    "SELECT audit_id, tenant_id, created_at, actor, action, subject_id, request_id, jsonb_strip_nulls(detail) AS detail
    FROM audit WHERE tenant_id = $1 AND audit_id < $2 ORDER BY audit_id DESC LIMIT $3";

/// What administrators read.
#[derive(Clone)]
pub(crate) struct Audit {
    store: SystemStore,
    pages: PageTokens,
}

#[derive(sqlx::FromRow)]
struct Row {
    audit_id: i64,
    tenant_id: Uuid,
    created_at: jiff_sqlx::Timestamp,
    actor: String,
    action: String,
    subject_id: Uuid,
    request_id: Option<String>,
    detail: JsonValue,
}

impl Audit {
    /// The log that `store` reaches.
    pub(crate) fn new(store: SystemStore, pages: PageTokens) -> Self {
        Audit { store, pages }
    }

    /// A page of the tenant's entries, the newest first.
    #[tracing::instrument(skip_all, fields(tenant.id = %tenant))]
    pub(crate) async fn list(
        &self,
        tenant: Uuid,
        request: &ListAuditEntriesRequest,
    ) -> Result<ListAuditEntriesResponse, Error> {
        let list: [&[u8]; 2] = [b"audit", tenant.as_bytes()];
        let before = match request.page_token.as_str() {
            "" => i64::MAX,
            token => {
                let bytes = self.pages.verify(&list, token)?;
                i64::from_be_bytes(
                    bytes
                        .try_into()
                        .map_err(|_| Error::internal("an id of other than 8 bytes"))?,
                )
            }
        };
        let size = match request.page_size {
            ..=0 => DEFAULT_SIZE,
            size => size.min(MAX_SIZE),
        };
        let mut rows: Vec<Row> = sqlx::query_as(LIST)
            .bind(tenant)
            .bind(before)
            .bind(size + 1)
            .fetch_all(&mut *self.store.connection().await?)
            .await
            .map_err(database)?;
        let size = usize::try_from(size).unwrap_or_default();
        let more = rows.len() > size;
        rows.truncate(size);
        let next_page_token = match rows.last() {
            Some(last) if more => self.pages.sign(&list, &last.audit_id.to_be_bytes()),
            _ => String::new(),
        };
        Ok(ListAuditEntriesResponse {
            entries: rows.into_iter().map(Into::into).collect(),
            next_page_token,
        })
    }
}

impl From<Row> for AuditEntry {
    fn from(row: Row) -> Self {
        AuditEntry {
            id: row.audit_id,
            tenant_id: row.tenant_id.to_string(),
            time: Some(to_proto(row.created_at)),
            actor: row.actor,
            action: row.action,
            subject_id: row.subject_id.to_string(),
            request_id: row.request_id.unwrap_or_default(),
            detail: row.detail.to_string(),
        }
    }
}
