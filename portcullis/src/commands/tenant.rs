//! `portcullis tenant`

use identity_proto::identity::v1::{
    CreateTenantRequest, DeleteTenantRequest, ResumeTenantRequest, SetScimRequest, SuspendTenantRequest, Tenant, tenant,
};
use serde::Serialize;

use super::{profile, resolve};
use crate::cli::{self, TenantName};
use crate::connect::System;
use crate::failure::Failure;
use crate::output::Output;

/// A tenant as it is shown.
#[derive(Serialize)]
struct Shown {
    id: String,
    name: String,
    state: &'static str,
    scim: bool,
    profile: &'static str,
}

/// What creating one answers.
#[derive(Serialize)]
struct Created {
    id: String,
    name: String,
}

pub(super) async fn run(command: cli::Tenant, system: &System, output: Output) -> Result<(), Failure> {
    let mut tenants = system.tenants();
    let changed = match command {
        cli::Tenant::Create {
            name,
            profile,
            scim_disabled,
        } => {
            return create(system, output, name, profile, scim_disabled).await;
        }
        cli::Tenant::List => return list(system, output).await,
        cli::Tenant::Profile(options) => return profile::run(options, system, output).await,
        cli::Tenant::Show(TenantName { name }) => resolve::tenant(system, &name).await?,
        cli::Tenant::EnableScim(TenantName { name }) => set_scim(system, name, true).await?,
        cli::Tenant::DisableScim(TenantName { name }) => set_scim(system, name, false).await?,
        cli::Tenant::Suspend(TenantName { name }) => tenants
            .suspend_tenant(SuspendTenantRequest { tenant: name })
            .await?
            .into_inner(),
        cli::Tenant::Resume(TenantName { name }) => tenants
            .resume_tenant(ResumeTenantRequest { tenant: name })
            .await?
            .into_inner(),
        cli::Tenant::Delete(TenantName { name }) => tenants
            .delete_tenant(DeleteTenantRequest { tenant: name })
            .await?
            .into_inner(),
    };
    let shown = Shown::from(changed);
    output.answer(&shown, &shown.to_text())?;
    output.next(&shown.next_step());
    Ok(())
}

async fn create(
    system: &System,
    output: Output,
    name: String,
    profile: cli::Profile,
    scim_disabled: bool,
) -> Result<(), Failure> {
    let request = CreateTenantRequest {
        name,
        scim_disabled,
        profile: profile::preset(profile).into(),
    };
    let Tenant { id, name, .. } = system.tenants().create_tenant(request).await?.into_inner();
    let text = format!("created tenant {name} ({id})");
    let next = format!("next: give its identity provider a token: token create --tenant {name}");
    output.answer(&Created { id, name }, &text)?;
    output.next(&next);
    Ok(())
}

async fn list(system: &System, output: Output) -> Result<(), Failure> {
    let tenants = resolve::tenants(system).await?;
    if tenants.is_empty() {
        output.next("there are no tenants yet; next: tenant create NAME");
    }
    for tenant in tenants {
        let shown = Shown::from(tenant);
        output.answer(&shown, &shown.to_text())?;
    }
    Ok(())
}

async fn set_scim(system: &System, tenant: String, enabled: bool) -> Result<Tenant, Failure> {
    let request = SetScimRequest { tenant, enabled };
    Ok(system.tenants().set_scim(request).await?.into_inner())
}

impl Shown {
    fn to_text(&self) -> String {
        let scim = if self.scim { "on" } else { "off" };
        let Shown {
            id,
            name,
            state,
            profile,
            ..
        } = self;
        format!("{name}  {id}  {state}  SCIM {scim}  profile {profile}")
    }

    fn next_step(&self) -> String {
        let name = &self.name;
        match (self.state, self.scim) {
            ("suspended", _) => format!("its sessions are over and SCIM answers 403; next: tenant resume {name}"),
            ("deleted", _) => "its sessions, users and tokens are gone; its id is never used again".to_owned(),
            (_, false) => format!("SCIM answers 403; next: tenant enable-scim {name}"),
            _ => format!("next: token create --tenant {name}"),
        }
    }
}

impl From<Tenant> for Shown {
    fn from(tenant: Tenant) -> Self {
        Shown {
            state: match tenant.state() {
                tenant::State::Active => "active",
                tenant::State::Suspended => "suspended",
                tenant::State::Deleted => "deleted",
                tenant::State::Unspecified => "unknown",
            },
            profile: profile::name(tenant.profile()),
            scim: tenant.scim_enabled,
            id: tenant.id,
            name: tenant.name,
        }
    }
}
