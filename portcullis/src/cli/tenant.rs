//! `portcullis tenant`

use clap::{Args, Subcommand, ValueEnum};

/// `portcullis tenant`
#[derive(Debug, Subcommand)]
pub enum Tenant {
    /// Create a tenant; SCIM is on unless asked otherwise
    Create {
        /// 1 to 63 of a-z, 0-9 and hyphen
        name: String,
        /// How requests that deviate from the RFCs are read
        #[arg(long, value_enum, default_value_t = Profile::Interop)]
        profile: Profile,
        /// Answer SCIM requests with 403 until it is switched on
        #[arg(long)]
        scim_disabled: bool,
    },
    /// List all tenants
    List,
    /// Show one tenant
    Show(TenantName),
    /// Switch SCIM on
    EnableScim(TenantName),
    /// Switch SCIM off: requests are answered with 403
    DisableScim(TenantName),
    /// Show or change how the tenant's requests are read: every quirk, what it does, and whether it is on
    Profile(TenantProfile),
    /// End every session of the tenant and refuse new ones until it is resumed
    Suspend(TenantName),
    /// Let a suspended tenant in again
    Resume(TenantName),
    /// End every session of the tenant and remove its users and tokens, for good
    Delete(TenantName),
}

/// The tenant that a command is about.
#[derive(Debug, Args)]
pub struct TenantName {
    /// The tenant's name or id
    pub name: String,
}

/// `portcullis tenant profile`
#[derive(Debug, Args)]
pub struct TenantProfile {
    /// The tenant's name or id
    pub name: String,
    /// Start from a preset; single settings of before are cleared
    #[arg(long, value_enum)]
    pub preset: Option<Profile>,
    /// Switch one quirk; may be repeated
    #[arg(long, value_name = "QUIRK=on|off")]
    pub set: Vec<String>,
    /// Keep passwords as a hash, or refuse requests that carry one
    #[arg(long, value_enum)]
    pub passwords: Option<Passwords>,
}

/// What becomes of passwords in SCIM requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Passwords {
    /// Kept as an argon2id hash
    Store,
    /// Answered with 400
    Refuse,
}

/// How requests that deviate from the RFCs are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// Every documented form of every identity provider is understood
    Interop,
    /// The RFCs to the letter
    Strict,
}
