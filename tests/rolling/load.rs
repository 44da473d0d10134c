//! Constant load as all kinds of callers make it, and what must be true when it is over.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use e2e::Tenant;
use e2e::scim::{Answer, try_send, user};
use identity_proto::session::v1::ValidateSessionRequest;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use uuid::Uuid;

/// How many do each of the two things at a time.
const WORKERS: usize = 2;
/// What a worker waits after each round: the load is to be constant, not the most that there can be.
const PAUSE: Duration = Duration::from_millis(20);

/// Load that runs until it is stopped.
pub(super) struct Load {
    shared: Arc<Shared>,
    workers: JoinSet<()>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    done: Mutex<Done>,
}

/// What was done.
#[derive(Clone, Default)]
pub(super) struct Done {
    requests: BTreeMap<&'static str, usize>,
    pub(super) failures: Vec<String>,
    /// Users by id: the title and the state that were answered last.
    users: BTreeMap<String, (String, bool)>,
    /// Sessions of users whose access ended.
    ended: Vec<String>,
    /// Sessions of users whose access did not.
    alive: Vec<String>,
}

impl Load {
    /// Provisions users of the tenant, and logs them in and out.
    pub(super) fn start(tenant: &Tenant) -> Self {
        let shared = Arc::new(Shared::default());
        let mut workers = JoinSet::new();
        for _ in 0..WORKERS {
            workers.spawn(repeat(tenant.clone(), Arc::clone(&shared), provision));
            workers.spawn(repeat(tenant.clone(), Arc::clone(&shared), log_in));
        }
        Load { shared, workers }
    }

    /// How many requests were answered by now.
    pub(super) fn requests(&self) -> usize {
        self.shared.done().requests.values().sum()
    }

    /// Ends it after the requests that are open.
    pub(super) async fn stop(self) -> Done {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.workers.join_all().await;
        self.shared.done().clone()
    }
}

async fn repeat<F: Future<Output = Option<()>>>(
    tenant: Tenant,
    shared: Arc<Shared>,
    round: impl Fn(Tenant, Arc<Shared>) -> F,
) {
    while !shared.stop.load(Ordering::Relaxed) {
        // A failure is counted where it happens, and ends the round.
        let _ = round(tenant.clone(), Arc::clone(&shared)).await;
        tokio::time::sleep(PAUSE).await;
    }
}

/// An identity provider makes a user, reads it, changes it.
async fn provision(tenant: Tenant, shared: Arc<Shared>) -> Option<()> {
    let (id, title) = (create(&tenant, &shared).await?, Uuid::new_v4().to_string());
    let path = format!("/Users/{id}");
    shared
        .scim("get", 200, &tenant, Method::GET, &path, Value::Null)
        .await?;
    let body = patch("title", &json!(title));
    shared.scim("patch", 200, &tenant, Method::PATCH, &path, body).await?;
    shared.done().users.insert(id, (title, true));
    Some(())
}

/// A user logs in and works, and in every second case the access ends.
async fn log_in(tenant: Tenant, shared: Arc<Shared>) -> Option<()> {
    let id = create(&tenant, &shared).await?;
    let login = shared.grpc("begin login", tenant.begin_login().await)?;
    let session = shared.grpc("create session", tenant.create_session(&login, &id).await)?;
    for _ in 0..4 {
        let answer = shared.grpc("validate", tenant.validate(&session).await)?;
        if !answer.valid {
            shared
                .done()
                .failures
                .push(format!("a session of an active user: {answer:?}"));
        }
    }
    if Uuid::new_v4().as_u128().is_multiple_of(2) {
        shared.done().alive.push(session);
        return Some(());
    }
    let (path, body) = (format!("/Users/{id}"), patch("active", &json!(false)));
    shared
        .scim("deactivate", 200, &tenant, Method::PATCH, &path, body)
        .await?;
    let mut done = shared.done();
    done.users.insert(id, (String::new(), false));
    done.ended.push(session);
    Some(())
}

async fn create(tenant: &Tenant, shared: &Shared) -> Option<String> {
    let body = user(&format!("{}@example.test", Uuid::new_v4().simple()));
    let answer = shared.scim("create", 201, tenant, Method::POST, "/Users", body).await?;
    shared.done().users.insert(answer.id(), (String::new(), true));
    Some(answer.id())
}

fn patch(path: &str, value: &Value) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "replace", "path": path, "value": value}],
    })
}

impl Shared {
    fn done(&self) -> MutexGuard<'_, Done> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn scim(
        &self,
        what: &'static str,
        expect: u16,
        tenant: &Tenant,
        method: Method,
        path: &str,
        body: Value,
    ) -> Option<Answer> {
        let mut request = tenant.scim.request(method, path);
        if !body.is_null() {
            request = request
                .header("content-type", e2e::scim::SCIM_JSON)
                .body(body.to_string());
        }
        let answered = try_send(request).await;
        match answered {
            Ok(answer) if answer.status == expect => self.count(what, Ok(answer)),
            Ok(answer) => self.count(what, Err(format!("{answer:?}"))),
            Err(error) => self.count(what, Err(format!("{error:?}"))),
        }
    }

    fn grpc<T>(&self, what: &'static str, answer: Result<T, tonic::Status>) -> Option<T> {
        self.count(what, answer.map_err(|status| format!("{status:?}")))
    }

    fn count<T>(&self, what: &'static str, answer: Result<T, String>) -> Option<T> {
        let mut done = self.done();
        *done.requests.entry(what).or_default() += 1;
        answer
            .map_err(|failure| done.failures.push(format!("{what}: {failure}")))
            .ok()
    }
}

impl Done {
    /// Every write that was answered is there, every session of an ended access is refused, and no other is.
    pub(super) async fn nothing_is_lost(&self, tenant: &Tenant) {
        for (id, (title, active)) in &self.users {
            let answer = tenant.scim.get(&format!("/Users/{id}")).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_eq!(answer.json["title"].as_str().unwrap_or_default(), title, "{answer:?}");
            assert_eq!(answer.json["active"], *active, "{answer:?}");
        }
        assert!(!self.ended.is_empty() && !self.alive.is_empty(), "{self}");
        for (sessions, valid) in [(&self.ended, false), (&self.alive, true)] {
            for session in sessions {
                let request = ValidateSessionRequest {
                    session_token: session.clone(),
                };
                let answer = tenant.grpc.sessions().validate_session(request).await;
                assert_eq!(answer.expect("an answer").into_inner().valid, valid);
            }
        }
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: usize = self.requests.values().sum();
        write!(f, "{all} requests, {} failed; ", self.failures.len())?;
        write!(
            f,
            "{:?}; {} users, {} sessions of ended access",
            self.requests,
            self.users.len(),
            self.ended.len()
        )
    }
}
