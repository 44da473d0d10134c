//! The example of an application that logs people in: run as a process, with an OpenID provider of the tests' own, and with what
//! a browser does.

mod ends;
mod forged;
mod logins;
mod mapping;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use e2e::Tenant;
use e2e::openid::{CLIENT, OpenIdProvider};
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, Method, Url};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::system;

/// By which users are found where a test does not care.
fn by_user_name() -> Value {
    json!({"attribute": "userName", "claim": "preferred_username"})
}

/// The application, at work for the tenants "acme" and "globex".
struct Portal {
    process: Child,
    /// Open, since it tells more than is read here.
    _says: BufReader<ChildStdout>,
    tenants: PathBuf,
    url: String,
    acme: Tenant,
    globex: Tenant,
    provider: OpenIdProvider,
}

impl Portal {
    /// Users of both tenants are found by this.
    async fn start(user: Value) -> Self {
        Self::start_with(user, &system().description().session_grpc).await
    }

    /// With the session service at another address.
    async fn start_with(user: Value, session_grpc: &str) -> Self {
        let (acme, globex) = (Tenant::create(system()).await, Tenant::create(system()).await);
        let provider = OpenIdProvider::start(0).await;
        let of = |tenant: &Tenant, name: &str| {
            json!({
                "tenant_id": tenant.id, "issuer": provider.issuer(name), "client_id": CLIENT.0, "client_secret": CLIENT.1,
                "user": user,
            })
        };
        let text = json!({"acme": of(&acme, "acme"), "globex": of(&globex, "globex")}).to_string();
        let tenants = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tenants-{}.json", Uuid::new_v4()));
        std::fs::write(&tenants, text).expect("a file can be written");
        let description = system().description();
        let mut process = Command::new(env!("CARGO_BIN_EXE_oidc-login-under-test"))
            .env("IDENTITY_GRPC", &description.identity_grpc)
            .env("SESSION_GRPC", session_grpc)
            .env("SERVICE_KEY", &description.service_key)
            .env("TENANTS", &tenants)
            .env("LISTEN", "127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the application starts");
        let mut line = String::new();
        let mut says = BufReader::new(process.stdout.take().expect("it is piped"));
        says.read_line(&mut line).expect("a line");
        let url = line.trim().strip_prefix("oidc-login: ");
        let url = url.and_then(|url| url.strip_suffix("/acme/"));
        Portal {
            url: url.unwrap_or_else(|| panic!("it says {line:?}")).to_owned(),
            process,
            _says: says,
            tenants,
            acme,
            globex,
            provider,
        }
    }

    /// A page of acme.
    fn page(&self, name: &str) -> String {
        format!("{}/acme/{name}", self.url)
    }

    /// An active user of acme, whom the provider says to be coming; id and name.
    async fn user(&self) -> (String, String) {
        let name = format!("{}@example.test", Uuid::new_v4().simple());
        let id = self.acme.scim.create_user(&name).await;
        self.provider.says(json!({"sub": id, "preferred_username": name}));
        (id, name)
    }
}

impl Drop for Portal {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_file(&self.tenants);
    }
}

/// Sets `active`.
async fn set_active(tenant: &Tenant, id: &str, active: bool) {
    let operations = json!([{"op": "replace", "path": "active", "value": active}]);
    assert_eq!(
        tenant.scim.patch(&format!("/Users/{id}"), &operations).await.status,
        200
    );
}

/// Keeps cookies by their path, as browsers do, and follows redirects only when asked.
#[derive(Clone)]
struct Browser {
    http: Client,
    /// Value by path and name.
    cookies: BTreeMap<(String, String), String>,
    /// The `Set-Cookie` headers of the last answer.
    set: Vec<String>,
}

/// What a browser shows, or where it is to go.
#[derive(Debug)]
struct Shown {
    status: u16,
    text: String,
    location: Option<String>,
    retry_after: bool,
}

impl Browser {
    fn new() -> Self {
        let http = Client::builder().redirect(reqwest::redirect::Policy::none()).build();
        Browser {
            http: http.expect("a client"),
            cookies: BTreeMap::new(),
            set: Vec::new(),
        }
    }

    /// One request.
    async fn step(&mut self, method: Method, url: &str) -> Shown {
        let target = Url::parse(url).expect("a URL");
        let sent = self
            .cookies
            .iter()
            .filter(|((path, _), _)| target.path().starts_with(path));
        let sent: Vec<_> = sent.map(|((_, name), value)| format!("{name}={value}")).collect();
        let request = self
            .http
            .request(method, target.clone())
            .header(COOKIE, sent.join("; "));
        let answer = request.send().await.expect("an answer");
        let set = answer.headers().get_all(SET_COOKIE).iter();
        self.set = set.map(|value| value.to_str().expect("text").to_owned()).collect();
        for cookie in &self.set {
            let (pair, attributes) = cookie.split_once("; ").expect("attributes");
            let (name, value) = pair.split_once('=').expect("a pair");
            let mut parts = attributes.split("; ");
            let path = parts.find_map(|part| part.strip_prefix("Path=")).expect("a path");
            let key = (path.to_owned(), name.to_owned());
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(&key);
            } else {
                self.cookies.insert(key, value.to_owned());
            }
        }
        let location = answer.headers().get(LOCATION).map(|to| to.to_str().expect("text"));
        Shown {
            status: answer.status().as_u16(),
            location: location.map(|to| target.join(to).expect("a URL").into()),
            retry_after: answer.headers().contains_key("retry-after"),
            text: answer.text().await.expect("a page"),
        }
    }

    /// Follows redirects to the page at their end.
    async fn open(&mut self, url: &str) -> Shown {
        let mut shown = self.step(Method::GET, url).await;
        for _ in 0..5 {
            let Some(next) = shown.location.take() else { break };
            shown = self.step(Method::GET, &next).await;
        }
        shown
    }

    /// Begins a login and lets the provider answer: the URL of the callback that it sends the browser to.
    async fn come_back(&mut self, portal: &Portal) -> Url {
        let to_provider = self.step(Method::GET, &portal.page("login")).await;
        let back = self.step(Method::GET, &to_provider.location.expect("a redirect")).await;
        Url::parse(&back.location.expect("a redirect")).expect("a URL")
    }

    /// The value of a cookie of acme.
    fn cookie(&self, path: &str, name: &str) -> Option<&String> {
        self.cookies.get(&(path.to_owned(), name.to_owned()))
    }

    fn session(&self) -> Option<&String> {
        self.cookie("/acme/", "session")
    }

    /// That this page refuses, and that nobody is logged in here.
    async fn is_refused(&mut self, portal: &Portal, shown: Shown, status: u16, says: &str) {
        assert_eq!(shown.status, status, "{shown:?}");
        assert!(shown.text.contains(says), "{shown:?} does not say {says:?}");
        assert_eq!(self.session(), None, "{says}");
        assert_eq!(self.open(&portal.page("")).await.status, 401);
    }
}

/// The same URL with a parameter of another value, or without it.
fn with(url: &Url, name: &str, value: Option<&str>) -> String {
    let mut changed = url.clone();
    let kept = url.query_pairs().filter(|(key, _)| key != name);
    let kept: Vec<_> = kept
        .map(|(key, value)| (key.into_owned(), value.into_owned()))
        .collect();
    let mut pairs = changed.query_pairs_mut();
    pairs
        .clear()
        .extend_pairs(kept)
        .extend_pairs(value.map(|value| (name, value)));
    drop(pairs);
    changed.into()
}
