//! `session.v1` as it is served: who may call, and messages to operations and back.

use std::sync::Arc;
use std::time::Instant;

use identity_proto::identity::v1 as identity;
use identity_proto::session::v1::session_service_server::SessionService;
use identity_proto::session::v1::{
    BeginLoginRequest, BeginLoginResponse, CreateSessionRequest, CreateSessionResponse, ListSessionsRequest,
    ListSessionsResponse, RevokeSessionRequest, RevokeSessionResponse, RevokeUserSessionsRequest,
    RevokeUserSessionsResponse, Session as SessionMessage, ValidateSessionRequest, ValidateSessionResponse,
    create_session_request, revoke_session_request, validate_session_response::Reason,
};
use prost_types::Timestamp;
use runtime::{ServiceKey, ServiceKeys};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::error::Error;
use crate::metrics;
use crate::sessions::{NewSession, Session, Sessions, Verdict};
use crate::token::{Locator, locate};

/// The roles of the service keys that may call: the platform's applications, and administrators.
pub const ROLES: [&str; 2] = ["platform", "admin"];

/// The service.
pub struct Grpc {
    pub sessions: Sessions,
    pub keys: Arc<ServiceKeys>,
}

impl Grpc {
    fn caller<T>(&self, request: &Request<T>) -> Result<&ServiceKey, Error> {
        self.keys.authenticate(request.metadata()).ok_or(Error::ServiceKey)
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
}
