//! Lists users: RFC 7644 section 3.4.2, in the order of their ids. The ids of a page are found first and joined then, so
//! that skipping rows never reads their documents.

use std::pin::pin;

use futures_util::{Stream, TryStreamExt};
use identity_proto::identity::v1::comparison::Operator;
use identity_proto::identity::v1::filter::Expression;
use identity_proto::identity::v1::{Filter, ListUsersRequest, User};
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
        // Every other filter is a statement of its own: kept, they would push the statements that come again out.
        let lines = statement
            .build_query_as()
            .persistent(request.filter.as_ref().is_none_or(is_equality))
            .fetch(&mut *connection);
        let Cut { users, total, more } = cut(lines, usize::try_from(size).unwrap_or_default())
            .await
            .map_err(database)?;
        drop(connection);
        let last = users.last().and_then(|user| Uuid::parse_str(&user.id).ok());
        let next_page_token = match last {
            Some(last) if more => self.pages.sign(&list, last.as_bytes()),
            _ => String::new(),
        };
        Ok(Page {
            users,
            next_page_token,
            total_size: total,
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

/// What a page takes of the lines.
struct Cut {
    users: Vec<User>,
    total: i64,
    /// Whether any users were left.
    more: bool,
}

/// The first `size` users, fewer if they grow too large together. Read one by one and no further than that, so that no
/// more than one page is ever held.
async fn cut(lines: impl Stream<Item = Result<Line, sqlx::Error>>, size: usize) -> Result<Cut, sqlx::Error> {
    let mut lines = pin!(lines);
    let (mut users, mut bytes, mut total) = (Vec::new(), 0, 0);
    while let Some(line) = lines.try_next().await? {
        total = line.total;
        let Some(user) = line.user() else { break };
        bytes += user.encoded_len();
        if users.len() == size || (bytes > MAX_BYTES && !users.is_empty()) {
            return Ok(Cut {
                users,
                total,
                more: true,
            });
        }
        users.push(user);
    }
    Ok(Cut {
        users,
        total,
        more: false,
    })
}

/// Of these there are no more than attributes.
fn is_equality(filter: &Filter) -> bool {
    matches!(&filter.expression, Some(Expression::Comparison(comparison)) if comparison.operator() == Operator::Eq)
}

impl Line {
    fn user(self) -> Option<User> {
        let stamp = Stamp::new(self.version?, self.created_at?, self.last_modified_at?);
        Some(User::from(Row::new(self.user_id?, self.attributes?, stamp)))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};
    use identity_proto::identity::v1::AttributePath;
    use jiff::Timestamp;

    use super::*;

    fn line(bytes: usize) -> Line {
        let user = User {
            user_name: "x".repeat(bytes),
            ..User::default()
        };
        let now = jiff_sqlx::Timestamp::from(Timestamp::UNIX_EPOCH);
        Line {
            total: 7,
            user_id: Some(Uuid::nil()),
            attributes: Some(Json(user)),
            version: Some(1),
            created_at: Some(now),
            last_modified_at: Some(now),
        }
    }

    /// How many lines are read, beside the number of users and whether there are more.
    async fn check(count: usize, bytes: usize, size: usize, expect: (usize, bool), reads: usize) {
        let mut read = 0;
        let lines = stream::iter(0..count).map(|_| {
            read += 1;
            Ok(line(bytes))
        });
        let Cut { users, more, total } = cut(lines, size).await.unwrap();
        assert_eq!((users.len(), more), expect, "{count} of {bytes} bytes by {size}");
        assert_eq!(total, if count == 0 { 0 } else { 7 });
        assert_eq!(read, reads, "{count} of {bytes} bytes by {size}");
    }

    #[tokio::test]
    async fn a_page_is_cut_by_number_and_by_size_and_no_more_is_read() {
        check(3, 1, 3, (3, false), 3).await;
        check(9, 1, 3, (3, true), 4).await;
        check(0, 1, 3, (0, false), 0).await;
        check(9, MAX_BYTES / 2, 10, (1, true), 2).await;
        check(9, MAX_BYTES * 2, 10, (1, true), 2).await;
        check(1, MAX_BYTES * 2, 10, (1, false), 1).await;
    }

    #[test]
    fn only_equalities_are_statements_to_keep() {
        let eq = || {
            Filter::compare(
                AttributePath::core("userName"),
                Operator::Eq,
                serde_json::json!("ann").into(),
            )
        };
        assert!(is_equality(&eq()));
        assert!(!is_equality(&Filter::and(vec![eq(), eq()])));
        assert!(!is_equality(&Filter::not(eq())));
        let starts = Filter::compare(
            AttributePath::core("userName"),
            Operator::Sw,
            serde_json::json!("a").into(),
        );
        assert!(!is_equality(&starts));
    }
}
