//! Reads events in the order of their numbers. One statement, so that what is kept and what is read are of one snapshot: no
//! event that was removed meanwhile can be skipped unnoticed. It cuts the page too: whatever it finds is sent whole.

use std::pin::pin;

use futures_util::{Stream, TryStreamExt};
use identity_proto::identity::v1::{ErrorReason, Event};
use prost::Message;
use uuid::Uuid;

use super::consumers::check_name;
use super::told::{self, Row};
use super::{Events, invalid};
use crate::access::Outcome;
use crate::error::{Error, database};
use crate::list::{MAX_BYTES, page_size};
use crate::store::TenantStore;

const DEFAULT_SIZE: i32 = 100;
const MAX_SIZE: i32 = 1_000;

pub(super) const READ: &str = "WITH stream AS MATERIALIZED (
        SELECT coalesce(s.last_sequence, 0) AS last_sequence, coalesce(s.trimmed_sequence, 0) AS trimmed_sequence,
               CASE WHEN $2 > 0 THEN $2 ELSE coalesce(c.acknowledged_sequence, s.trimmed_sequence, 0) + 1 END
                   AS from_sequence,
               coalesce((
                   SELECT o.event_id <> $6::uuid FROM event_sequence AS e
                   JOIN outbox AS o ON o.tenant_id = e.tenant_id AND o.outbox_id = e.outbox_id
                   WHERE $6::uuid IS NOT NULL AND e.tenant_id = $1 AND e.sequence = $2 - 1
               ), false) AS follows_another
        FROM tenant_access AS t
        LEFT JOIN event_stream AS s ON s.tenant_id = t.tenant_id
        LEFT JOIN event_consumer AS c ON c.tenant_id = t.tenant_id AND c.name = $3
        WHERE t.tenant_id = $1
    )
    SELECT stream.last_sequence, stream.trimmed_sequence, stream.from_sequence, stream.follows_another,
           e.sequence, e.kind, e.body, e.created_at, e.request_id, e.access_epoch, e.applied_at, p.pruned, p.pruned_at
    FROM stream LEFT JOIN LATERAL (
        SELECT sized.* FROM (
            SELECT e.sequence, o.kind, o.body, o.created_at, o.request_id, o.access_epoch, o.applied_at, o.user_id,
                   sum(octet_length(o.body)) OVER (ORDER BY e.sequence ROWS UNBOUNDED PRECEDING) AS bytes
            FROM (
                SELECT e.sequence, e.outbox_id FROM event_sequence AS e
                WHERE e.tenant_id = $1 AND e.sequence >= stream.from_sequence
                  AND stream.from_sequence > stream.trimmed_sequence
                ORDER BY e.sequence LIMIT $4
            ) AS e JOIN outbox AS o ON o.tenant_id = $1 AND o.outbox_id = e.outbox_id
        ) AS sized WHERE sized.bytes <= $5 OR sized.bytes = octet_length(sized.body)
    ) AS e ON true
    CROSS JOIN LATERAL pruned_for($1, e.user_id, e.access_epoch) AS p
    ORDER BY e.sequence";

/// Where to begin.
#[derive(Clone, Debug, Default)]
pub struct Start {
    /// The first number wanted. 0: after what the consumer acknowledged, or the oldest that is kept.
    pub from: i64,
    /// The id of the event before that, as the caller has it.
    pub after: Option<Uuid>,
    /// Empty: nobody in particular.
    pub consumer: String,
}

/// Some events in a row.
#[derive(Debug)]
pub struct Page {
    pub events: Vec<Event>,
    /// The number to ask for next.
    pub next: i64,
    /// Of all events of the tenant.
    pub last: i64,
}

/// How much a page holds at most. One event it always may.
#[derive(Clone, Copy)]
pub(super) struct Limit {
    pub(super) events: usize,
    pub(super) bytes: usize,
}

/// What is kept, and an event unless there is none.
#[derive(sqlx::FromRow)]
struct Line {
    last_sequence: i64,
    trimmed_sequence: i64,
    from_sequence: i64,
    follows_another: bool,
    sequence: Option<i64>,
    kind: Option<String>,
    body: Option<Vec<u8>>,
    created_at: Option<jiff_sqlx::Timestamp>,
    request_id: Option<String>,
    access_epoch: Option<i64>,
    applied_at: Option<jiff_sqlx::Timestamp>,
    pruned: i64,
    pruned_at: Option<jiff_sqlx::Timestamp>,
}

