//! A client as it is listed.

use identity_proto::identity::v1::client::Kind;
use identity_proto::identity::v1::{Assertion, Client, ClientSecret};
use serde::Serialize;

use super::super::{or_never, rfc3339};

#[derive(Serialize)]
pub(super) struct Shown {
    pub id: String,
    pub name: String,
    pub kind: &'static str,
    pub scopes: Vec<String>,
    pub redirect_uris: Vec<String>,
    pub assertion: Option<Signer>,
    pub token_lifetime_ms: Option<i64>,
    pub created_at: Option<String>,
    pub revoked_at: Option<String>,
    /// The newest first.
    pub secrets: Vec<Secret>,
}

/// Whose assertions a client is believed by.
#[derive(Serialize)]
pub(super) struct Signer {
    issuer: String,
    jwks_url: String,
    subject: String,
    audience: String,
}

/// All of a secret but itself.
#[derive(Default, Serialize)]
pub(super) struct Secret {
    pub id: String,
    pub hint: String,
    pub created_at: Option<String>,
    pub expires_at: Option<String>,
    pub last_used_at: Option<String>,
    pub last_used_address: Option<String>,
    pub revoked_at: Option<String>,
}

/// The name of a kind in JSON.
pub(super) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Code => "code",
        Kind::PublicCode => "public_code",
        Kind::Secret => "secret",
        Kind::Assertion => "assertion",
        Kind::Unspecified => "unknown",
    }
}

impl Shown {
    /// A line, and one for each secret.
    pub fn to_text(&self) -> String {
        let Shown { id, name, kind, .. } = self;
        let life = match &self.revoked_at {
            Some(time) => format!("revoked {time}"),
            None => format!("created {}", or_never(self.created_at.as_ref())),
        };
        let mut text = format!("{id}  {name}  {kind}  {}  {life}", self.scopes.join(","));
        if let Some(signer) = &self.assertion {
            let Signer { issuer, subject, .. } = signer;
            text = format!("{text}  of {subject} by {issuer}");
        }
        for secret in &self.secrets {
            text = format!("{text}\n    secret {}", secret.to_text());
        }
        text
    }
}

impl Secret {
    /// Whether it is good for anything after this time. Times are RFC 3339 of one length, which sort as they follow.
    pub fn works_after(&self, time: Option<&String>) -> bool {
        self.revoked_at.is_none() && self.expires_at.as_ref() > time
    }

    fn to_text(&self) -> String {
        let life = match &self.revoked_at {
            Some(time) => format!("revoked {time}"),
            None => format!("expires {}", or_never(self.expires_at.as_ref())),
        };
        let used = or_never(self.last_used_at.as_ref());
        let from = self.last_used_address.as_ref();
        let from = from.map_or(String::new(), |address| format!(" from {address}"));
        format!("{}  …{}  {life}  last used {used}{from}", self.id, self.hint)
    }
}

impl From<Client> for Shown {
    fn from(client: Client) -> Self {
        Shown {
            kind: kind(client.kind()),
            id: client.id,
            name: client.name,
            scopes: client.scopes,
            redirect_uris: client.redirect_uris,
            assertion: client.assertion.map(Signer::from),
            token_lifetime_ms: client.token_lifetime.map(|lifetime| lifetime.seconds * 1_000),
            created_at: rfc3339(client.create_time),
            revoked_at: rfc3339(client.revoke_time),
            secrets: client.secrets.into_iter().map(Secret::from).collect(),
        }
    }
}

impl From<Assertion> for Signer {
    fn from(assertion: Assertion) -> Self {
        Signer {
            issuer: assertion.issuer,
            jwks_url: assertion.jwks_url,
            subject: assertion.subject,
            audience: assertion.audience,
        }
    }
}

impl From<ClientSecret> for Secret {
    fn from(secret: ClientSecret) -> Self {
        Secret {
            id: secret.id,
            hint: secret.hint,
            created_at: rfc3339(secret.create_time),
            expires_at: rfc3339(secret.expire_time),
            last_used_at: rfc3339(secret.last_used_time),
            last_used_address: Some(secret.last_used_address).filter(|address| !address.is_empty()),
            revoked_at: rfc3339(secret.revoke_time),
        }
    }
}
