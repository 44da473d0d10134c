//! `portcullis access`: where access stands, and what became of its last changes.

use identity_proto::identity::v1::{
    Access, AccessChangeRecord, AccessOutcome, AccessState, EndAccessRequest, GetAccessRequest,
    ListAccessChangesRequest,
};
use serde::Serialize;
use uuid::Uuid;

use super::{or_never, resolve, rfc3339, short};
use crate::cli::{self, AccessOf, UserOfTenant};
use crate::connect::System;
use crate::failure::Failure;
use crate::output::Output;

/// The most that one call answers.
const PAGE: usize = 100;

#[derive(Serialize)]
struct Shown {
    epoch: i64,
    state: &'static str,
    applied_at: Option<String>,
    pruned: i64,
    pruned_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<Vec<Change>>,
}

#[derive(Serialize)]
struct Change {
    changed_at: Option<String>,
    /// Absent: as it was.
    state: Option<&'static str>,
    types: Vec<String>,
    request_id: String,
    #[serde(flatten)]
    outcome: Outcome,
}

/// What became of a change of access.
#[derive(Serialize)]
pub(super) struct Outcome {
    epoch: i64,
    applied_at: Option<String>,
    pruned: i64,
    pruned_at: Option<String>,
}

pub(super) async fn run(command: cli::Access, system: &System, output: Output) -> Result<(), Failure> {
    match command {
        cli::Access::Show(of) => show(system, output, &of).await,
        cli::Access::End(named) => end(system, output, &named).await,
    }
}

async fn show(system: &System, output: Output, of: &AccessOf) -> Result<(), Failure> {
    let (tenant_id, user_id) = subject(system, of).await?;
    let changes = changes(system, (&tenant_id, &user_id), of.changes).await?;
    // Asked for last, so that it is never older than the changes below it.
    let request = GetAccessRequest { tenant_id, user_id };
    let mut shown = Shown::from(system.access().get_access(request).await?.into_inner());
    let lines: Vec<String> = [shown.to_text()]
        .into_iter()
        .chain(changes.iter().map(Change::to_text))
        .collect();
    let full = changes.len() == of.changes;
    shown.changes = Some(changes);
    output.answer(&shown, &lines.join("\n"))?;
    if full {
        output.next("there may be more: --changes NUMBER lists more of the last changes");
    } else if of.user.is_some() {
        output.next("`access end` with the same arguments ends all sessions now");
    }
    Ok(())
}

async fn end(system: &System, output: Output, named: &UserOfTenant) -> Result<(), Failure> {
    let (tenant_id, user_id) = resolve::user(system, named).await?;
    let request = EndAccessRequest { tenant_id, user_id };
    let shown = Shown::from(system.access().end_access(request).await?.into_inner());
    output.answer(&shown, &shown.to_text())?;
    output.next("every session until now is over; `access show` counts what was pruned");
    Ok(())
}

/// The ids of the tenant and of the user, which is empty for the whole tenant. An id is believed: a deleted tenant is known by nothing else.
async fn subject(system: &System, of: &AccessOf) -> Result<(String, String), Failure> {
    let tenant = Uuid::try_parse(&of.tenant).map(|id| id.to_string());
    match (tenant, of.user.as_deref()) {
        (Ok(tenant), None) => Ok((tenant, String::new())),
        (Ok(tenant), Some(user)) if Uuid::try_parse(user).is_ok() => Ok((tenant, user.to_owned())),
        (_, None) => Ok((resolve::tenant(system, &of.tenant).await?.id, String::new())),
        (_, Some(user)) => {
            let (tenant, user) = (of.tenant.clone(), user.to_owned());
            resolve::user(system, &UserOfTenant { tenant, user }).await
        }
    }
}

/// The last changes, so many at most.
async fn changes(system: &System, (tenant_id, user_id): (&str, &str), most: usize) -> Result<Vec<Change>, Failure> {
    let (mut all, mut page_token) = (Vec::new(), String::new());
    while all.len() < most {
        let request = ListAccessChangesRequest {
            tenant_id: tenant_id.to_owned(),
            user_id: user_id.to_owned(),
            page_size: i32::try_from((most - all.len()).min(PAGE)).unwrap_or_default(),
            page_token,
        };
        let page = system.access().list_access_changes(request).await?.into_inner();
        all.extend(page.changes.into_iter().map(Change::from));
        if page.next_page_token.is_empty() {
            break;
        }
        page_token = page.next_page_token;
    }
    Ok(all)
}

impl Shown {
    fn to_text(&self) -> String {
        let Shown {
            epoch, state, pruned, ..
        } = self;
        let applied = match &self.applied_at {
            Some(time) => format!("register moved {time}"),
            None => "register not moved by it".to_owned(),
        };
        format!("{state}  epoch {epoch}  {applied}  {pruned} sessions pruned")
    }
}

impl Change {
    fn to_text(&self) -> String {
        let types: Vec<_> = self.types.iter().map(|one| short(one)).collect();
        format!(
            "  {}  {}  {}  {}  request {}",
            or_never(self.changed_at.as_ref()),
            types.join(" "),
            self.state.unwrap_or("-"),
            self.outcome.to_text(),
            self.request_id,
        )
    }
}

impl Outcome {
    pub(super) fn to_text(&self) -> String {
        let Outcome { epoch, pruned, .. } = self;
        let applied = match &self.applied_at {
            Some(time) => format!("register moved {time}"),
            None => "register not moved yet".to_owned(),
        };
        let until = match &self.pruned_at {
            Some(time) => format!("{pruned} sessions pruned {time}"),
            None => format!("{pruned} sessions pruned so far"),
        };
        format!("epoch {epoch}  {applied}  {until}")
    }
}

impl From<Access> for Shown {
    fn from(access: Access) -> Self {
        Shown {
            state: state(access.state()).unwrap_or("deleted"),
            epoch: access.epoch,
            applied_at: rfc3339(access.apply_time),
            pruned: access.pruned,
            pruned_at: rfc3339(access.prune_time),
            changes: None,
        }
    }
}

impl From<AccessChangeRecord> for Change {
    fn from(record: AccessChangeRecord) -> Self {
        Change {
            changed_at: rfc3339(record.change_time),
            state: state(record.state()),
            types: record.types,
            request_id: record.request_id,
            outcome: record.outcome.unwrap_or_default().into(),
        }
    }
}

impl From<AccessOutcome> for Outcome {
    fn from(outcome: AccessOutcome) -> Self {
        Outcome {
            epoch: outcome.epoch,
            applied_at: rfc3339(outcome.apply_time),
            pruned: outcome.pruned,
            pruned_at: rfc3339(outcome.prune_time),
        }
    }
}

fn state(state: AccessState) -> Option<&'static str> {
    match state {
        AccessState::AccessActive => Some("active"),
        AccessState::AccessInactive => Some("inactive"),
        AccessState::AccessDeleted => Some("deleted"),
        AccessState::Unspecified => None,
    }
}
