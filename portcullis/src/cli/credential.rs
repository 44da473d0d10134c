//! `portcullis token`, `client` and `audit`: what identity providers prove themselves with, and what was done to it.

use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};
use uuid::Uuid;

use super::duration::{lifetime, overlap};

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
    /// Create a token in the place of another, which still works during the overlap; it is shown this once
    Rotate {
        /// The id of the token that is replaced
        id: String,
        /// How long the one before still works: a number with d, h, m or s; 0s ends it at once
        #[arg(long, value_parser = overlap, default_value = "7d")]
        overlap: Duration,
        /// How long the new one lives
        #[arg(long, value_parser = lifetime, default_value = "365d")]
        expires: Duration,
    },
    /// Revoke a token everywhere within a second
    Revoke {
        /// The token's id
        id: String,
    },
}

const AFTER_CREATE: &str = "Which client an identity provider needs:

  Okta, authentication mode OAuth 2:          client create --tenant acme --okta APPNAME \"Okta\"
  Entra ID, client credentials:               client create --tenant acme \"Entra ID\"
  Entra ID, workload identity federation:     client create --tenant acme --entra-tenant TENANT-ID \\
                                                  --subject OBJECT-ID --audience api://APP-ID \"Entra ID\"
  anyone who asks an administrator to agree:  client create --tenant acme --redirect-uri https://… NAME
  anyone who signs assertions:                client create --tenant acme --jwks-url https://… --audience … NAME

The answer says what to enter where.";

/// `portcullis client`
#[derive(Debug, Subcommand)]
pub enum Client {
    /// Create a client for an identity provider that connects by OAuth; its secret, if it has one, is shown this once
    #[command(after_help = AFTER_CREATE)]
    Create(Box<NewClient>),
    /// List a tenant's clients, the newest first, with their secrets: until when, last used when and from where
    List {
        /// The tenant's name or id
        #[arg(long)]
        tenant: String,
    },
    /// Create another secret of a client; those before it still work during the overlap. It is shown this once
    Rotate {
        /// The client's id
        id: String,
        /// How long secrets of before still work: a number with d, h, m or s; 0s ends them at once
        #[arg(long, value_parser = overlap, default_value = "7d")]
        overlap: Duration,
        /// How long the new secret lives
        #[arg(long, value_parser = lifetime, default_value = "365d")]
        secret_lifetime: Duration,
    },
    /// Revoke a client with all its secrets and tokens, or one of its secrets, everywhere within a second
    Revoke {
        /// The client's id
        id: String,
        /// Only this secret, as `client list` shows its id; tokens that it got stay good until they expire
        #[arg(long, value_name = "SECRET-ID")]
        secret: Option<String>,
    },
}

