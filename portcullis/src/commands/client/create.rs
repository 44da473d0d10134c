//! Makes a client, and says what to enter in the identity provider.

use identity_proto::identity::v1::client::Kind;
use identity_proto::identity::v1::{Assertion, CreateClientRequest};
use serde::Serialize;

use super::super::{or_never, proto_duration};
use super::guide::{Guide, Provider};
use super::shown::{self, Shown};
use crate::cli::NewClient;
use crate::connect::System;
use crate::failure::Failure;
use crate::output::Output;

/// Where Okta has a browser come back to; `{}` is the app's name.
const OKTA_REDIRECTS: [&str; 5] = [
    "https://system-admin.okta.com/admin/app/cpc/{}/oauth/callback",
    "https://system-admin.okta-emea.com/admin/app/cpc/{}/oauth/callback",
    "https://system-admin.oktapreview.com/admin/app/cpc/{}/oauth/callback",
    "https://system-admin.trexcloud.com/admin/app/cpc/{}/oauth/callback",
    "http://system-admin.okta1.com:1802/admin/app/cpc/{}/oauth/callback",
];

/// Entra's page shows the audience as a scope, which has this behind it; its assertions name the audience without.
const ENTRA_SCOPE: &str = "/.default";

/// What creating one answers: the only time that the secret is seen.
#[derive(Serialize)]
struct Created {
    id: String,
    name: String,
    kind: &'static str,
    secret: Option<String>,
    /// Of the secret.
    expires_at: Option<String>,
    scopes: Vec<String>,
    redirect_uris: Vec<String>,
    scim_path: &'static str,
    authorize_path: Option<&'static str>,
    token_path: &'static str,
    /// What comes before the paths, where it is known.
    edge_url: Option<String>,
}

pub(super) async fn run(new: NewClient, system: &System, output: Output) -> Result<(), Failure> {
    let (tenant, kind, provider) = (new.tenant.clone(), kind(&new), provider(&new));
    let answer = system.clients().create_client(request(new, kind)?).await?.into_inner();
    let client = Shown::from(answer.client.unwrap_or_default());
    let guide = Guide {
        provider,
        kind,
        tenant: &tenant,
        client: &client.id,
        edge: system.edge_url(),
    };
    let next = guide.to_text();
    let created = Created {
        kind: shown::kind(kind),
        secret: Some(answer.secret).filter(|secret| !secret.is_empty()),
        expires_at: client.secrets.into_iter().next().and_then(|secret| secret.expires_at),
        scim_path: Guide::SCIM,
        authorize_path: guide.asks_for_consent().then_some(Guide::AUTHORIZE),
        token_path: Guide::TOKEN,
        edge_url: system.edge_url().map(str::to_owned),
        id: client.id,
        name: client.name,
        scopes: client.scopes,
        redirect_uris: client.redirect_uris,
    };
    output.answer(&created, &created.to_text())?;
    if created.secret.is_some() {
        let expires = or_never(created.expires_at.as_ref());
        output.next(&format!("the secret expires {expires}; it is not shown again"));
    }
    output.next(&next);
    Ok(())
}

impl Created {
    fn to_text(&self) -> String {
        match &self.secret {
            Some(secret) => format!("{}\n{secret}", self.id),
            None => self.id.clone(),
        }
    }
}

fn kind(new: &NewClient) -> Kind {
    match new {
        new if new.public => Kind::PublicCode,
        new if new.okta.is_some() || !new.redirect_uri.is_empty() => Kind::Code,
        new if new.entra_tenant.is_some() || new.jwks_url.is_some() => Kind::Assertion,
        _ => Kind::Secret,
    }
}

/// A secret alone is what Entra ID asks for.
fn provider(new: &NewClient) -> Provider {
    match new {
        new if new.okta.is_some() => Provider::Okta,
        new if !new.redirect_uri.is_empty() || new.jwks_url.is_some() => Provider::Other,
        _ => Provider::Entra,
    }
}

fn request(new: NewClient, kind: Kind) -> Result<CreateClientRequest, Failure> {
    let has_secret = matches!(kind, Kind::Code | Kind::Secret);
    let secret_lifetime = has_secret.then(|| proto_duration("--secret-lifetime", new.secret_lifetime));
    Ok(CreateClientRequest {
        kind: kind.into(),
        redirect_uris: redirect_uris(new.okta.as_deref(), new.redirect_uri),
        assertion: assertion((new.entra_tenant, new.issuer, new.jwks_url), new.subject, new.audience),
        token_lifetime: Some(proto_duration("--token-lifetime", new.token_lifetime)?),
        secret_lifetime: secret_lifetime.transpose()?,
        tenant: new.tenant,
        name: new.name,
        scopes: new.scope,
    })
}

