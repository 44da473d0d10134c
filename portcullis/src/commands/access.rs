//! `portcullis access`

use identity_proto::identity::v1::{Access, AccessState, EndAccessRequest, GetAccessRequest};
use serde::Serialize;

use super::{resolve, rfc3339};
use crate::cli;
use crate::connect::System;
use crate::failure::Failure;
use crate::output::Output;

#[derive(Serialize)]
struct Shown {
    epoch: i64,
    state: &'static str,
    applied_at: Option<String>,
    pruned: i64,
}

pub(super) async fn run(command: cli::Access, system: &System, output: Output) -> Result<(), Failure> {
    let mut service = system.access();
    let (access, next) = match command {
        cli::Access::Show(named) => {
            let (tenant_id, user_id) = resolve::user(system, &named).await?;
            let access = service.get_access(GetAccessRequest { tenant_id, user_id }).await?;
            (access, "`access end` with the same arguments ends all sessions now")
        }
        cli::Access::End(named) => {
            let (tenant_id, user_id) = resolve::user(system, &named).await?;
            let access = service.end_access(EndAccessRequest { tenant_id, user_id }).await?;
            (
                access,
                "every session until now is over; `access show` counts what was pruned",
            )
        }
    };
    let shown = Shown::from(access.into_inner());
    output.answer(&shown, &shown.to_text())?;
    output.next(next);
    Ok(())
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

impl From<Access> for Shown {
    fn from(access: Access) -> Self {
        Shown {
            state: match access.state() {
                AccessState::AccessActive => "active",
                AccessState::AccessInactive => "inactive",
                AccessState::AccessDeleted | AccessState::Unspecified => "deleted",
            },
            epoch: access.epoch,
            applied_at: rfc3339(access.apply_time),
            pruned: access.pruned,
        }
    }
}