impl Events {
    /// A page of a tenant's events.
    #[tracing::instrument(skip_all, fields(tenant.id = %store.tenant()))]
    pub async fn list(&self, store: &TenantStore, start: &Start, size: i32) -> Result<Page, Error> {
        let limit = Limit {
            events: usize::try_from(page_size(size, DEFAULT_SIZE, MAX_SIZE)).unwrap_or_default(),
            bytes: MAX_BYTES,
        };
        read(store, start, limit).await
    }
}

/// The events from there on, as many as there are and may be.
pub(super) async fn read(store: &TenantStore, start: &Start, limit: Limit) -> Result<Page, Error> {
    if start.from < 0 {
        return Err(invalid(
            "from_sequence is a number from 1, or 0 for the first that is kept",
        ));
    }
    if start.after.is_some() && start.from < 2 {
        return Err(invalid(
            "after_event_id is the id of the event from_sequence - 1, so that from_sequence is 2 at least",
        ));
    }
    if !start.consumer.is_empty() {
        check_name(&start.consumer)?;
    }
    let mut connection = store.read().await?;
    let lines = sqlx::query_as(READ)
        .bind(store.tenant())
        .bind(start.from)
        .bind(&start.consumer)
        .bind(i64::try_from(limit.events).unwrap_or(i64::MAX))
        .bind(i64::try_from(limit.bytes).unwrap_or(i64::MAX))
        .bind(start.after)
        .fetch(&mut *connection);
    let page = cut(lines.map_err(database), start.after, limit).await?;
    page.ok_or_else(|| Error::not_found("tenant"))
}

/// The first lines as a page; `None` if there is not even one. Their bodies are within the limit, what is told beside them may lead
/// beyond it.
async fn cut(
    lines: impl Stream<Item = Result<Line, Error>>,
    after: Option<Uuid>,
    limit: Limit,
) -> Result<Option<Page>, Error> {
    let mut lines = pin!(lines);
    let Some(mut line) = lines.try_next().await? else {
        return Ok(None);
    };
    check_kept(&line, after)?;
    let (mut page, mut bytes) = (
        Page {
            events: Vec::new(),
            next: line.from_sequence,
            last: line.last_sequence,
        },
        0,
    );
    while let Some(row) = line.row() {
        if row.sequence != page.next {
            return Err(Error::internal(format!("the event {} is missing", page.next)));
        }
        let event = told::event(row)?;
        bytes += event.encoded_len();
        if bytes > limit.bytes && !page.events.is_empty() {
            break;
        }
        page.events.push(event);
        page.next += 1;
        if page.events.len() == limit.events {
            break;
        }
        match lines.try_next().await? {
            Some(next) => line = next,
            None => break,
        }
    }
    Ok(Some(page))
}

fn check_kept(line: &Line, after: Option<Uuid>) -> Result<(), Error> {
    let (from, last, oldest) = (line.from_sequence, line.last_sequence, line.trimmed_sequence + 1);
    let gone = |message: String| {
        Error::new(ErrorReason::EventsGone, message)
            .with("oldest_sequence", oldest.to_string())
            .with("last_sequence", last.to_string())
    };
    if from < oldest {
        let message = format!(
            "event {from} is no longer kept; read the users and groups anew, then go on from {}",
            last + 1
        );
        return Err(gone(message));
    }
    if line.follows_another || (after.is_some() && from > last + 1) {
        let message = format!(
            "event {} is not the one that you have: the database was restored to an earlier time, or failed over to a standby \
             that lacked its last changes; read the users and groups anew, then go on from {}",
            from - 1,
            last + 1
        );
        return Err(gone(message));
    }
    if from > last + 1 {
        let message = format!(
            "there is no event {from}: the last one is {last}. If you have seen later ones, the database was restored to an \
             earlier time: read the users and groups anew, then go on from {}",
            last + 1
        );
        return Err(invalid(message).with("last_sequence", last.to_string()));
    }
    Ok(())
}

