//! Where identity providers deviate from the RFCs, and what is made of it: the one table of quirks. A tenant's profile and
//! its own settings say which are understood. Those that concern bodies run before parsing ([`bodies`]); the parsers ask
//! for the few that concern filters and the meaning of PATCH.

mod bodies;
pub mod tombstone;

use identity_proto::identity::v1::tenant::Profile;
use identity_proto::identity::v1::{Quirk, QuirkSetting};

pub use bodies::{booleans, patch, resource};

/// What a quirk does and where it was seen. Sources are vendors' documentation and issue threads of other servers.
#[derive(Clone, Copy, Debug)]
pub struct Described {
    pub quirk: Quirk,
    /// The name on the command line.
    pub name: &'static str,
    pub what: &'static str,
    pub source: &'static str,
}

/// All quirks. The preset `interop` has all of them on, `strict` has all of them off.
pub const TABLE: [Described; 12] = [
    Described {
        quirk: Quirk::OpCase,
        name: "op-case",
        what: "\"op\": \"Replace\" in any case",
        source: "Entra ID without the flag aadOptscim062020",
    },
    Described {
        quirk: Quirk::StringBooleans,
        name: "string-booleans",
        what: "\"True\" and \"False\" where a boolean belongs: in resources, PATCH values and filters",
        source: "Entra ID; Keycloak plug-ins send \"false\"",
    },
    Described {
        quirk: Quirk::ManagerForms,
        name: "manager-forms",
        what: "manager as a string, as a list of one, emptied by \"\", and filtered by `manager eq`",
        source: "Entra ID (SCIM-SDK 541, directory-scimple 1242)",
    },
    Described {
        quirk: Quirk::SingleValue,
        name: "single-value",
        what: "one object where a list of values belongs in a resource",
        source: "OneLogin's JSON templates (django-scim2)",
    },
    Described {
        quirk: Quirk::ForeignSchemas,
        name: "foreign-schemas",
        what: "unknown URNs in `schemas` are dropped; URNs of SCIM 1.1, of drafts, and \"…enterprise:2.0User\" are read",
        source: "OneLogin, Entra ID",
    },
    Described {
        quirk: Quirk::ReadOnlyInValue,
        name: "read-only-in-value",
        what: "schemas, meta, groups and the resource's own id inside the value of a PATCH without path are ignored",
        source: "Okta",
    },
    Described {
        quirk: Quirk::CreateOnNoMatch,
        name: "create-on-no-match",
        what: "on a value filter without a match, add and replace make the value and remove has nothing to do",
        source: "Entra ID (scim-for-keycloak 73)",
    },
    Described {
        quirk: Quirk::RemoveByValue,
        name: "remove-by-value",
        what: "a remove with values takes away only those",
        source: "Entra ID, JumpCloud (azure-docs 30826, SCIM-SDK 149)",
    },
    Described {
        quirk: Quirk::ConditionBehindValueFilter,
        name: "condition-behind-value-filter",
        what: "the filter `emails[type eq \"work\"].value eq \"x\"`, which the grammar does not have",
        source: "Entra ID's matching",
    },
    Described {
        quirk: Quirk::TombstoneName,
        name: "tombstone-name",
        what: "a PATCH that deactivates and puts 32 hexadecimal digits before the userName does not rename the user",
        source: "Entra ID's soft delete (onyx 14074)",
    },
    Described {
        quirk: Quirk::UnknownMembers,
        name: "unknown-members",
        what: "an id among a group's members that names nobody is left out, and the rest is done",
        source: "Okta, which never repeats what was answered with 400 (fleet 52600)",
    },
    Described {
        quirk: Quirk::BriefGroups,
        name: "brief-groups",
        what: "PATCH and PUT of a group answer without members, unless `attributes` names them",
        source: "Entra ID, which advises 204 (snipe-it 19115, okta-developer-docs 2540)",
    },
];

/// The quirks that a tenant's requests are read with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quirks(u32);

impl Quirks {
    /// Every documented form of every identity provider is understood.
    pub const INTEROP: Quirks = Quirks(u32::MAX);
    /// The RFCs to the letter.
    pub const STRICT: Quirks = Quirks(0);

    /// The quirks of a profile, with what the tenant has otherwise.
    pub fn of(profile: Profile, settings: &[QuirkSetting]) -> Self {
        let preset = match profile {
            Profile::Strict => Self::STRICT,
            Profile::Interop | Profile::Unspecified => Self::INTEROP,
        };
        settings
            .iter()
            .fold(preset, |quirks, setting| quirks.with(setting.quirk(), setting.enabled))
    }

    /// Whether this one is understood.
    pub fn has(self, quirk: Quirk) -> bool {
        self.0 & bit(quirk) != 0
    }

    fn with(self, quirk: Quirk, enabled: bool) -> Self {
        if enabled {
            Quirks(self.0 | bit(quirk))
        } else {
            Quirks(self.0 & !bit(quirk))
        }
    }
}

fn bit(quirk: Quirk) -> u32 {
    1 << quirk as u32
}

#[cfg(test)]
mod tests;
