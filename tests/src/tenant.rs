//! A tenant of a test's own, and the life of a user in it: users by SCIM, logins and sessions by gRPC.

use std::time::{Duration, Instant};

use identity_proto::identity::v1::{CreateTenantRequest, CreateTokenRequest};
use identity_proto::session::v1::create_session_request::Begun;
use identity_proto::session::v1::{
    BeginLoginRequest, CreateSessionRequest, ValidateSessionRequest, ValidateSessionResponse,
};
use tonic::Status;
use uuid::Uuid;

use crate::grpc::Grpc;
use crate::scim::Scim;
use crate::system::System;

/// A new tenant with a token that reads and writes.
#[derive(Clone)]
pub struct Tenant {
    pub id: String,
    pub name: String,
    pub scim: Scim,
    pub grpc: Grpc,
}

impl Tenant {
    /// Makes a tenant that no other test knows.
    pub async fn create(system: &System) -> Tenant {
        Tenant::create_at(system.grpc(), |token| system.scim_with(token)).await
    }

    /// The same through these interfaces; `scim` makes a SCIM client with a token.
    pub async fn create_at(grpc: Grpc, scim: impl FnOnce(&str) -> Scim) -> Tenant {
        let name = format!("t-{}", Uuid::new_v4().simple());
        let request = CreateTenantRequest {
            name: name.clone(),
            ..Default::default()
        };
        let tenant = grpc
            .tenants()
            .create_tenant(request)
            .await
            .expect("a tenant can be created")
            .into_inner();
        let request = CreateTokenRequest {
            tenant: name.clone(),
            ..Default::default()
        };
        let token = grpc
            .credentials()
            .create_token(request)
            .await
            .expect("a token can be created")
            .into_inner();
        Tenant {
            id: tenant.id,
            name,
            scim: scim(&token.secret),
            grpc,
        }
    }

    /// An active user with a name of its own; its id.
    pub async fn user(&self) -> String {
        self.scim
            .create_user(&format!("{}@example.test", Uuid::new_v4().simple()))
            .await
    }

    /// Someone is sent to the identity provider: the login token.
    pub async fn begin_login(&self) -> Result<String, Status> {
        let request = BeginLoginRequest {
            tenant_id: self.id.clone(),
        };
        Ok(self
            .grpc
            .sessions()
            .begin_login(request)
            .await?
            .into_inner()
            .login_token)
    }

    /// The login comes back as this user: the session token.
    pub async fn create_session(&self, login: &str, user: &str) -> Result<String, Status> {
        let request = CreateSessionRequest {
            user_id: user.to_owned(),
            begun: Some(Begun::LoginToken(login.to_owned())),
            ..Default::default()
        };
        Ok(self
            .grpc
            .sessions()
            .create_session(request)
            .await?
            .into_inner()
            .session_token)
    }

    /// A login from beginning to end.
    pub async fn log_in(&self, user: &str) -> Result<String, Status> {
        self.create_session(&self.begin_login().await?, user).await
    }

    /// What the session service says of a session.
    pub async fn validate(&self, session: &str) -> Result<ValidateSessionResponse, Status> {
        let request = ValidateSessionRequest {
            session_token: session.to_owned(),
        };
        Ok(self.grpc.sessions().validate_session(request).await?.into_inner())
    }

    /// Validates every 5 ms until the session is refused. The time from `since` to the last answer that was valid; zero
    /// if there was none. A session that is valid 5 s after `since` fails the test: that is the promise.
    pub async fn last_valid(&self, session: &str, since: Instant) -> Duration {
        let mut last = Duration::ZERO;
        loop {
            let answer = self.validate(session).await.expect("the session service answers");
            if !answer.valid {
                return last;
            }
            last = since.elapsed();
            assert!(last < Duration::from_secs(5), "valid {last:?} after the end of access");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
