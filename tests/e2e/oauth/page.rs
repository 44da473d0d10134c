//! The consent page in a real browser: what a person sees, what the page may do, and what other sites may do with it.

use e2e::Chromium;
use identity_proto::credential;
use identity_proto::identity::v1::client::Kind;
use oauth2::url::Url;
use serde_json::json;

use super::Customer;
use super::application::Application;
use super::site::{Query, Site};
use crate::PLACE;

const KEY: &str = "input[type=password]";
const ALLOW: &str = "button[value=allow]";
const DENY: &str = "button[value=deny]";
const ALERT: &str = "[role=alert]";

/// An administrator's browser, and a client whose site is on this machine.
struct Visitor {
    customer: Customer,
    site: Site,
    app: Application,
    browser: Chromium,
}

impl Visitor {
    async fn new() -> Visitor {
        Visitor::of("Payroll").await
    }

    /// Of a client of this name.
    async fn of(name: &str) -> Visitor {
        let (customer, site) = (Customer::create().await, Site::start().await);
        site.show("/callback", "<p id=\"end\">Connected.</p>");
        let redirect = site.at("127.0.0.1", "/callback");
        let app = customer.register(Kind::Code, |request| {
            name.clone_into(&mut request.name);
            request.redirect_uris = vec![redirect.clone()];
        });
        Visitor {
            app: app.await.returning_to(&redirect),
            customer,
            site,
            browser: Chromium::start(PLACE).await,
        }
    }

    /// Where the client sends the browser.
    fn url(&self) -> String {
        let parameters = [
            ("response_type", "code"),
            ("client_id", &self.app.id),
            ("redirect_uri", &self.site.at("127.0.0.1", "/callback")),
            ("scope", "scim"),
            ("state", "s1"),
        ];
        let url = Url::parse_with_params(&format!("{}/oauth/authorize", self.app.edge), parameters);
        url.expect("a URL").into()
    }

    /// Types a key and clicks "Allow".
    async fn allow(&self, key: &str) {
        self.browser.type_into(KEY, key).await;
        self.browser.leave_by(ALLOW).await;
    }

    /// What the client was told, once, when the browser came to this page of it.
    async fn told(&self, host: &str, path: &str) -> Query {
        let url = self.browser.url().await;
        assert!(url.starts_with(&self.site.at(host, path)), "{url}");
        assert_eq!(self.browser.text("#end").await, "Connected.");
        let mut visits = self.site.visits(path);
        assert_eq!(visits.len(), 1, "{visits:?}");
        let told = visits.remove(0);
        assert_eq!(told.get("state").map(String::as_str), Some("s1"), "{told:?}");
        told
    }

    /// The status of the page that is shown.
    async fn status(&self) -> u64 {
        let script = "return performance.getEntriesByType('navigation')[0].responseStatus";
        self.browser.run(script).await.as_u64().expect("a status")
    }

    /// Whether the page is shown, or something of it.
    async fn is_shown(&self) -> bool {
        let script = "return document.querySelector('form, input, button') !== null";
        self.browser.run(script).await == json!(true)
    }
}

#[tokio::test]
async fn it_says_who_asks_for_what_and_fits_a_phone() {
    // As long as a name may be, with no place to break it.
    let visitor = Visitor::of(&format!("Payrol{}", "l".repeat(94))).await;
    let browser = &visitor.browser;
    browser.narrow(390).await;
    browser.open(&visitor.url()).await;
    let text = browser.text("main").await.to_lowercase();
    let host = visitor.site.at("127.0.0.1", "").replace("http://", "");
    for said in [
        "payroll",
        &visitor.customer.tenant.name,
        "read users and groups",
        "create, change, deactivate and delete users and groups",
        &host,
    ] {
        assert!(text.contains(said), "{said} in {text}");
    }
    let label = browser.label(KEY).await;
    assert!(label.contains("SCIM secret key"), "{label}");
    let buttons = "return [...document.querySelectorAll('button')].map(button => button.textContent)";
    assert_eq!(browser.run(buttons).await, json!(["Allow", "Deny"]));
    let widths = "return [innerWidth, document.documentElement.scrollWidth]";
    assert_eq!(browser.run(widths).await, json!([390, 390]));
    // The style that the policy lets through is the page's.
    let width = "return getComputedStyle(document.body).maxWidth";
    assert_eq!(browser.run(width).await, json!("544px"));
    assert_eq!(browser.console().await, [""; 0]);
    let focus = "return document.activeElement.type";
    assert_eq!(browser.run(focus).await, json!("password"), "where typing goes");
}

