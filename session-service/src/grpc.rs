//! `session.v1` as it is served: who may call, and messages to operations and back.

use std::sync::Arc;
use std::time::Instant;

use identity_proto::identity::v1 as identity;
use identity_proto::session::v1::session_service_server::SessionService;
use identity_proto::session::v1::{
    BeginLoginRequest, BeginLoginResponse, CreateSessionRequest, CreateSessionResponse, DeadLetter,
    DeleteDeadLetterRequest, ListDeadLettersRequest, ListDeadLettersResponse, ListSessionsRequest,
    ListSessionsResponse, ReplayDeadLetterRequest, ReplayDeadLetterResponse, RevokeSessionRequest,
    RevokeSessionResponse, RevokeUserSessionsRequest, RevokeUserSessionsResponse, Session as SessionMessage,
    ValidateSessionRequest, ValidateSessionResponse, create_session_request, revoke_session_request,
    validate_session_response::Reason,
};
use prost_types::Timestamp;
use runtime::{ServiceKey, ServiceKeys};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::error::Error;
use crate::metrics;
use crate::prune::dead_letters::{self, Letter, LetterId};
use crate::sessions::{NewSession, Session, Sessions, Verdict};
use crate::token::{Locator, locate};

/// The roles of the service keys that may call: the platform's applications, and administrators.
pub const ROLES: [&str; 2] = ["platform", "admin"];

/// Dead letters on a page.
const LETTERS: usize = 100;
const MOST_LETTERS: usize = 1_000;

/// The service.
pub struct Grpc {
    pub sessions: Sessions,
    pub keys: Arc<ServiceKeys>,
}

impl Grpc {
    fn caller<T>(&self, request: &Request<T>) -> Result<&ServiceKey, Error> {
        self.keys.authenticate(request.metadata()).ok_or(Error::ServiceKey)
    }

    /// That the caller is one whom all tenants concern.
    fn administrator<T>(&self, request: &Request<T>) -> Result<(), Error> {
        let key = self.caller(request)?;
        if key.role == "admin" && key.tenants.is_empty() {
            Ok(())
        } else {
            Err(Error::Role)
        }
    }
}

fn cover(key: &ServiceKey, tenant: Uuid) -> Result<(), Error> {
    if key.covers(tenant.hyphenated().encode_lower(&mut Uuid::encode_buffer())) {
        Ok(())
    } else {
        Err(Error::NotFound)
    }
}

fn ids(tenant: &str, user: &str) -> Result<(Uuid, Uuid), Error> {
    let id = |text: &str| {
        text.parse()
            .map_err(|_| Error::Invalid("tenant_id and user_id must be ids (UUIDs)"))
    };
    Ok((id(tenant)?, id(user)?))
}

fn timestamp(ms: i64) -> Timestamp {
    let nanos = i32::try_from(ms.rem_euclid(1_000) * 1_000_000).unwrap_or(0);
    Timestamp {
        seconds: ms.div_euclid(1_000),
        nanos,
    }
}

impl From<Session> for SessionMessage {
    fn from(session: Session) -> Self {
        SessionMessage {
            id: session.id,
            tenant_id: session.tenant.to_string(),
            user_id: session.user.to_string(),
            create_time: Some(timestamp(session.created)),
            expire_time: Some(timestamp(session.expires)),
        }
    }
}

impl From<Letter> for DeadLetter {
    fn from(letter: Letter) -> Self {
        DeadLetter {
            id: letter.id.to_string(),
            bucket: i32::from(letter.id.bucket),
            bury_time: Some(timestamp(letter.id.buried_ms())),
            entry: letter.entry,
            fields: letter.fields.into_iter().collect(),
            why: letter.why,
            tries: letter.tries,
        }
    }
}

fn letter(id: &str) -> Result<LetterId, Error> {
    id.parse().map_err(|()| Error::NoLetter(id.to_owned()))
}

#[tonic::async_trait]
impl SessionService for Grpc {
    async fn begin_login(&self, request: Request<BeginLoginRequest>) -> Result<Response<BeginLoginResponse>, Status> {
        let key = self.caller(&request)?;
        let tenant_id = request.get_ref().tenant_id.clone();
        cover(key, ids(&tenant_id, &tenant_id)?.0)?;
        let begun = self
            .sessions
            .core
            .begin_login(identity::BeginLoginRequest { tenant_id })
            .await?;
        Ok(Response::new(BeginLoginResponse {
            login_token: begun.login_token,
            expire_time: begun.expire_time,
        }))
    }

    async fn create_session(
        &self,
        request: Request<CreateSessionRequest>,
    ) -> Result<Response<CreateSessionResponse>, Status> {
        let key = self.caller(&request)?.clone();
        let request = request.into_inner();
        let begun = match request.begun {
            Some(create_session_request::Begun::LoginToken(token)) => {
                identity::check_login_request::Begun::LoginToken(token)
            }
            Some(create_session_request::Begun::AssertionAge(age)) => {
                identity::check_login_request::Begun::AssertionAge(age)
            }
            None => return Err(Error::Invalid("give the login_token of BeginLogin, or the assertion_age").into()),
        };
        if !request.tenant_id.is_empty() {
            cover(&key, ids(&request.tenant_id, &request.tenant_id)?.0)?;
        }
        let lifetime = request.lifetime.map(std::time::Duration::try_from).transpose();
        let new = NewSession {
            login: identity::CheckLoginRequest {
                tenant_id: request.tenant_id,
                user_id: request.user_id,
                user_name: request.user_name,
                begun: Some(begun),
            },
            lifetime: lifetime.map_err(|_| Error::Invalid("a session's lifetime cannot be negative"))?,
        };
        let created = self.sessions.create(new, |tenant| cover(&key, tenant)).await?;
        metrics::created();
        Ok(Response::new(CreateSessionResponse {
            session_token: created.token,
            session: Some(created.session.into()),
        }))
    }