fn redirect_uris(okta: Option<&str>, given: Vec<String>) -> Vec<String> {
    match okta {
        Some(app) => OKTA_REDIRECTS.map(|uri| uri.replace("{}", app)).to_vec(),
        None => given,
    }
}

fn assertion(
    signer: (Option<uuid::Uuid>, Option<String>, Option<String>),
    subject: Option<String>,
    audience: Option<String>,
) -> Option<Assertion> {
    let (issuer, jwks_url) = match signer {
        (Some(tenant), ..) => (
            format!("https://login.microsoftonline.com/{tenant}/v2.0"),
            format!("https://login.microsoftonline.com/{tenant}/discovery/v2.0/keys"),
        ),
        (None, issuer, jwks_url) => (issuer.unwrap_or_default(), jwks_url?),
    };
    let audience = audience?;
    Some(Assertion {
        issuer,
        jwks_url,
        subject: subject.unwrap_or_default(),
        audience: audience.strip_suffix(ENTRA_SCOPE).unwrap_or(&audience).to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Admin, Cli, Client, Command};

    fn read(arguments: &str) -> (Kind, Provider, CreateClientRequest) {
        let all = ["portcullis", "client", "create", "--tenant", "acme"];
        let cli = Cli::try_parse_from(all.into_iter().chain(arguments.split(' '))).unwrap();
        let Some(Command::Admin(Admin::Client(Client::Create(new)))) = cli.command else {
            panic!("{arguments}: another command");
        };
        let (kind, provider) = (kind(&new), provider(&new));
        (kind, provider, request(*new, kind).unwrap())
    }

    #[test]
    fn okta_comes_back_to_one_of_five_addresses() {
        let (kind, provider, request) = read("Okta --okta acme_app_1");
        assert_eq!((kind, provider), (Kind::Code, Provider::Okta));
        assert_eq!(
            request.redirect_uris,
            [
                "https://system-admin.okta.com/admin/app/cpc/acme_app_1/oauth/callback",
                "https://system-admin.okta-emea.com/admin/app/cpc/acme_app_1/oauth/callback",
                "https://system-admin.oktapreview.com/admin/app/cpc/acme_app_1/oauth/callback",
                "https://system-admin.trexcloud.com/admin/app/cpc/acme_app_1/oauth/callback",
                "http://system-admin.okta1.com:1802/admin/app/cpc/acme_app_1/oauth/callback",
            ]
        );
        assert!(request.secret_lifetime.is_some() && request.assertion.is_none());
    }

    #[test]
    fn entra_signs_with_the_keys_of_the_customers_tenant() {
        let tenant = "72f988bf-86f1-41af-91ab-2d7cd011db47";
        let (kind, provider, request) = read(&format!(
            "E --entra-tenant {tenant} --subject s --audience api://a/.default"
        ));
        assert_eq!((kind, provider), (Kind::Assertion, Provider::Entra));
        let expect = Assertion {
            issuer: format!("https://login.microsoftonline.com/{tenant}/v2.0"),
            jwks_url: format!("https://login.microsoftonline.com/{tenant}/discovery/v2.0/keys"),
            subject: "s".to_owned(),
            audience: "api://a".to_owned(),
        };
        assert_eq!((request.assertion, request.secret_lifetime), (Some(expect), None));
    }

    #[test]
    fn what_is_given_makes_the_kind() {
        let check = |arguments: &str, expect: (Kind, Provider)| {
            let (kind, provider, _) = read(arguments);
            assert_eq!((kind, provider), expect, "{arguments}");
        };
        check("Entra", (Kind::Secret, Provider::Entra));
        check("App --redirect-uri https://a.test/cb", (Kind::Code, Provider::Other));
        check(
            "App --public --redirect-uri https://a.test/cb",
            (Kind::PublicCode, Provider::Other),
        );
        let signed = "Other --issuer i --jwks-url https://k.test --subject s --audience a";
        check(signed, (Kind::Assertion, Provider::Other));
    }
}
