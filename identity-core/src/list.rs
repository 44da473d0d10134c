//! Lists of one resource type: RFC 7644 section 3.4.2, in the order of their ids. The ids of a page are found first and
//! joined then, so that skipping rows never reads what they hold.

use std::pin::pin;

use futures_util::{Stream, TryStreamExt};
use identity_proto::identity::v1::Filter;
use identity_proto::identity::v1::comparison::Operator;
use identity_proto::identity::v1::filter::Expression;
use prost::Message;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Postgres, QueryBuilder};
use uuid::Uuid;

use crate::error::{Error, database};
use crate::filter::{Layout, Predicate, compile};
use crate::page::PageTokens;
use crate::store::TenantStore;

const DEFAULT_SIZE: i32 = 100;
const MAX_SIZE: i32 = 1_000;
/// An answer is cut before it outgrows what gRPC clients take by default, which is 4 MiB.
pub(crate) const MAX_BYTES: usize = 3 << 20;

/// How resources of a type are listed: constants of SQL.
pub(crate) struct Listing {
    /// What page tokens are bound to.
    pub(crate) name: &'static str,
    pub(crate) layout: &'static Layout,
    /// What is read of `r`, the rows of the page, and of what is joined to them.
    pub(crate) columns: &'static str,
    /// Joins `r` to `page.id` and ends with the comparison of its tenant.
    pub(crate) rows: &'static str,
    /// Joins more to `r`.
    pub(crate) beside: &'static str,
}

/// What is asked of a list.
pub(crate) struct Asked<'a> {
    pub(crate) filter: Option<&'a Filter>,
    pub(crate) page_size: i32,
    pub(crate) page_token: &'a str,
    pub(crate) skip: i64,
    pub(crate) count_only: bool,
}

/// One row of the answer: the count, and a resource unless the page is empty.
pub(crate) trait Line: for<'r> FromRow<'r, PgRow> + Send + Unpin {
    type Resource: Message;
    fn total(&self) -> i64;
    /// With its id, which pages go on from.
    fn resource(self, pages: &PageTokens, tenant: Uuid) -> Option<(Uuid, Self::Resource)>;
}

/// One page.
#[derive(Debug)]
pub struct Page<R> {
    pub resources: Vec<R>,
    /// Empty on the last page.
    pub next_page_token: String,
    pub total_size: i64,
}

/// A page size as AIP-158 reads it.
pub(crate) fn page_size(asked: i32, default: i32, max: i32) -> i32 {
    if asked <= 0 { default } else { asked.min(max) }
}

impl Listing {
    /// The resources that match the filter, a page at a time, and how many there are in all.
    pub(crate) async fn page<L: Line>(
        &self,
        store: &TenantStore,
        pages: &PageTokens,
        asked: Asked<'_>,
    ) -> Result<Page<L::Resource>, Error> {
        let predicate = asked.filter.map(|filter| compile(self.layout, filter)).transpose()?;
        let bound = asked.filter.map(Message::encode_to_vec).unwrap_or_default();
        let tenant = store.tenant();
        let list: [&[u8]; 3] = [self.name.as_bytes(), tenant.as_bytes(), &bound];
        let after = pages.after(&list, asked.page_token)?;
        let size = if asked.count_only {
            0
        } else {
            page_size(asked.page_size, DEFAULT_SIZE, MAX_SIZE)
        };
        let skip = if after.is_some() { 0 } else { asked.skip.max(0) };
        let mut statement = self.select(tenant, predicate.as_ref(), after, i64::from(size), skip);
        let mut connection = store.read().await?;
        // Every other filter is a statement of its own: kept, they would push the statements that come again out.
        let lines = statement
            .build_query_as()
            .persistent(asked.filter.is_none_or(is_equality))
            .fetch(&mut *connection);
        let Cut { found, total, more } = cut(lines, usize::try_from(size).unwrap_or_default(), |line: L| {
            line.resource(pages, tenant)
        })
        .await
        .map_err(database)?;
        drop(connection);
        let next_page_token = match found.last() {
            Some((last, _)) if more => pages.sign(&list, last.as_bytes()),
            _ => String::new(),
        };
        Ok(Page {
            resources: found.into_iter().map(|(_, resource)| resource).collect(),
            next_page_token,
            total_size: total,
        })
    }

