//! The tree of commands. Names, flags and what they mean are what people and scripts rely on: extended, not changed.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::commands::secrets;
use crate::{dev, serve};

const AFTER_HELP: &str = "Without a command, `dev` runs. Every other command but `serve`, `secrets` and `health` finds \
    the running system by --data-dir, or by PORTCULLIS_CORE_URL, PORTCULLIS_SESSION_URL and PORTCULLIS_SERVICE_KEY (or \
    PORTCULLIS_SERVICE_KEY_FILE), which win. Exit codes: 0 done, 1 refused, 2 wrong usage, 3 the system cannot be reached.";

/// A multi-tenant SCIM 2.0 service provider that ends a user's sessions when access ends
#[derive(Debug, Parser)]
#[command(name = "portcullis", version, after_help = AFTER_HELP)]
pub struct Cli {
    /// Where `dev` keeps its data, and where the other commands find the running system
    #[arg(long, global = true, default_value = ".local", value_name = "DIR")]
    pub data_dir: PathBuf,
    /// Answer in JSON: one object, or one a line
    #[arg(long, global = true)]
    pub json: bool,
    /// What `dev` takes, when no command is given
    #[command(flatten)]
    pub dev: dev::Options,
    /// What to do; `dev` when absent
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the whole system on this machine
    Dev(dev::Options),
    /// Run one service, configured by its environment
    Serve(serve::Serve),
    /// Make the secrets that a system of containers shares, a folder for each container; what is there stays
    Secrets(secrets::Options),
    /// Ask a URL whether a process is healthy, as containers and scripts do: 0 when it answers 200
    Health {
        /// Such as http://127.0.0.1:9090/readyz, of a service's admin listener
        url: String,
    },
    /// What administrators do with a running system.
    #[command(flatten)]
    Admin(Admin),
}

/// What administrators do with a running system.
#[derive(Debug, Subcommand)]
pub enum Admin {
    /// Customers of the platform
    #[command(subcommand)]
    Tenant(Tenant),
    /// Bearer tokens with which identity providers call SCIM
    #[command(subcommand)]
    Token(Token),
    /// Users, as identity providers made them
    #[command(subcommand)]
    User(User),
    /// Groups and their members, as identity providers made them
    #[command(subcommand)]
    Group(Group),
    /// What happened in a tenant, and who follows it
    #[command(subcommand)]
    Events(Events),
    /// Who may have sessions, and the end of that
    #[command(subcommand)]
    Access(Access),
    /// Logins of a platform's application
    #[command(subcommand)]
    Login(Login),
    /// Sessions of a platform's application
    #[command(subcommand)]
    Session(Session),
}

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

/// `portcullis token`
#[derive(Debug, Subcommand)]
pub enum Token {
    /// Create a token; it is shown this once
    Create {
        /// The tenant's name or id
        #[arg(long)]
        tenant: String,
        /// What it allows, separated by commas
        #[arg(long, value_delimiter = ',', default_value = "scim.read,scim.write")]
        scope: Vec<String>,
        /// How long it lives: a number with d, h, m or s
        #[arg(long, value_parser = lifetime, default_value = "365d")]
        expires: Duration,
    },
    /// List a tenant's tokens, the newest first
    List {
        /// The tenant's name or id
        #[arg(long)]
        tenant: String,
    },
    /// Revoke a token everywhere within a second
    Revoke {
        /// The token's id
        id: String,
    },
}

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

/// `portcullis events`
#[derive(Debug, Subcommand)]
pub enum Events {
    /// List what happened, the oldest that is kept first
    List {
        /// The tenant's name or id
        #[arg(long)]
        tenant: String,
        /// The number to begin with
        #[arg(long, value_name = "NUMBER", default_value_t = 0)]
        from: i64,
    },
    /// List what happens from now on, until Ctrl-C
    Follow {
        /// The tenant's name or id
        #[arg(long)]
        tenant: String,
    },
    /// List the consumers that acknowledge events, and how far each came
    Consumers {
        /// The tenant's name or id
        #[arg(long)]
        tenant: String,
    },
    /// Forget a consumer that is no more, so that events are no longer kept for it
    Forget {
        /// The tenant's name or id
        #[arg(long)]
        tenant: String,
        /// As `events consumers` shows it
        consumer: String,
    },
    /// Announcements of ended access that failed five times; the access ended all the same
    #[command(subcommand)]
    DeadLetters(DeadLetters),
}

/// `portcullis events dead-letters`
#[derive(Debug, Subcommand)]
pub enum DeadLetters {
    /// List those that wait, with what they said and why they failed
    List,
    /// Announce one or all of them once more, when what they failed of is mended
    Replay {
        /// As `events dead-letters list` shows it, such as 7:1764194521000-0
        #[arg(required_unless_present = "all")]
        id: Option<String>,
        /// Announce all that wait now
        #[arg(long, conflicts_with = "id")]
        all: bool,
    },
    /// Forget one that nothing is to be done about
    Forget {
        /// As `events dead-letters list` shows it
        id: String,
    },
}

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

/// `365d`, `12h`, `30m`, `45s`.
fn lifetime(text: &str) -> Result<Duration, String> {
    let wrong = || "give a number with d, h, m or s, such as 365d".to_owned();
    let unit = text.chars().next_back().ok_or_else(wrong)?;
    let seconds = match unit {
        'd' => 86_400,
        'h' => 3_600,
        'm' => 60,
        's' => 1,
        _ => return Err(wrong()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    match number.checked_mul(seconds) {
        Some(seconds) if seconds > 0 => Ok(Duration::from_secs(seconds)),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_tree_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn lifetimes_are_a_number_with_a_unit() {
        let check =
            |text: &str, expect: Option<u64>| assert_eq!(lifetime(text).ok().map(|d| d.as_secs()), expect, "{text}");
        check("365d", Some(31_536_000));
        check("12h", Some(43_200));
        check("90m", Some(5_400));
        check("5s", Some(5));
        for wrong in ["", "d", "365", "0d", "-1d", "1w", "1é", "18446744073709551615d"] {
            check(wrong, None);
        }
    }

    #[test]
    fn no_command_takes_the_options_of_dev() {
        let cli = Cli::try_parse_from(["portcullis", "--fresh", "--edge-port", "0", "--data-dir", "here"]).unwrap();
        assert!(cli.command.is_none() && cli.dev.fresh);
        assert_eq!((cli.dev.edge_port, cli.data_dir), (Some(0), PathBuf::from("here")));
        let cli = Cli::try_parse_from(["portcullis", "tenant", "list", "--json", "--data-dir", "there"]).unwrap();
        assert!(cli.json && cli.data_dir == *"there");
    }
}