/// A client to be: by consent, by signed assertion, or by a secret alone. What conflicts is said beside what is required, as
/// clap asks for nothing that conflicts with what is there.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("shape").args(["okta", "redirect_uri", "entra_tenant", "jwks_url"]))]
#[command(group = ArgGroup::new("consent").args(["okta", "redirect_uri"]))]
#[command(group = ArgGroup::new("assertion").args(["entra_tenant", "jwks_url"]))]
pub struct NewClient {
    /// The tenant's name or id
    #[arg(long)]
    pub tenant: String,
    /// For people; the consent page shows it
    pub name: String,
    /// By consent, for Okta: what stands between /app/ and /instance/ in the address of the app's page in Okta's admin console
    #[arg(long, value_name = "APPNAME", value_parser = okta_app)]
    pub okta: Option<String>,
    /// By consent: where a code may be sent, compared character by character; may be repeated
    #[arg(long, value_name = "URI")]
    pub redirect_uri: Vec<String>,
    /// A client that cannot keep a secret: it has none, and must use PKCE
    #[arg(long, requires = "redirect_uri", conflicts_with_all = ["okta", "assertion"])]
    pub public: bool,
    /// By signed assertion, for Entra ID: the customer's tenant id, which gives issuer and keys
    #[arg(long, value_name = "TENANT-ID", requires_all = ["subject", "audience"])]
    pub entra_tenant: Option<Uuid>,
    /// By signed assertion: where the public keys of its issuer are, by https at a public address
    #[arg(long, value_name = "URL", requires = "audience")]
    pub jwks_url: Option<String>,
    /// The assertion's `iss`; without it the client's own id
    #[arg(long, requires = "jwks_url", conflicts_with_all = ["consent", "entra_tenant"])]
    pub issuer: Option<String>,
    /// The assertion's `sub`; of Entra ID the object id of its provisioning service, without it the client's own id
    #[arg(long, requires = "assertion", conflicts_with = "consent")]
    pub subject: Option<String>,
    /// One of the assertion's `aud`; of Entra ID such as api://APP-ID
    #[arg(long, requires = "assertion", conflicts_with = "consent")]
    pub audience: Option<String>,
    /// The most that it may get, separated by commas
    #[arg(long, value_delimiter = ',', default_value = "scim.read,scim.write")]
    pub scope: Vec<String>,
    /// How long its access tokens live, from 1h to 6h
    #[arg(long, value_parser = lifetime, default_value = "1h")]
    pub token_lifetime: Duration,
    /// How long its secret lives
    #[arg(long, value_parser = lifetime, default_value = "365d", conflicts_with_all = ["public", "assertion"])]
    pub secret_lifetime: Duration,
}

/// `portcullis audit`
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// List what was done to a tenant's tokens and clients, and by whom, the newest first
    List {
        /// The tenant's name or id
        #[arg(long)]
        tenant: String,
        /// How many entries at most
        #[arg(long, value_name = "NUMBER", default_value_t = 100)]
        count: usize,
    },
}

/// The name becomes part of a URL, character by character.
fn okta_app(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if text.is_empty() || !text.chars().all(plain) {
        return Err("give the app's name of letters, digits, _ and -, such as acmeorg123_portcullis_1".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::Cli;

    const ID: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";

    fn check(arguments: &str, is_right: bool) {
        let all = ["portcullis", "client", "create", "--tenant", "acme"];
        let read = Cli::try_parse_from(all.into_iter().chain(arguments.split(' ')));
        assert_eq!(read.is_ok(), is_right, "{arguments}: {:?}", read.err());
    }

    #[test]
    fn a_client_has_one_shape() {
        check("Entra --secret-lifetime 90d", true);
        check("Okta --okta acme_1", true);
        check(
            "App --redirect-uri https://a.test/cb --redirect-uri https://b.test/cb --public",
            true,
        );
        check(
            &format!("Entra --entra-tenant {ID} --subject s --audience api://a"),
            true,
        );
        check(
            "Other --issuer i --jwks-url https://k.test --subject s --audience a",
            true,
        );
        check("Okta --okta acme_1 --redirect-uri https://a.test/cb", false);
        check("Okta --okta acme_1 --public", false);
        check("Okta --okta a/../b", false);
        check("Entra --public", false);
        check("Okta --okta acme_1 --subject s", false);
        check("App --redirect-uri https://a.test/cb --audience a", false);
        check("Entra --entra-tenant contoso --subject s --audience a", false);
        check(&format!("Entra --entra-tenant {ID} --subject s"), false);
        check(
            &format!("Entra --entra-tenant {ID} --subject s --audience a --jwks-url https://k.test"),
            false,
        );
        check("Other --jwks-url https://k.test --audience a", true);
        check("Other --jwks-url https://k.test", false);
        check("Other --issuer i --subject s --audience a", false);
        check("Other --subject s --audience a", false);
        check(
            "App --redirect-uri https://a.test/cb --public --secret-lifetime 90d",
            false,
        );
        check(
            "Other --issuer i --jwks-url u --subject s --audience a --secret-lifetime 90d",
            false,
        );
    }
}
