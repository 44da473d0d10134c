//! `portcullis tenant profile`: how a tenant's requests are read.

use std::collections::BTreeMap;

use identity_proto::identity::v1::{QuirkSetting, SetProfileRequest, Tenant, tenant};
use scim_edge::scim::quirks::{Described, Quirks, TABLE};
use serde::Serialize;

use super::resolve;
use crate::cli::{self, Passwords, TenantProfile};
use crate::connect::System;
use crate::failure::Failure;
use crate::output::Output;

#[derive(Serialize)]
struct Shown {
    preset: &'static str,
    quirks: BTreeMap<&'static str, bool>,
    passwords: &'static str,
}

pub(super) async fn run(options: TenantProfile, system: &System, output: Output) -> Result<(), Failure> {
    let settings = options
        .set
        .iter()
        .map(|text| setting(text))
        .collect::<Result<Vec<_>, _>>()?;
    let found = resolve::tenant(system, &options.name).await?;
    let changes = options.preset.is_some() || !settings.is_empty() || options.passwords.is_some();
    let tenant = if changes {
        let request = SetProfileRequest {
            tenant: found.id,
            profile: options.preset.map_or(0, |one| preset(one).into()),
            quirks: settings,
            refuse_passwords: options.passwords.map(|passwords| passwords == Passwords::Refuse),
        };
        system.tenants().set_profile(request).await?.into_inner()
    } else {
        found
    };
    show(&tenant, output)?;
    let next = if changes {
        "every edge follows within a second".to_owned()
    } else {
        let name = &tenant.name;
        format!("next: tenant profile {name} --set QUIRK=on|off, or --preset interop|strict")
    };
    output.next(&next);
    Ok(())
}

fn show(tenant: &Tenant, output: Output) -> Result<(), Failure> {
    let quirks = Quirks::of(tenant.profile(), &tenant.quirks);
    let shown = Shown {
        preset: name(tenant.profile()),
        quirks: TABLE.iter().map(|one| (one.name, quirks.has(one.quirk))).collect(),
        passwords: if tenant.refuse_passwords { "refuse" } else { "store" },
    };
    let mut lines = vec![format!("preset {}, passwords {}", shown.preset, shown.passwords)];
    for one in &TABLE {
        let state = if quirks.has(one.quirk) { "on " } else { "off" };
        lines.push(format!(
            "\n{state}  {}\n     {}\n     seen with: {}",
            one.name, one.what, one.source
        ));
    }
    output.answer(&shown, &lines.join("\n"))
}

/// Reads `QUIRK=on|off`.
fn setting(text: &str) -> Result<QuirkSetting, Failure> {
    let wrong = || {
        let names: Vec<&str> = TABLE.iter().map(|one| one.name).collect();
        Failure::usage(format!(
            "--set {text}: give QUIRK=on or QUIRK=off; quirks are {}",
            names.join(", ")
        ))
    };
    let (name, state) = text.split_once('=').ok_or_else(wrong)?;
    let Described { quirk, .. } = TABLE.iter().find(|one| one.name == name).ok_or_else(wrong)?;
    let enabled = match state {
        "on" => true,
        "off" => false,
        _ => return Err(wrong()),
    };
    Ok(QuirkSetting {
        quirk: (*quirk).into(),
        enabled,
    })
}

/// The profile of that name on the command line.
pub(super) fn preset(preset: cli::Profile) -> tenant::Profile {
    match preset {
        cli::Profile::Interop => tenant::Profile::Interop,
        cli::Profile::Strict => tenant::Profile::Strict,
    }
}

/// Its name.
pub(super) fn name(profile: tenant::Profile) -> &'static str {
    match profile {
        tenant::Profile::Strict => "strict",
        tenant::Profile::Interop | tenant::Profile::Unspecified => "interop",
    }
}

#[cfg(test)]
mod tests {
    use identity_proto::identity::v1::Quirk;

    use super::*;

    #[test]
    fn a_setting_names_a_quirk_and_a_state() {
        let read = setting("op-case=off").unwrap();
        assert_eq!((read.quirk(), read.enabled), (Quirk::OpCase, false));
        assert!(setting("string-booleans=on").unwrap().enabled);
        for wrong in ["op-case", "op-case=", "op-case=yes", "nobody=on", "=on", ""] {
            assert!(setting(wrong).is_err(), "{wrong}");
        }
    }
}
