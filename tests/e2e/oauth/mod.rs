//! OAuth as identity providers use it: a client that knows nothing of this project (the `oauth2` crate), stand-ins for Okta and
//! Entra ID, and the life of what they prove themselves with.

mod application;
mod assertion;
mod attacks;
mod browser;
mod code;
mod command_line;
mod credentials;
mod entra;
mod expiry;
mod issuer;
mod life;
mod metadata;
mod okta;
mod page;
mod signer;
mod site;

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use e2e::scim::{self, Answer, Scim};
use e2e::{System, Tenant};
use identity_proto::identity::v1::client::Kind;
use identity_proto::identity::v1::{AuditEntry, CreateClientRequest, CreateClientResponse, ListAuditEntriesRequest};
use oauth2::url::form_urlencoded;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;

use self::application::Application;
use self::issuer::Issuer;
use crate::PLACE;

/// Where codes are sent, unless a test says otherwise.
const REDIRECT: &str = "https://app.example.test/oauth/callback";
/// Within which every change of a credential is noticed everywhere.
const PROMISE: Duration = Duration::from_secs(1);
/// The grace for a refresh token that was used, in [`strict`].
const GRACE: Duration = Duration::from_secs(1);

/// A system that takes the keys of the issuer on this machine, and whose grace for refresh tokens is short. Of all tests here.
fn strict() -> &'static System {
    static STRICT: OnceLock<System> = OnceLock::new();
    STRICT.get_or_init(|| {
        let settings = vec![
            ("PORTCULLIS_JWKS_PRIVATE_HOSTS", Issuer::shared().host().to_owned()),
            ("PORTCULLIS_REFRESH_GRACE_SECONDS", GRACE.as_secs().to_string()),
        ];
        System::start_with(PLACE, settings)
    })
}

/// A customer: a tenant, and the edge at which its identity provider connects.
#[derive(Clone)]
struct Customer {
    tenant: Tenant,
    edge: String,
}

impl Customer {
    /// A new one of this system.
    async fn of(system: &System) -> Customer {
        Customer::new(Tenant::create(system).await)
    }

    /// A new one of the system that all tests share.
    async fn create() -> Customer {
        Customer::of(crate::system()).await
    }

    fn new(tenant: Tenant) -> Customer {
        let edge = tenant.scim.base().trim_end_matches("/scim/v2").to_owned();
        Customer { tenant, edge }
    }

    /// The tenant's static token: the SCIM secret key of its administrator.
    fn key(&self) -> &str {
        self.tenant.scim.token().expect("a tenant of tests has a token")
    }

    /// SCIM with another token.
    fn scim(&self, token: &str) -> Scim {
        self.tenant.scim.as_bearer(Some(token))
    }

    /// What a read answers with this token: 200 where it is good.
    async fn read(&self, token: &str) -> u16 {
        self.scim(token).get("/Users?startIndex=1&count=2").await.status
    }

    /// A client of this kind, with `change` made to the request for it.
    async fn register(&self, kind: Kind, change: impl FnOnce(&mut CreateClientRequest)) -> Application {
        let answer = self.try_register(kind, change).await.expect("a client");
        let secret = (!answer.secret.is_empty()).then_some(answer.secret);
        Application::new(&self.edge, &answer.client.expect("a client").id, secret.as_deref())
    }

    async fn try_register(
        &self,
        kind: Kind,
        change: impl FnOnce(&mut CreateClientRequest),
    ) -> Result<CreateClientResponse, tonic::Status> {
        let mut request = CreateClientRequest {
            tenant: self.tenant.name.clone(),
            name: "An application".to_owned(),
            kind: kind.into(),
            ..Default::default()
        };
        if matches!(kind, Kind::Code | Kind::PublicCode) {
            request.redirect_uris = vec![REDIRECT.to_owned()];
        }
        change(&mut request);
        Ok(self.tenant.grpc.clients().create_client(request).await?.into_inner())
    }

    /// The tenant's audit log, the newest entry first.
    async fn audit(&self) -> Vec<AuditEntry> {
        let request = ListAuditEntriesRequest {
            tenant: self.tenant.name.clone(),
            page_size: 1_000,
            ..Default::default()
        };
        let answer = self.tenant.grpc.audit().list_audit_entries(request).await;
        answer.expect("an audit log").into_inner().entries
    }
}

/// A form to an endpoint of the edge, as it is.
async fn post(edge: &str, path: &str, basic: Option<(&str, &str)>, form: &[(&str, &str)]) -> Answer {
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    post_text(edge, path, basic, body).await
}

async fn post_text(edge: &str, path: &str, basic: Option<(&str, &str)>, body: String) -> Answer {
    let request = reqwest::Client::new()
        .request(Method::POST, format!("{edge}{path}"))
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(body);
    let request = match basic {
        Some((id, secret)) => request.basic_auth(id, Some(secret)),
        None => request,
    };
    scim::send(request).await
}

/// An answer of RFC 6749 section 5.2: a client error with this code.
fn refused(answer: &Answer, code: &str) {
    assert!(matches!(answer.status, 400 | 401), "{answer:?}");
    assert_eq!(answer.json["error"], code, "{answer:?}");
    assert!(answer.json.get("access_token").is_none(), "{answer:?}");
}

/// Asks until it is so; how long after `since` that was. Not later than is promised.
async fn within_the_promise(what: &str, since: Instant, is_so: impl AsyncFn() -> bool) -> Duration {
    loop {
        // What is asked before the promise is over may be answered after it.
        let asked = since.elapsed();
        if is_so().await {
            println!("{what}: seen {:?} after the change", since.elapsed());
            return since.elapsed();
        }
        assert!(asked < PROMISE, "{what}: not so {asked:?} after the change");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn seconds(seconds: i64) -> prost_types::Duration {
    prost_types::Duration { seconds, nanos: 0 }
}
