//! `portcullis access`, `login` and `session`

use clap::{Args, Subcommand};

use super::UserOfTenant;

/// Whose access is shown.
#[derive(Debug, Args)]
pub struct AccessOf {
    /// The tenant's name or id; of a deleted one the id
    #[arg(long)]
    pub tenant: String,
    /// The user's id or userName, of a deleted one the id; without a user, what was done to the whole tenant
    pub user: Option<String>,
    /// How many of the last changes to list
    #[arg(long, value_name = "NUMBER", default_value_t = 10)]
    pub changes: usize,
}

/// `portcullis access`
#[derive(Debug, Subcommand)]
pub enum Access {
    /// Show epoch, state, when the register moved, how many sessions were pruned, and the same of the changes before
    Show(AccessOf),
    /// End all sessions of a user now; the user stays active and may log in again
    End(UserOfTenant),
}

/// `portcullis login`
#[derive(Debug, Subcommand)]
pub enum Login {
    /// Begin a login, as an application does when it sends the browser to the identity provider
    Begin {
        /// The tenant's name or id
        #[arg(long)]
        tenant: String,
    },
}

/// `portcullis session`
#[derive(Debug, Subcommand)]
pub enum Session {
    /// Create a session, as an application does when the login came back
    Create {
        /// What `login begin` answered
        #[arg(long, value_name = "TOKEN")]
        login: String,
        /// The user's id or userName
        user: String,
    },
    /// Ask whether a session is valid; exits with 1 when it is not
    Validate {
        /// What `session create` answered
        token: String,
    },
    /// List a user's sessions, the newest first
    List(UserOfTenant),
    /// Log out one session
    Revoke {
        /// What `session create` answered
        token: String,
    },
}