    /// One statement, so that page and count come from one snapshot. One id more than the page tells whether there is a
    /// next.
    fn select(
        &self,
        tenant: Uuid,
        predicate: Option<&Predicate>,
        after: Option<Uuid>,
        size: i64,
        skip: i64,
    ) -> QueryBuilder<Postgres> {
        let mut sql = QueryBuilder::new("WITH total AS (SELECT count(*) AS total");
        self.matching(&mut sql, tenant, predicate);
        sql.push("), page AS (SELECT ").push(self.layout.id).push(" AS id");
        self.matching(&mut sql, tenant, predicate);
        if let Some(after) = after {
            sql.push(" AND ").push(self.layout.id).push(" > ").push_bind(after);
        }
        sql.push(" ORDER BY ").push(self.layout.id).push(" LIMIT ");
        sql.push_bind(if size == 0 { 0 } else { size + 1 });
        sql.push(" OFFSET ").push_bind(skip);
        sql.push(") SELECT total.total, ").push(self.columns);
        sql.push(" FROM total LEFT JOIN (page ").push(self.rows);
        sql.push_bind(tenant).push(") ON true").push(self.beside);
        sql.push(" ORDER BY page.id");
        sql
    }

    fn matching(&self, sql: &mut QueryBuilder<Postgres>, tenant: Uuid, predicate: Option<&Predicate>) {
        sql.push(" FROM ").push(self.layout.table);
        sql.push(" WHERE ")
            .push(self.layout.alias())
            .push(".tenant_id = ")
            .push_bind(tenant);
        if let Some(predicate) = predicate {
            sql.push(" AND (");
            predicate.push(sql);
            sql.push(")");
        }
    }
}

/// What a page takes of the lines.
struct Cut<R> {
    found: Vec<(Uuid, R)>,
    total: i64,
    /// Whether any were left.
    more: bool,
}

/// The first `size` resources, fewer if they grow too large together. Read one by one and no further than that, so that no
/// more than one page is ever held.
async fn cut<L: Line>(
    lines: impl Stream<Item = Result<L, sqlx::Error>>,
    size: usize,
    resource: impl Fn(L) -> Option<(Uuid, L::Resource)>,
) -> Result<Cut<L::Resource>, sqlx::Error> {
    let mut lines = pin!(lines);
    let (mut found, mut bytes, mut total) = (Vec::new(), 0, 0);
    while let Some(line) = lines.try_next().await? {
        total = line.total();
        let Some((id, resource)) = resource(line) else { break };
        bytes += resource.encoded_len();
        if found.len() == size || (bytes > MAX_BYTES && !found.is_empty()) {
            return Ok(Cut {
                found,
                total,
                more: true,
            });
        }
        found.push((id, resource));
    }
    Ok(Cut {
        found,
        total,
        more: false,
    })
}

/// Of these there are no more than attributes.
fn is_equality(filter: &Filter) -> bool {
    matches!(&filter.expression, Some(Expression::Comparison(comparison)) if comparison.operator() == Operator::Eq)
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};
    use identity_proto::identity::v1::{AttributePath, User};

    use super::*;

    #[derive(sqlx::FromRow)]
    struct Text {
        total: i64,
        text: String,
    }

    impl Line for Text {
        type Resource = User;

        fn total(&self) -> i64 {
            self.total
        }

        fn resource(self, _: &PageTokens, _: Uuid) -> Option<(Uuid, User)> {
            let user = User {
                user_name: self.text,
                ..User::default()
            };
            Some((Uuid::nil(), user))
        }
    }

    /// How many lines are read, beside the number of resources and whether there are more.
    async fn check(count: usize, bytes: usize, size: usize, expect: (usize, bool), reads: usize) {
        let (mut read, pages) = (0, PageTokens::new(runtime::Secret::new("k")));
        let lines = stream::iter(0..count).map(|_| {
            read += 1;
            Ok(Text {
                total: 7,
                text: "x".repeat(bytes),
            })
        });
        let Cut { found, more, total } = cut(lines, size, |line: Text| line.resource(&pages, Uuid::nil()))
            .await
            .unwrap();
        assert_eq!((found.len(), more), expect, "{count} of {bytes} bytes by {size}");
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