impl Line {
    fn row(&mut self) -> Option<Row> {
        Some(Row {
            sequence: self.sequence?,
            kind: self.kind.take()?,
            body: self.body.take()?,
            created_at: self.created_at?,
            request_id: self.request_id.take(),
            outcome: self.outcome(),
        })
    }

    fn outcome(&self) -> Option<Outcome> {
        Some(Outcome {
            epoch: self.access_epoch?,
            applied_at: self.applied_at,
            pruned: self.pruned,
            pruned_at: self.pruned_at,
        })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};
    use identity_proto::identity::v1::User;
    use jiff::Timestamp;

    use super::*;

    fn line(sequence: Option<i64>, bytes: usize) -> Line {
        let user = User {
            user_name: "x".repeat(bytes),
            ..User::default()
        };
        let written = crate::outbox::Event::user_created(Uuid::nil(), Uuid::nil(), user);
        Line {
            last_sequence: 12,
            trimmed_sequence: 3,
            from_sequence: 4,
            follows_another: false,
            sequence,
            kind: Some(written.kind.to_owned()),
            body: Some(written.body),
            created_at: Some(Timestamp::UNIX_EPOCH.into()),
            request_id: None,
            access_epoch: None,
            applied_at: None,
            pruned: 0,
            pruned_at: None,
        }
    }

    /// How many lines are read, beside the number of events.
    async fn check(count: usize, bytes: usize, limit: usize, expect: usize, reads: usize) {
        let mut read = 0;
        let lines = stream::iter(4..).take(count).map(|sequence| {
            read += 1;
            Ok(line(Some(sequence), bytes))
        });
        let limit = Limit {
            events: limit,
            bytes: 10_000,
        };
        let page = cut(lines, None, limit).await.unwrap().unwrap();
        assert_eq!(
            page.events.len(),
            expect,
            "{count} of {bytes} bytes by {}",
            limit.events
        );
        assert_eq!(page.next, 4 + i64::try_from(expect).unwrap());
        assert_eq!(page.last, 12);
        assert_eq!(read, reads, "{count} of {bytes} bytes by {}", limit.events);
    }

    #[tokio::test]
    async fn a_page_is_cut_by_number_and_by_size_and_no_more_is_read() {
        check(3, 1, 3, 3, 3).await;
        check(9, 1, 3, 3, 3).await;
        check(2, 1, 3, 2, 2).await;
        check(9, 4_000, 10, 2, 3).await;
        check(9, 40_000, 10, 1, 2).await;
        check(1, 40_000, 10, 1, 1).await;
    }

    #[tokio::test]
    async fn a_hole_is_no_page() {
        let limit = Limit {
            events: 9,
            bytes: 9_999,
        };
        let of = |sequences: Vec<Option<i64>>| {
            let lines = sequences.into_iter().map(|sequence| Ok(line(sequence, 1)));
            cut(stream::iter(lines.collect::<Vec<_>>()), None, limit)
        };
        assert_eq!(
            of(vec![Some(4), Some(6)]).await.unwrap_err().reason,
            ErrorReason::Internal
        );
        assert_eq!(of(vec![Some(5)]).await.unwrap_err().reason, ErrorReason::Internal);
        assert_eq!(of(vec![None]).await.unwrap().unwrap().next, 4);
        assert!(of(vec![]).await.unwrap().is_none(), "no such tenant");
    }

    #[test]
    fn what_is_not_kept_and_what_never_was_are_refused() {
        let check = |from_sequence, follows_another, after, expect: Option<ErrorReason>| {
            let line = Line {
                from_sequence,
                follows_another,
                ..line(None, 1)
            };
            let found = check_kept(&line, after).err().map(|error| error.reason);
            assert_eq!(found, expect, "{from_sequence} {follows_another} {after:?}");
        };
        check(3, false, None, Some(ErrorReason::EventsGone));
        check(4, false, None, None);
        check(13, false, None, None);
        check(14, false, None, Some(ErrorReason::InvalidValue));
        let id = Some(Uuid::nil());
        check(4, false, id, None);
        check(13, false, id, None);
        check(13, true, id, Some(ErrorReason::EventsGone));
        check(14, false, id, Some(ErrorReason::EventsGone));
    }
}
