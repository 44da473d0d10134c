//! AccessService.

use std::time::Duration;

use identity_proto::identity::v1 as proto;
use identity_proto::identity::v1::access_service_server::AccessService;
use identity_proto::identity::v1::{
    AcknowledgePruneRequest, AcknowledgePruneResponse, BeginLoginRequest, BeginLoginResponse, CheckLoginRequest,
    CheckLoginResponse, EndAccessRequest, ErrorReason, GetAccessRequest, ListAccessChangesRequest,
    ListAccessChangesResponse, ResolveAccessRequest, ResolveAccessResponse, check_login_request,
};
use prost_types::Timestamp;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{Caller, Core};
use crate::Error;
use crate::access::{Epochs, LoginStart, Standing, UserRef, changes};
use crate::store::TenantStore;
use crate::time::to_proto;

impl Core {
    /// The rows of the tenant that the caller names, if it may, by the connections that are kept for access.
    fn store_for<T>(&self, request: &Request<T>, tenant_id: &str) -> Result<TenantStore, Error> {
        Ok(self
            .store
            .access_of(Caller::of(request.extensions())?.tenant(tenant_id)?))
    }
}

#[tonic::async_trait]
impl AccessService for Core {
    async fn get_access(&self, request: Request<GetAccessRequest>) -> Result<Response<proto::Access>, Status> {
        let GetAccessRequest { tenant_id, user_id } = request.get_ref();
        let (store, subject) = (self.store_for(&request, tenant_id)?, subject(user_id)?);
        let standing = self.access.standing(&store, subject).await?;
        Ok(Response::new(message(&store, subject, standing)))
    }

    /// Nobody's access waits for it, so its connections are not those of access.
    async fn list_access_changes(
        &self,
        request: Request<ListAccessChangesRequest>,
    ) -> Result<Response<ListAccessChangesResponse>, Status> {
        let asked = request.get_ref();
        let (store, subject) = (self.rows_for(&request, &asked.tenant_id)?, subject(&asked.user_id)?);
        Ok(Response::new(changes::list(&store, &self.pages, subject, asked).await?))
    }

    async fn end_access(&self, request: Request<EndAccessRequest>) -> Result<Response<proto::Access>, Status> {
        let EndAccessRequest { tenant_id, user_id } = request.get_ref();
        let (store, user) = (self.store_for(&request, tenant_id)?, user(user_id)?);
        let standing = self.access.end(&store, user).await?;
        Ok(Response::new(message(&store, Some(user), standing)))
    }

    async fn begin_login(&self, request: Request<BeginLoginRequest>) -> Result<Response<BeginLoginResponse>, Status> {
        let store = self.store_for(&request, &request.get_ref().tenant_id)?;
        let begun = self.access.begin_login(&store).await?;
        Ok(Response::new(BeginLoginResponse {
            login_token: begun.token,
            expire_time: Some(timestamp(begun.expires)),
        }))
    }

    async fn check_login(&self, request: Request<CheckLoginRequest>) -> Result<Response<CheckLoginResponse>, Status> {
        let (start, token_tenant) = match &request.get_ref().begun {
            Some(check_login_request::Begun::LoginToken(token)) => (
                LoginStart::Token(token.clone()),
                Some(self.access.login_tenant(token)?.to_string()),
            ),
            Some(check_login_request::Begun::AssertionAge(age)) => {
                let age = Duration::try_from(*age).map_err(|_| invalid("assertion_age cannot be negative"))?;
                (LoginStart::Assertion(age), None)
            }
            None => return Err(invalid("give the login_token of BeginLogin, or the assertion_age").into()),
        };
        let named = &request.get_ref().tenant_id;
        let tenant_id = token_tenant
            .filter(|_| named.is_empty())
            .unwrap_or_else(|| named.clone());
        let store = self.store_for(&request, &tenant_id)?;
        let checked = self
            .access
            .check_login(&store, &user_ref(request.get_ref())?, start)
            .await?;
        Ok(Response::new(CheckLoginResponse {
            tenant_id: store.tenant().to_string(),
            user_id: checked.user.to_string(),
            epochs: Some(checked.epochs.into()),
            jti: checked.jti.simple().to_string(),
            expire_time: Some(timestamp(checked.expires)),
        }))
    }

    async fn resolve_access(
        &self,
        request: Request<ResolveAccessRequest>,
    ) -> Result<Response<ResolveAccessResponse>, Status> {
        let ResolveAccessRequest { tenant_id, user_id } = request.get_ref();
        let tenant = Caller::of(request.extensions())?.tenant(tenant_id)?;
        let (store, user) = (self.store.questions_of(tenant), user(user_id)?);
        let epochs = self.access.resolve(&store, user).await?;
        Ok(Response::new(ResolveAccessResponse {
            epochs: Some(epochs.into()),
        }))
    }

    async fn acknowledge_prune(
        &self,
        request: Request<AcknowledgePruneRequest>,
    ) -> Result<Response<AcknowledgePruneResponse>, Status> {
        let store = self.store_for(&request, &request.get_ref().tenant_id)?;
        self.access.acknowledge(store.tenant(), request.get_ref()).await?;
        Ok(Response::new(AcknowledgePruneResponse {}))
    }
}

impl From<Epochs> for proto::Epochs {
    fn from(epochs: Epochs) -> Self {
        proto::Epochs {
            tenant_epoch: epochs.tenant.0,
            tenant_state: epochs.tenant.1.into(),
            user_epoch: epochs.user.0,
            user_state: epochs.user.1.into(),
        }
    }
}

fn message(store: &TenantStore, user: Option<Uuid>, standing: Standing) -> proto::Access {
    let outcome = proto::AccessOutcome::from(standing.outcome);
    proto::Access {
        tenant_id: store.tenant().to_string(),
        user_id: user.map(|user| user.to_string()).unwrap_or_default(),
        epoch: outcome.epoch,
        state: standing.state.into(),
        change_time: Some(to_proto(standing.changed_at)),
        apply_time: outcome.apply_time,
        pruned: outcome.pruned,
        prune_time: outcome.prune_time,
    }
}

/// `None`: the whole tenant.
fn subject(id: &str) -> Result<Option<Uuid>, Error> {
    (!id.is_empty()).then(|| user(id)).transpose()
}

fn user(id: &str) -> Result<Uuid, Error> {
    id.parse().map_err(|_| Error::not_found("user"))
}

fn user_ref(request: &CheckLoginRequest) -> Result<UserRef, Error> {
    match (request.user_id.as_str(), request.user_name.as_str()) {
        ("", "") => Err(invalid("name the user by user_id or user_name")),
        (id, "") => Ok(UserRef::Id(user(id)?)),
        ("", name) => Ok(UserRef::UserName(name.to_owned())),
        _ => Err(invalid("name the user by user_id or by user_name, not by both")),
    }
}

fn invalid(message: &str) -> Error {
    Error::new(ErrorReason::InvalidValue, message)
}

/// Microseconds since 1970 as a timestamp.
fn timestamp(micros: i64) -> Timestamp {
    let nanos = i32::try_from(micros.rem_euclid(1_000_000) * 1_000).unwrap_or(0);
    Timestamp {
        seconds: micros.div_euclid(1_000_000),
        nanos,
    }
}
