//! `portcullis audit`: what was done to a tenant's tokens and clients, one line an entry.

use identity_proto::identity::v1::{AuditEntry, ListAuditEntriesRequest};
use serde::Serialize;
use serde_json::Value;

use super::{or_never, rfc3339};
use crate::cli;
use crate::connect::System;
use crate::failure::Failure;
use crate::output::Output;

/// The most that one call answers.
const PAGE: usize = 1_000;

#[derive(Serialize)]
struct Shown {
    id: i64,
    time: Option<String>,
    actor: String,
    action: String,
    subject_id: String,
    request_id: Option<String>,
    detail: Value,
}

pub(super) async fn run(command: cli::Audit, system: &System, output: Output) -> Result<(), Failure> {
    let cli::Audit::List { tenant, count } = command;
    let (mut left, mut page_token) = (count, String::new());
    while left > 0 {
        let request = ListAuditEntriesRequest {
            tenant: tenant.clone(),
            page_size: i32::try_from(left.min(PAGE)).unwrap_or_default(),
            page_token,
        };
        let page = system.audit().list_audit_entries(request).await?.into_inner();
        left -= left.min(page.entries.len());
        for entry in page.entries {
            let shown = Shown::read(entry)?;
            output.answer(&shown, &shown.to_text())?;
        }
        if page.next_page_token.is_empty() {
            break;
        }
        page_token = page.next_page_token;
    }
    Ok(())
}

impl Shown {
    fn read(entry: AuditEntry) -> Result<Self, Failure> {
        Ok(Shown {
            id: entry.id,
            time: rfc3339(entry.time),
            actor: entry.actor,
            action: entry.action,
            subject_id: entry.subject_id,
            request_id: Some(entry.request_id).filter(|id| !id.is_empty()),
            detail: serde_json::from_str(&entry.detail).map_err(anyhow::Error::from)?,
        })
    }

    fn to_text(&self) -> String {
        let Shown {
            id,
            actor,
            action,
            subject_id,
            detail,
            ..
        } = self;
        let at = or_never(self.time.as_ref());
        let request = self.request_id.as_deref().unwrap_or("none");
        format!("{id}  {at}  {action}  {subject_id}  by {actor}  request {request}  {detail}")
    }
}
