//! Operations as clients make them, each noted in the history with what was answered.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use e2e::Tenant;
use e2e::grpc::Grpc;
use e2e::history::{Answer, At, History, SessionNumber, Subject, What};
use e2e::scim::{SCIM_JSON, try_send};
use identity_proto::identity::v1::{DeleteUserRequest, EndAccessRequest, ErrorReason};
use identity_proto::session::v1::create_session_request::Begun;
use identity_proto::session::v1::{
    BeginLoginRequest, CreateSessionRequest, RevokeUserSessionsRequest, ValidateSessionRequest,
};
use identity_proto::status::reason;
use reqwest::Method;
use serde_json::{Value, json};
use tonic::{Code, Status};

/// Within which a request must be answered, whatever is broken: 5 s, and what a busy machine adds.
const ANSWER: Duration = Duration::from_millis(5_500);
/// A client that gave up waited for so long: no validation may take that.
const GAVE_UP: Duration = Duration::from_millis(4_950);

/// For how long a user is tried to be created, and after which pause.
const PATIENCE: Duration = Duration::from_secs(15);
const AGAIN: Duration = Duration::from_millis(100);

/// How access ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Patch,
    Put,
    Delete,
    GrpcEnd,
    GrpcDelete,
    Revoke,
}

impl Way {
    pub const ALL: [Way; 6] = [
        Way::Patch,
        Way::Put,
        Way::Delete,
        Way::GrpcEnd,
        Way::GrpcDelete,
        Way::Revoke,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Way::Patch => "patch",
            Way::Put => "put",
            Way::Delete => "delete",
            Way::GrpcEnd => "grpc-end",
            Way::GrpcDelete => "grpc-delete",
            Way::Revoke => "revoke",
        }
    }

    pub fn is_scim(self) -> bool {
        matches!(self, Way::Patch | Way::Put | Way::Delete)
    }

    pub fn deletes(self) -> bool {
        matches!(self, Way::Delete | Way::GrpcDelete)
    }
}

/// A user whose access ends, or does not.
#[derive(Clone)]
pub struct User {
    pub subject: Subject,
    pub id: String,
    pub name: String,
}

/// A session and how it is called in the history.
#[derive(Clone)]
pub struct Session {
    pub subject: Subject,
    pub number: SessionNumber,
    pub token: String,
}

/// A login that began: its token, and when BeginLogin was called and answered.
#[derive(Clone)]
pub struct Login {
    token: String,
    begun: (At, At),
}

/// One way to end access, tried once.
pub async fn end(history: &History, tenant: &Tenant, all: &Grpc, user: &User, way: Way) -> Answer {
    let (called, since) = (history.now(), Instant::now());
    let path = format!("/Users/{}", user.id);
    let (tenant_id, user_id) = (tenant.id.clone(), user.id.clone());
    let off = json!([{"op": "replace", "path": "active", "value": false}]);
    let answer = match way {
        Way::Patch => scim(tenant, Method::PATCH, &path, patch(&off), &[200]).await,
        Way::Put => {
            let mut body = e2e::scim::user(&user.name);
            body["active"] = json!(false);
            scim(tenant, Method::PUT, &path, body, &[200]).await
        }
        // 404: the attempt before was done, though nobody was told.
        Way::Delete => scim(tenant, Method::DELETE, &path, Value::Null, &[204, 404]).await,
        Way::GrpcEnd => told(all.access().end_access(EndAccessRequest { tenant_id, user_id }).await),
        Way::GrpcDelete => {
            let request = DeleteUserRequest {
                tenant_id,
                id: user_id,
                ..Default::default()
            };
            match all.users().delete_user(request).await {
                Err(status) if status.code() == Code::NotFound => Answer::Yes,
                answer => told(answer),
            }
        }
        Way::Revoke => {
            let request = RevokeUserSessionsRequest { tenant_id, user_id };
            told(all.sessions().revoke_user_sessions(request).await)
        }
    };
    let answer = in_time(answer, since);
    history.add(user.subject, What::End(way.name()), None, called, answer.clone());
    answer
}

/// Gives access back.
pub async fn reactivate(history: &History, tenant: &Tenant, user: &User) -> Answer {
    let (called, since) = (history.now(), Instant::now());
    let on = patch(&json!([{"op": "replace", "path": "active", "value": true}]));
    let answer = scim(tenant, Method::PATCH, &format!("/Users/{}", user.id), on, &[200]).await;
    let answer = in_time(answer, since);
    history.add(user.subject, What::Reactivate, None, called, answer.clone());
    answer
}

/// Any read, for what it is answered; its name in the history.
pub async fn read(history: &History, tenant: &Tenant, path: &str, called_so: &'static str) -> Answer {
    let (called, since) = (history.now(), Instant::now());
    let answer = in_time(scim(tenant, Method::GET, path, Value::Null, &[200]).await, since);
    history.add(Subject::MAX, What::Other(called_so), None, called, answer.clone());
    answer
}

