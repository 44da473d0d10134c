//! A stand-in of Okta's provisioning client: the administrator presses Authenticate, a window opens on the consent page, its end
//! brings a code, and from then on SCIM is called with access tokens that are refreshed when they end.

use std::fs;
use std::path::Path;

use e2e::replay::replay;
use e2e::scim::{Answer, Scim};
use oauth2::url::Url;
use serde_json::Value;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::browser;
use super::{Customer, post, refused};
use crate::system;

/// What a test of the credentials and an app with users and groups send.
const TRACES: [&str; 5] = [
    "okta-test-credentials",
    "okta-create-and-conflict",
    "okta-put-update-and-deactivate",
    "okta-patch-deactivate",
    "okta-group-push-patch",
];

/// Where Okta puts the client's secret, of which its documents say nothing.
#[derive(Clone, Copy, Debug)]
enum Placement {
    Basic,
    Body,
}

/// What an administrator enters, and what Okta keeps.
struct Okta {
    scim: Scim,
    authorize: String,
    token: String,
    client: (String, String),
    redirect: String,
    placement: Placement,
    tokens: Option<(String, String)>,
}

impl Okta {
    /// The connection of a customer, by what `client create --okta` answers.
    async fn enter(customer: &Customer, placement: Placement) -> Okta {
        let app = format!("acme{}_1", Uuid::new_v4().simple());
        let tenant = &customer.tenant.name;
        let made = system()
            .cli(&["client", "create", "--tenant", tenant, "--okta", &app, "Okta"])
            .await
            .done();
        let text = |name: &str| {
            made[name]
                .as_str()
                .unwrap_or_else(|| panic!("no {name}: {made}"))
                .to_owned()
        };
        let url = |path: &str| format!("{}{}", text("edge_url"), text(path));
        let redirect = format!("https://system-admin.oktapreview.com/admin/app/cpc/{app}/oauth/callback");
        Okta {
            scim: Scim::new(&url("scim_path"), None),
            authorize: url("authorize_path"),
            token: url("token_path"),
            client: (text("id"), text("secret")),
            redirect,
            placement,
            tokens: None,
        }
    }

    /// The button "Authenticate": no scope, and no challenge.
    async fn authenticate(&mut self, key: &str) {
        let state = Uuid::new_v4().to_string();
        let parameters = [
            ("response_type", "code"),
            ("client_id", self.client.0.as_str()),
            ("redirect_uri", self.redirect.as_str()),
            ("state", state.as_str()),
        ];
        let url = Url::parse_with_params(&self.authorize, parameters).expect("a URL");
        let callback = browser::visit(url.as_str()).await.allow(key).await.callback();
        assert_eq!(
            (callback.uri.as_str(), callback.parameter("state")),
            (self.redirect.as_str(), Some(state.as_str()))
        );
        let form = [
            ("grant_type", "authorization_code"),
            ("code", callback.code()),
            ("redirect_uri", &self.redirect),
        ];
        let answer = self.ask(&form).await;
        self.keep(&answer);
    }

    async fn refresh(&mut self) {
        let refresh = self.tokens.as_ref().expect("tokens").1.clone();
        let answer = self
            .ask(&[("grant_type", "refresh_token"), ("refresh_token", &refresh)])
            .await;
        self.keep(&answer);
    }

    async fn ask(&self, form: &[(&str, &str)]) -> Answer {
        let (id, secret) = (self.client.0.as_str(), self.client.1.as_str());
        match self.placement {
            Placement::Basic => post(&self.token, "", Some((id, secret)), form).await,
            Placement::Body => {
                let form = [form, &[("client_id", id), ("client_secret", secret)]].concat();
                post(&self.token, "", None, &form).await
            }
        }
    }

    fn keep(&mut self, answer: &Answer) {
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json["token_type"], "Bearer");
        assert!(answer.json["expires_in"].is_u64(), "{answer:?}");
        let text = |name: &str| {
            answer.json[name]
                .as_str()
                .unwrap_or_else(|| panic!("{answer:?}"))
                .to_owned()
        };
        self.tokens = Some((text("access_token"), text("refresh_token")));
    }

    fn bearer(&self) -> Scim {
        let (access, _) = self.tokens.as_ref().expect("tokens");
        self.scim.as_bearer(Some(access))
    }

    /// A read, with another access token if the one that it has is no longer good.
    async fn read(&mut self, path: &str) -> Answer {
        let answer = self.bearer().get(path).await;
        if answer.status != 401 {
            return answer;
        }
        assert!(answer.header("www-authenticate").starts_with("Bearer"), "{answer:?}");
        self.refresh().await;
        self.bearer().get(path).await
    }
}

/// The customer's access tokens end now, as they do after an hour.
async fn access_tokens_end(customer: &Customer) {
    let mut database = PgConnection::connect(&system().description().postgres_url)
        .await
        .expect("PostgreSQL");
    let end =
        "UPDATE credential SET expires_at = clock_timestamp() WHERE client_id IS NOT NULL AND tenant_id = $1::uuid";
    let ended = sqlx::query(end).bind(&customer.tenant.id).execute(&mut database).await;
    assert!(ended.expect("an end").rows_affected() > 0);
    tokio::time::sleep(super::PROMISE).await;
}

#[tokio::test]
async fn okta_connects_provisions_and_refreshes() {
    for placement in [Placement::Basic, Placement::Body] {
        let customer = Customer::create().await;
        let mut okta = Okta::enter(&customer, placement).await;
        okta.authenticate(customer.key()).await;
        for name in TRACES {
            let path = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("traces")
                .join(format!("{name}.json"));
            let trace: Value = serde_json::from_str(&fs::read_to_string(path).expect("a trace")).expect("JSON");
            let problems = replay(&okta.bearer(), &trace).await;
            assert!(problems.is_empty(), "{placement:?} {name}: {problems:#?}");
        }
        for _ in 0..2 {
            access_tokens_end(&customer).await;
            let before = okta.tokens.clone();
            let answer = okta.read("/Users?startIndex=1&count=100").await;
            assert_eq!(answer.status, 200, "{placement:?}: {answer:?}");
            assert_ne!(okta.tokens, before, "{placement:?}");
        }
    }
}

#[tokio::test]
async fn okta_comes_back_to_its_own_addresses_alone() {
    let customer = Customer::create().await;
    let mut okta = Okta::enter(&customer, Placement::Basic).await;
    let own = okta.redirect.clone();
    for host in [
        "https://system-admin.okta.com",
        "https://system-admin.okta-emea.com",
        "https://system-admin.trexcloud.com",
        "http://system-admin.okta1.com:1802",
    ] {
        okta.redirect = own.replace("https://system-admin.oktapreview.com", host);
        okta.authenticate(customer.key()).await;
        assert_eq!(okta.read("/Users?startIndex=1&count=2").await.status, 200, "{host}");
    }
    let other = own.replace("/cpc/acme", "/cpc/other");
    let url = Url::parse_with_params(
        &okta.authorize,
        [
            ("response_type", "code"),
            ("client_id", &okta.client.0),
            ("redirect_uri", &other),
        ],
    );
    browser::visit(url.expect("a URL").as_str()).await.is_refusal(400);

    // A secret that was mistyped.
    okta.client.1 = "mistyped".to_owned();
    refused(
        &okta
            .ask(&[("grant_type", "refresh_token"), ("refresh_token", "pcr_x")])
            .await,
        "invalid_client",
    );
}