    async fn validate_session(
        &self,
        request: Request<ValidateSessionRequest>,
    ) -> Result<Response<ValidateSessionResponse>, Status> {
        let key = self.caller(&request)?;
        let covered = |tenant| cover(key, tenant).is_ok();
        let asked = Instant::now();
        let validated = self.sessions.validate(&request.get_ref().session_token, covered).await;
        metrics::validated(validated.as_ref().map(|validated| validated.verdict), asked.elapsed());
        let validated = validated?;
        let (reason, expires) = match validated.verdict {
            Verdict::Valid { expires } => (Reason::Unspecified, Some(timestamp(expires))),
            Verdict::Unknown => (Reason::Unknown, None),
            Verdict::AccessEnded => (Reason::AccessEnded, None),
            Verdict::TenantEnded => (Reason::TenantEnded, None),
        };
        let (tenant_id, user_id) = validated
            .owner
            .map(|(tenant, user)| (tenant.to_string(), user.to_string()))
            .unwrap_or_default();
        let valid = expires.is_some();
        Ok(Response::new(ValidateSessionResponse {
            valid,
            reason: reason.into(),
            tenant_id,
            user_id,
            expire_time: expires,
        }))
    }

    async fn list_sessions(
        &self,
        request: Request<ListSessionsRequest>,
    ) -> Result<Response<ListSessionsResponse>, Status> {
        let key = self.caller(&request)?;
        let (tenant, user) = ids(&request.get_ref().tenant_id, &request.get_ref().user_id)?;
        cover(key, tenant)?;
        let sessions = self
            .sessions
            .list(tenant, user)
            .await?
            .into_iter()
            .map(SessionMessage::from)
            .collect();
        Ok(Response::new(ListSessionsResponse { sessions }))
    }

    async fn revoke_session(
        &self,
        request: Request<RevokeSessionRequest>,
    ) -> Result<Response<RevokeSessionResponse>, Status> {
        let key = self.caller(&request)?;
        let locator = match &request.get_ref().session {
            Some(revoke_session_request::Session::SessionToken(token)) => locate(token),
            Some(revoke_session_request::Session::Name(name)) => {
                let (tenant, user) = ids(&name.tenant_id, &name.user_id)?;
                let is_id = name.id.len() == 64 && name.id.bytes().all(|byte| byte.is_ascii_hexdigit());
                is_id.then(|| Locator::named(tenant, user, name.id.to_ascii_lowercase()))
            }
            None => return Err(Error::Invalid("name the session by its token, or by tenant, user and id").into()),
        };
        let Some(locator) = locator else {
            return Ok(Response::new(RevokeSessionResponse { revoked: false }));
        };
        cover(key, locator.tenant)?;
        let revoked = self.sessions.revoke(&locator).await?;
        Ok(Response::new(RevokeSessionResponse { revoked }))
    }

    async fn revoke_user_sessions(
        &self,
        request: Request<RevokeUserSessionsRequest>,
    ) -> Result<Response<RevokeUserSessionsResponse>, Status> {
        let key = self.caller(&request)?;
        let RevokeUserSessionsRequest { tenant_id, user_id } = request.get_ref().clone();
        cover(key, ids(&tenant_id, &user_id)?.0)?;
        let epoch = self
            .sessions
            .core
            .end_access(identity::EndAccessRequest { tenant_id, user_id })
            .await?;
        Ok(Response::new(RevokeUserSessionsResponse { epoch }))
    }

    /// The page token is the last letter's id.
    async fn list_dead_letters(
        &self,
        request: Request<ListDeadLettersRequest>,
    ) -> Result<Response<ListDeadLettersResponse>, Status> {
        self.administrator(&request)?;
        let ListDeadLettersRequest { page_size, page_token } = request.get_ref();
        let wrong =
            |()| Error::Invalid("page_token is not one that ListDeadLetters answered; begin with the first page");
        let after: Option<LetterId> = match page_token.as_str() {
            "" => None,
            token => Some(token.parse().map_err(wrong)?),
        };
        let size = match usize::try_from(*page_size) {
            Ok(0) | Err(_) => LETTERS,
            Ok(size) => size.min(MOST_LETTERS),
        };
        let (mut letters, unread) = dead_letters::list(&self.sessions.redis, after.as_ref(), size + 1).await?;
        let more = letters.len() > size;
        letters.truncate(size);
        let last = letters.last().filter(|_| more);
        Ok(Response::new(ListDeadLettersResponse {
            next_page_token: last.map(|letter| letter.id.to_string()).unwrap_or_default(),
            letters: letters.into_iter().map(DeadLetter::from).collect(),
            unread_buckets: unread.into_iter().map(i32::from).collect(),
        }))
    }

    async fn replay_dead_letter(
        &self,
        request: Request<ReplayDeadLetterRequest>,
    ) -> Result<Response<ReplayDeadLetterResponse>, Status> {
        self.administrator(&request)?;
        let id = request.into_inner().id;
        let replayed = dead_letters::replay(&self.sessions.redis, &letter(&id)?).await?;
        let entry = replayed.ok_or(Error::NoLetter(id))?;
        Ok(Response::new(ReplayDeadLetterResponse { entry }))
    }

    async fn delete_dead_letter(&self, request: Request<DeleteDeadLetterRequest>) -> Result<Response<()>, Status> {
        self.administrator(&request)?;
        let id = request.into_inner().id;
        if dead_letters::forget(&self.sessions.redis, &letter(&id)?).await? {
            Ok(Response::new(()))
        } else {
            Err(Error::NoLetter(id).into())
        }
    }
}
