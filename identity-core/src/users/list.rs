//! Lists users: RFC 7644 section 3.4.2, in the order of their ids. The ids of a page are found first and joined then, so
//! that skipping rows never reads their documents.

use identity_proto::identity::v1::{ListUsersRequest, User};
use prost::Message;
use sqlx::types::Json;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::Users;
use super::row::{Row, Stamp};
use crate::error::{Error, database};
use crate::filter::{Predicate, compile};

const DEFAULT_SIZE: i32 = 100;
const MAX_SIZE: i32 = 1_000;
/// An answer is cut before it outgrows what gRPC clients take by default, which is 4 MiB.
const MAX_BYTES: usize = 3 << 20;

/// One page of users.
#[derive(Debug)]
pub struct Page {
    pub users: Vec<User>,
    /// Empty on the last page.
    pub next_page_token: String,
    pub total_size: i64,
}

/// The count, and a user unless the page is empty.
#[derive(sqlx::FromRow)]
struct Line {
    total: i64,
    user_id: Option<Uuid>,
    attributes: Option<Json<User>>,
    version: Option<i64>,
    created_at: Option<jiff_sqlx::Timestamp>,
    last_modified_at: Option<jiff_sqlx::Timestamp>,
}

impl Users {
    /// The users that match the filter, a page at a time, and how many there are in all.
    #[tracing::instrument(skip_all, fields(tenant.id = %self.store.tenant()))]
    pub async fn list(&self, request: ListUsersRequest) -> Result<Page, Error> {
        let predicate = request.filter.as_ref().map(compile).transpose()?;
        let bound = request.filter.as_ref().map(Message::encode_to_vec).unwrap_or_default();
        let tenant = self.store.tenant();
        let list: [&[u8]; 3] = [b"users", tenant.as_bytes(), &bound];
        let after = match request.page_token.as_str() {
            "" => None,
            token => Some(Uuid::from_slice(&self.pages.verify(&list, token)?).map_err(Error::internal)?),
        };
        let size = match (request.page_size, request.count_only) {
            (_, true) => 0,
            (..=0, false) => DEFAULT_SIZE,
            (size, false) => size.min(MAX_SIZE),
        };
        let skip = if after.is_some() { 0 } else { request.skip.max(0) };
        let mut statement = select(tenant, predicate.as_ref(), after, i64::from(size), skip);
        let mut connection = self.store.read().await?;
        let lines: Vec<Line> = statement
            .build_query_as()
            .fetch_all(&mut *connection)
            .await
            .map_err(database)?;
        drop(connection);
        let total_size = lines.first().map_or(0, |line| line.total);
        let (users, more) = cut(
            lines.into_iter().filter_map(Line::user),
            usize::try_from(size).unwrap_or_default(),
        );
        let last = users.last().and_then(|user| Uuid::parse_str(&user.id).ok());
        let next_page_token = match last {
            Some(last) if more => self.pages.sign(&list, last.as_bytes()),
            _ => String::new(),
        };
        Ok(Page {
            users,
            next_page_token,
            total_size,
        })
    }
}

/// One statement, so that page and count come from one snapshot. One id more than the page tells whether there is a next.
fn select(
    tenant: Uuid,
    predicate: Option<&Predicate>,
    after: Option<Uuid>,
    size: i64,
    skip: i64,
) -> QueryBuilder<Postgres> {
    let mut sql = QueryBuilder::new("WITH total AS (SELECT count(*) AS total FROM users u");
    matching(&mut sql, tenant, predicate);
    sql.push("), page AS (SELECT u.user_id FROM users u");
    matching(&mut sql, tenant, predicate);
    if let Some(after) = after {
        sql.push(" AND u.user_id > ").push_bind(after);
    }
    sql.push(" ORDER BY u.user_id LIMIT ")
        .push_bind(if size == 0 { 0 } else { size + 1 });
    sql.push(" OFFSET ").push_bind(skip);
    sql.push(
        ") SELECT total.total, r.user_id, r.attributes, r.version, r.created_at, r.last_modified_at
        FROM total LEFT JOIN (page JOIN users r ON r.user_id = page.user_id AND r.tenant_id = ",
    );
    sql.push_bind(tenant).push(") ON true ORDER BY r.user_id");
    sql
}

fn matching(sql: &mut QueryBuilder<Postgres>, tenant: Uuid, predicate: Option<&Predicate>) {
    sql.push(" WHERE u.tenant_id = ").push_bind(tenant);
    if let Some(predicate) = predicate {
        sql.push(" AND (");
        predicate.push(sql);
        sql.push(")");
    }
}

/// The first `size` users, fewer if they grow too large together, and whether any were left.
fn cut(mut found: impl Iterator<Item = User>, size: usize) -> (Vec<User>, bool) {
    let (mut users, mut bytes) = (Vec::new(), 0);
    for user in found.by_ref() {
        bytes += user.encoded_len();
        if users.len() == size || (bytes > MAX_BYTES && !users.is_empty()) {
            return (users, true);
        }
        users.push(user);
    }
    (users, false)
}

impl Line {
    fn user(self) -> Option<User> {
        let stamp = Stamp::new(self.version?, self.created_at?, self.last_modified_at?);
        Some(User::from(Row::new(self.user_id?, self.attributes?, stamp)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_cut_by_number_and_by_size() {
        let users = |count: usize, bytes: usize| {
            (0..count).map(move |_| User {
                user_name: "x".repeat(bytes),
                ..User::default()
            })
        };
        let check = |count, bytes, size, expect: (usize, bool)| {
            let (page, more) = cut(users(count, bytes), size);
            assert_eq!((page.len(), more), expect, "{count} of {bytes} bytes by {size}");
        };
        check(3, 1, 3, (3, false));
        check(4, 1, 3, (3, true));
        check(0, 1, 3, (0, false));
        check(4, MAX_BYTES / 2, 10, (1, true));
        check(2, MAX_BYTES * 2, 10, (1, true));
        check(1, MAX_BYTES * 2, 10, (1, false));
    }
}
