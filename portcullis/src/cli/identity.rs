//! `portcullis user` and `group`

use clap::{Args, Subcommand};

/// A user of a tenant.
#[derive(Debug, Args)]
pub struct UserOfTenant {
    /// The tenant's name or id
    #[arg(long)]
    pub tenant: String,
    /// The user's id or userName
    pub user: String,
}

/// `portcullis user`
#[derive(Debug, Subcommand)]
pub enum User {
    /// List a tenant's users
    List {
        /// The tenant's name or id
        #[arg(long)]
        tenant: String,
    },
    /// Show one user as it is stored
    Show(UserOfTenant),
    /// Print a user's id alone
    Id(UserOfTenant),
}

/// A group of a tenant.
#[derive(Debug, Args)]
pub struct GroupOfTenant {
    /// The tenant's name or id
    #[arg(long)]
    pub tenant: String,
    /// The group's id or displayName
    pub group: String,
}

/// `portcullis group`
#[derive(Debug, Subcommand)]
pub enum Group {
    /// List a tenant's groups
    List {
        /// The tenant's name or id
        #[arg(long)]
        tenant: String,
    },
    /// Show one group without its members
    Show(GroupOfTenant),
    /// List who is in a group: users, and groups whose members are not listed again
    Members(GroupOfTenant),
    /// List the groups that a user is in, directly or through others
    Of(UserOfTenant),
}