/// Makes an active user; not noted, since nothing is broken yet, or no more.
pub async fn create(tenant: &Tenant, subject: Subject) -> Result<User> {
    let since = Instant::now();
    loop {
        let name = format!("{}@example.test", uuid::Uuid::new_v4().simple());
        let request = tenant.scim.request(Method::POST, "/Users");
        let request = request.header("content-type", SCIM_JSON);
        let answer = try_send(request.body(e2e::scim::user(&name).to_string())).await;
        if let Ok(answer) = &answer
            && answer.status == 201
        {
            let id = answer.id();
            return Ok(User { subject, id, name });
        }
        // What was just started, or just broken, may still be busy, or the way to it be cut.
        let again = answer.as_ref().is_ok_and(|answer| answer.status == 503) || answer.is_err();
        ensure!(
            again && since.elapsed() < PATIENCE,
            "a user cannot be created: {answer:?}"
        );
        tokio::time::sleep(AGAIN).await;
    }
}

pub async fn begin(
    history: &History,
    tenant: &Tenant,
    at: &Grpc,
    subject: Subject,
) -> std::result::Result<Login, Answer> {
    let (called, since) = (history.now(), Instant::now());
    let request = BeginLoginRequest {
        tenant_id: tenant.id.clone(),
    };
    let answer = at.sessions().begin_login(request).await;
    let noted = match &answer {
        Ok(_) => Answer::Yes,
        Err(status) => told::<()>(Err(status.clone())),
    };
    let noted = in_time(noted, since);
    history.add(subject, What::Other("begin login"), None, called, noted.clone());
    match answer {
        Ok(answer) => Ok(Login {
            token: answer.into_inner().login_token,
            begun: (called, history.now()),
        }),
        Err(_) => Err(noted),
    }
}

/// A login becomes a session, or not.
pub async fn log_in(
    history: &History,
    at: &Grpc,
    user: &User,
    login: &Login,
    number: SessionNumber,
) -> std::result::Result<Session, Answer> {
    let (called, since) = (history.now(), Instant::now());
    let request = CreateSessionRequest {
        user_id: user.id.clone(),
        begun: Some(Begun::LoginToken(login.token.clone())),
        ..Default::default()
    };
    let answer = at.sessions().create_session(request).await;
    let noted = match &answer {
        Ok(_) => Answer::Yes,
        Err(status) => told::<()>(Err(status.clone())),
    };
    let noted = in_time(noted, since);
    let what = What::LogIn {
        begun: login.begun,
        session: number,
    };
    history.add(user.subject, what, None, called, noted.clone());
    match answer {
        Ok(answer) => Ok(Session {
            subject: user.subject,
            number,
            token: answer.into_inner().session_token,
        }),
        Err(_) => Err(noted),
    }
}

pub async fn validate(history: &History, at: &Grpc, via: Option<usize>, session: &Session, last: bool) -> Answer {
    let (called, since) = (history.now(), Instant::now());
    let request = ValidateSessionRequest {
        session_token: session.token.clone(),
    };
    let answer = match at.sessions().validate_session(request).await {
        Ok(answer) if answer.get_ref().valid => Answer::Yes,
        Ok(_) => Answer::No,
        Err(status) => match told::<()>(Err(status)) {
            Answer::No => Answer::Wrong("a validation is an answer, not a refusal to answer".to_owned()),
            answer => answer,
        },
    };
    let answer = match since.elapsed() {
        took if took > GAVE_UP => Answer::Wrong(format!("no answer within {took:?}")),
        _ => answer,
    };
    let what = What::Validate {
        session: session.number,
        last,
    };
    history.add(session.subject, what, via, called, answer.clone());
    answer
}

/// What a gRPC call came to.
pub fn told<T>(answer: std::result::Result<T, Status>) -> Answer {
    let Err(status) = answer else { return Answer::Yes };
    // Without a reason it is the client's own word: the process was not there, or went away.
    match reason(&status) {
        None | Some(ErrorReason::Unavailable) => Answer::Unavailable,
        Some(ErrorReason::Internal | ErrorReason::Unspecified | ErrorReason::ServiceKeyInvalid) => {
            Answer::Wrong(format!("{status:?}"))
        }
        Some(_) => Answer::No,
    }
}

async fn scim(tenant: &Tenant, method: Method, path: &str, body: Value, good: &[u16]) -> Answer {
    let mut request = tenant.scim.request(method, path);
    if !body.is_null() {
        request = request.header("content-type", SCIM_JSON).body(body.to_string());
    }
    let Ok(answer) = try_send(request).await else {
        return Answer::Unavailable;
    };
    let wait = answer.header("retry-after").parse::<u64>();
    let says_when = wait.is_ok_and(|wait| (1..=60).contains(&wait));
    match answer.status {
        status if good.contains(&status) => Answer::Yes,
        429 | 503 if says_when => Answer::Unavailable,
        429 | 503 => Answer::Wrong(format!("{} without Retry-After", answer.status)),
        404 => Answer::No,
        status => Answer::Wrong(format!("HTTP {status}: {}", answer.text)),
    }
}

fn in_time(answer: Answer, since: Instant) -> Answer {
    let took = since.elapsed();
    if took > ANSWER {
        return Answer::Wrong(format!("answered after {took:?}: {answer:?}"));
    }
    answer
}

fn patch(operations: &Value) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": operations,
    })
}