#[tokio::test]
async fn another_key_may_be_tried() {
    let (visitor, other) = (Visitor::new().await, Customer::create().await);
    let browser = &visitor.browser;
    browser.open(&visitor.url()).await;
    let unknown = credential::Kind::Token.write([7; 32]);
    for (what, key) in [
        ("mistyped", "pcs_nonsense"),
        ("unknown", unknown.as_str()),
        ("another tenant's", other.key()),
    ] {
        visitor.allow(key).await;
        assert!(visitor.is_shown().await, "{what}: {}", browser.text("main").await);
        let alert = browser.text(ALERT).await;
        assert!(!alert.is_empty(), "{what}");
        let field = format!("return document.querySelector('{KEY}').value");
        assert_eq!(browser.run(&field).await, json!(""), "{what}: {alert}");
        assert!(!browser.source().await.contains(key), "{what}: the key comes back");
    }
    visitor.allow(visitor.customer.key()).await;
    let told = visitor.told("127.0.0.1", "/callback").await;
    let tokens = visitor.app.exchange(&told["code"], None).await.expect("tokens");
    assert_eq!(visitor.customer.read(&tokens.access).await, 200);
}

#[tokio::test]
async fn who_denies_needs_no_key() {
    let visitor = Visitor::new().await;
    visitor.browser.open(&visitor.url()).await;
    visitor.browser.leave_by(DENY).await;
    let told = visitor.told("127.0.0.1", "/callback").await;
    assert_eq!(told["error"], "access_denied", "{told:?}");
    assert_eq!(told.get("code"), None, "{told:?}");
}

#[tokio::test]
async fn a_client_may_send_the_browser_on() {
    let visitor = Visitor::new().await;
    let elsewhere = Site::start().await;
    elsewhere.show("/welcome", "<p id=\"end\">Welcome.</p>");
    let welcome = elsewhere.at("localhost", "/welcome");
    visitor.site.send_on("/callback", &welcome);
    visitor.browser.open(&visitor.url()).await;
    visitor.allow(visitor.customer.key()).await;
    let url = visitor.browser.url().await;
    let console = visitor.browser.console().await;
    assert!(url.starts_with(&welcome), "{url}: {console:?}");
    assert_eq!(visitor.browser.text("#end").await, "Welcome.");
    let visits = elsewhere.visits("/welcome");
    assert!(visits.len() == 1 && visits[0].contains_key("code"), "{visits:?}");
}

#[tokio::test]
async fn a_name_is_text_whatever_it_holds() {
    let name = "</title><img src=x onerror=\"document.body.id='ran'\">";
    let visitor = Visitor::of(name).await;
    let browser = &visitor.browser;
    browser.open(&visitor.url()).await;
    assert_eq!(browser.text("h1").await, format!("Allow {name} access?"));
    assert!(browser.text("main p").await.starts_with(name));
    let made = "return [document.title, document.images.length, document.body.id]";
    assert_eq!(browser.run(made).await, json!([format!("Allow {name} access?"), 0, ""]));
    // What is no element is not refused either.
    assert_eq!(browser.console().await, [""; 0]);
}

#[tokio::test]
async fn another_site_cannot_frame_it() {
    let visitor = Visitor::new().await;
    let (browser, site) = (&visitor.browser, &visitor.site);
    site.show("/form", "<form><input></form>");
    let src = visitor.url().replace('&', "&amp;");
    site.show(
        "/frames",
        &format!("<iframe id=\"own\" src=\"/form\"></iframe><iframe id=\"page\" src=\"{src}\"></iframe>"),
    );
    for host in ["localhost", "127.0.0.1"] {
        for (frame, expect) in [("#own", true), ("#page", false)] {
            browser.open(&site.at(host, "/frames")).await;
            browser.enter(frame).await;
            assert_eq!(visitor.is_shown().await, expect, "{frame} at {host}");
        }
        let console = browser.console().await;
        let refused = console.iter().any(|line| line.contains("frame-ancestors"));
        assert!(refused, "{host}: {console:?}");
    }
}

#[tokio::test]
async fn a_form_of_another_site_is_refused() {
    let visitor = Visitor::new().await;
    let (browser, site) = (&visitor.browser, &visitor.site);
    browser.open(&visitor.url()).await;
    let proof = browser.run("return document.querySelector('[name=proof]').value").await;
    let proof = proof.as_str().expect("a proof");
    let asked = Url::parse(&visitor.url()).expect("a URL");
    let action = format!("{}/oauth/authorize", visitor.app.edge);
    let key = visitor.customer.key();
    // Even of one that got to know what this browser's form holds.
    for proof in ["", proof] {
        let added = [("proof", proof), ("key", key), ("decision", "allow")];
        let added = added.map(|(name, value)| (name.into(), value.into()));
        let fields: Vec<_> = asked
            .query_pairs()
            .chain(added)
            .map(|(name, value)| format!("<input type=\"hidden\" name=\"{name}\" value=\"{value}\">"))
            .collect();
        let fields = fields.concat();
        site.show(
            "/forged",
            &format!("<form method=\"post\" action=\"{action}\">{fields}<button>Win</button></form>"),
        );
        for host in ["localhost", "127.0.0.1"] {
            browser.open(&site.at(host, "/forged")).await;
            browser.leave_by("button").await;
            assert_eq!(visitor.status().await, 403, "{host}: {}", browser.url().await);
        }
    }
    let visits = site.visits("/callback");
    assert!(visits.is_empty(), "{visits:?}");

    // All that was wrong is where it came from.
    browser.open(&visitor.url()).await;
    visitor.allow(key).await;
    assert!(visitor.told("127.0.0.1", "/callback").await.contains_key("code"));
}
