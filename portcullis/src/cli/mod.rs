//! The tree of commands. Names, flags and what they mean are what people and scripts rely on: extended, not changed.

mod access;
mod credential;
mod duration;
mod event;
mod identity;
mod tenant;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub use self::access::{Access, AccessOf, Login, Session};
pub use self::credential::{Audit, Client, NewClient, Token};
pub use self::event::{DeadLetters, Events};
pub use self::identity::{Group, GroupOfTenant, User, UserOfTenant};
pub use self::tenant::{Passwords, Profile, Tenant, TenantName, TenantProfile};
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
    /// OAuth clients: identity providers that get their tokens at the token endpoint
    #[command(subcommand)]
    Client(Client),
    /// What was done to tokens and clients, and by whom
    #[command(subcommand)]
    Audit(Audit),
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_tree_is_consistent() {
        Cli::command().debug_assert();
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
