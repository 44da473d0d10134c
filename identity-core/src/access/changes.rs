//! What an auditor asks: which changes of access there were, by which request, and what became of each.

use futures_util::TryStreamExt;
use identity_proto::identity::v1::{
    AccessChangeRecord, AccessState, ListAccessChangesRequest, ListAccessChangesResponse,
};
use uuid::Uuid;

use super::outcome::Outcome;
use super::{no_subject, state};
use crate::error::{Error, database};
use crate::events::told;
use crate::list::page_size;
use crate::page::PageTokens;
use crate::store::TenantStore;
use crate::time::to_proto;

const DEFAULT_SIZE: i32 = 20;
/// Each row brings along all that its event told.
const MAX_SIZE: i32 = 100;

/// The changes before the epoch `$3`, `$4` of them at most; one row without a change if there is none.
macro_rules! changes {
    ($access:literal, $of_access:literal, $of_outbox:literal) => {
        concat!(
            "SELECT CASE WHEN a.epoch = o.access_epoch THEN a.state END AS state, o.access_epoch AS epoch, o.kind, o.body,
                    o.created_at, o.applied_at, o.request_id, p.pruned, p.pruned_at
             FROM ",
            $access,
            " AS a
             LEFT JOIN LATERAL (
                 SELECT o.access_epoch, o.kind, o.body, o.created_at, o.applied_at, o.request_id FROM outbox AS o
                 WHERE o.tenant_id = $1 AND ",
            $of_outbox,
            " AND o.access_epoch IS NOT NULL AND o.access_epoch < $3
                 ORDER BY o.access_epoch DESC LIMIT $4
             ) AS o ON true
             CROSS JOIN LATERAL pruned_for($1, $2, o.access_epoch) AS p
             WHERE a.tenant_id = $1 AND ",
            $of_access,
            " ORDER BY o.access_epoch DESC"
        )
    };
}
const OF_USER: &str = changes!("user_access", "a.user_id = $2", "o.user_id = $2");
const OF_TENANT: &str = changes!("tenant_access", "$2::uuid IS NULL", "o.user_id IS NULL");

/// A change, unless there is none.
#[derive(sqlx::FromRow)]
struct Row {
    /// What access is, if this is its last change.
    state: Option<String>,
    epoch: Option<i64>,
    kind: Option<String>,
    body: Option<Vec<u8>>,
    created_at: Option<jiff_sqlx::Timestamp>,
    applied_at: Option<jiff_sqlx::Timestamp>,
    request_id: Option<String>,
    pruned: i64,
    pruned_at: Option<jiff_sqlx::Timestamp>,
}

/// The changes of a user's access, or without a user of the tenant's own, the newest first.
#[tracing::instrument(skip_all, fields(tenant.id = %store.tenant()))]
pub(crate) async fn list(
    store: &TenantStore,
    pages: &PageTokens,
    user: Option<Uuid>,
    request: &ListAccessChangesRequest,
) -> Result<ListAccessChangesResponse, Error> {
    let (tenant, subject) = (store.tenant(), user.unwrap_or_default());
    let list: [&[u8]; 3] = [b"access changes", tenant.as_bytes(), subject.as_bytes()];
    let before = match request.page_token.as_str() {
        "" => i64::MAX,
        token => epoch(&pages.verify(&list, token)?)?,
    };
    let size = usize::try_from(page_size(request.page_size, DEFAULT_SIZE, MAX_SIZE)).unwrap_or_default();
    let mut connection = store.read().await?;
    let mut rows = sqlx::query_as::<_, Row>(if user.is_some() { OF_USER } else { OF_TENANT })
        .bind(tenant)
        .bind(user)
        .bind(before)
        .bind(i64::try_from(size + 1).unwrap_or(i64::MAX))
        .fetch(&mut *connection);
    let (mut found, mut answer) = (false, ListAccessChangesResponse::default());
    let mut last = before;
    while let Some(row) = rows.try_next().await.map_err(database)? {
        found = true;
        let Some(epoch) = row.epoch else { break };
        if answer.changes.len() == size {
            answer.next_page_token = pages.sign(&list, &last.to_be_bytes());
            break;
        }
        last = epoch;
        answer.changes.push(row.record(epoch)?);
    }
    if found { Ok(answer) } else { Err(no_subject(user)) }
}

fn epoch(bytes: &[u8]) -> Result<i64, Error> {
    Ok(i64::from_be_bytes(bytes.try_into().map_err(Error::internal)?))
}

impl Row {
    /// Of an old event nothing is left that it told: then the state is that of today, if no later change came.
    fn record(self, epoch: i64) -> Result<AccessChangeRecord, Error> {
        let kind = self.kind.unwrap_or_default();
        let told = told::state(self.body.as_deref().unwrap_or_default())?;
        let today = self.state.filter(|_| kind != told::ENDED);
        let state = told.or_else(|| today.as_deref().map(state));
        Ok(AccessChangeRecord {
            change_time: self.created_at.map(to_proto),
            state: state.unwrap_or(AccessState::Unspecified).into(),
            types: told::types(&kind, state),
            request_id: self.request_id.unwrap_or_default(),
            outcome: Some(
                Outcome {
                    epoch,
                    applied_at: self.applied_at,
                    pruned: self.pruned,
                    pruned_at: self.pruned_at,
                }
                .into(),
            ),
        })
    }
}
