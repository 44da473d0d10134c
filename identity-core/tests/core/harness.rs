//! Starts a core on a database of its own and calls it.

use identity_core::Config;
use identity_proto::identity::v1::access_service_client::AccessServiceClient;
use identity_proto::identity::v1::audit_service_client::AuditServiceClient;
use identity_proto::identity::v1::client_service_client::ClientServiceClient;
use identity_proto::identity::v1::credential_service_client::CredentialServiceClient;
use identity_proto::identity::v1::event_service_client::EventServiceClient;
use identity_proto::identity::v1::group_service_client::GroupServiceClient;
use identity_proto::identity::v1::o_auth_service_client::OAuthServiceClient;
use identity_proto::identity::v1::patch_operation::Op;
use identity_proto::identity::v1::tenant_service_client::TenantServiceClient;
use identity_proto::identity::v1::user_service_client::UserServiceClient;
use identity_proto::identity::v1::*;
use identity_proto::status::reason;
use runtime::grpc::Channel;
use runtime::{Health, Secret, Shutdown};
use sqlx::PgPool;
use tokio::net::TcpListener;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Status};

pub const ADMIN: &str = "admin-key-0123456789";
pub const EDGE: &str = "edge-key-0123456789";
pub const PLATFORM: &str = "platform-key-0123456789";
/// An edge's, limited to a tenant that there is not.
pub const OTHER_EDGE: &str = "other-edge-key-0123456789";

/// A core that serves.
pub struct Core {
    pub channel: Channel,
    /// As the owner of the tables, past every fence.
    pub database: PgPool,
    pub shutdown: Shutdown,
    pub serving: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Core {
    pub async fn start() -> Self {
        let migrate = async |url: &str| identity_core::migrate(&Secret::new(url)).await;
        let url = local_stack::test::Postgres::shared().database("core", migrate).await;
        Self::on(&url).await
    }

    pub async fn on(url: &str) -> Self {
        Self::with_key(url, "").await
    }

    /// One that also knows `key`: a service key with a comma before it.
    pub async fn with_key(url: &str, key: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let channel = runtime::grpc::channel(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let nobody = uuid::Uuid::nil().simple();
        let keys = format!("a:admin:{ADMIN},e:edge:{EDGE},o:edge:{OTHER_EDGE}:{nobody},p:platform:{PLATFORM}{key}");
        let config = Config {
            database_url: Some(Secret::new(url)),
            database_url_file: None,
            redis_url: Some(Secret::new("redis://127.0.0.1:1")),
            redis_url_file: None,
            service_keys: Some(Secret::new(keys)),
            service_keys_file: None,
            login_key: Some(Secret::new("0123456789abcdef0123456789abcdef")),
            login_key_file: None,
            database_pool_size: 8,
            statement_timeout_ms: 4_000,
            refresh_grace_seconds: 10,
            event_retention_days: 30,
            event_retention_max_days: 90,
            jwks_private_hosts: None,
        };
        let shutdown = Shutdown::default();
        let serving = tokio::spawn(identity_core::serve(
            config.settings().unwrap(),
            listener,
            Health::new(&shutdown),
            shutdown.clone(),
        ));
        let database = sqlx::postgres::PgPoolOptions::new()
            .max_connections(2)
            .connect_lazy(url)
            .unwrap();
        Core {
            channel,
            database,
            shutdown,
            serving,
        }
    }

    pub fn access(&self) -> AccessServiceClient<InterceptedService<Channel, As>> {
        AccessServiceClient::with_interceptor(self.channel.clone(), As::service(ADMIN))
    }

    pub fn events(&self, key: &str) -> EventServiceClient<InterceptedService<Channel, As>> {
        EventServiceClient::with_interceptor(self.channel.clone(), As::service(key))
    }

    pub fn tenants(&self) -> TenantServiceClient<InterceptedService<Channel, As>> {
        TenantServiceClient::with_interceptor(self.channel.clone(), As::service(ADMIN))
    }

    pub fn credentials(&self, caller: As) -> CredentialServiceClient<InterceptedService<Channel, As>> {
        CredentialServiceClient::with_interceptor(self.channel.clone(), caller)
    }

    pub fn clients(&self) -> ClientServiceClient<InterceptedService<Channel, As>> {
        ClientServiceClient::with_interceptor(self.channel.clone(), As::service(ADMIN))
    }

    pub fn oauth(&self, caller: As) -> OAuthServiceClient<InterceptedService<Channel, As>> {
        OAuthServiceClient::with_interceptor(self.channel.clone(), caller)
    }

    pub fn audit(&self) -> AuditServiceClient<InterceptedService<Channel, As>> {
        AuditServiceClient::with_interceptor(self.channel.clone(), As::service(ADMIN))
    }

    pub fn users(&self, caller: As) -> UserServiceClient<InterceptedService<Channel, As>> {
        UserServiceClient::with_interceptor(self.channel.clone(), caller)
    }

    /// A new tenant.
    pub async fn tenant(&self, name: &str) -> Tenant {
        let request = CreateTenantRequest {
            name: name.to_owned(),
            ..Default::default()
        };
        self.tenants().create_tenant(request).await.unwrap().into_inner()
    }

    /// A token of the tenant with all scopes.
    pub async fn token(&self, tenant: &str) -> CreateTokenResponse {
        let request = CreateTokenRequest {
            tenant: tenant.to_owned(),
            ..Default::default()
        };
        let mut credentials = self.credentials(As::service(ADMIN));
        credentials.create_token(request).await.unwrap().into_inner()
    }

    /// A new tenant, and its users as its identity provider reaches them.
    pub async fn provider(&self, name: &str) -> Provider {
        let tenant = self.tenant(name).await;
        let secret = self.token(name).await.secret;
        Provider {
            tenant: tenant.id.parse().unwrap(),
            users: self.users(As::scim(&secret)),
            groups: GroupServiceClient::with_interceptor(self.channel.clone(), As::scim(&secret)),
            database: self.database.clone(),
        }
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.shutdown.start();
    }
}

/// An identity provider of one tenant.
#[derive(Clone)]
pub struct Provider {
    pub tenant: uuid::Uuid,
    pub users: UserServiceClient<InterceptedService<Channel, As>>,
    pub groups: GroupServiceClient<InterceptedService<Channel, As>>,
    pub database: PgPool,
}

/// What the database says of a user's access, and of all events of the tenant.
#[derive(Debug, PartialEq, Eq)]
pub struct Trace {
    pub epoch: i64,
    pub state: String,
    /// Kind and whether it moves the register, oldest first.
    pub events: Vec<(String, bool)>,
}

impl Provider {
    pub async fn create(&mut self, user: User) -> Result<User, Status> {
        let request = CreateUserRequest {
            user: Some(user),
            ..Default::default()
        };
        self.users.create_user(request).await.map(tonic::Response::into_inner)
    }

    pub async fn get(&mut self, id: &str) -> Result<User, Status> {
        let request = GetUserRequest {
            id: id.to_owned(),
            ..Default::default()
        };
        self.users.get_user(request).await.map(tonic::Response::into_inner)
    }

    pub async fn put(&mut self, user: User) -> Result<User, Status> {
        let request = UpdateUserRequest {
            user: Some(user),
            ..Default::default()
        };
        self.users.update_user(request).await.map(tonic::Response::into_inner)
    }

    pub async fn patch(&mut self, id: &str, operations: Vec<PatchOperation>) -> Result<User, Status> {
        let request = PatchUserRequest {
            id: id.to_owned(),
            operations,
            ..Default::default()
        };
        self.users.patch_user(request).await.map(tonic::Response::into_inner)
    }

    pub async fn delete(&mut self, id: &str) -> Result<(), Status> {
        let request = DeleteUserRequest {
            id: id.to_owned(),
            ..Default::default()
        };
        self.users.delete_user(request).await.map(tonic::Response::into_inner)
    }

    pub async fn trace(&self, id: &str) -> Trace {
        let id: uuid::Uuid = id.parse().unwrap();
        let (epoch, state) =
            sqlx::query_as("SELECT epoch, state FROM user_access WHERE tenant_id = $1 AND user_id = $2")
                .bind(self.tenant)
                .bind(id)
                .fetch_one(&self.database)
                .await
                .unwrap();
        let events = sqlx::query_as(
            "SELECT kind, access_epoch IS NOT NULL FROM outbox WHERE tenant_id = $1 AND user_id = $2 ORDER BY outbox_id",
        )
        .bind(self.tenant)
        .bind(id)
        .fetch_all(&self.database)
        .await
        .unwrap();
        Trace { epoch, state, events }
    }
}

/// Who calls.
#[derive(Clone)]
pub struct As {
    key: String,
    credential: Option<String>,
}

impl As {
    pub fn service(key: &str) -> Self {
        As {
            key: key.to_owned(),
            credential: None,
        }
    }

    pub fn scim(token: &str) -> Self {
        Self::service(EDGE).with(token)
    }

    pub fn with(self, token: &str) -> Self {
        let hash = identity_proto::credential::hash(token);
        let hex = hash.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        As {
            credential: Some(hex),
            ..self
        }
    }
}

impl Interceptor for As {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let metadata = request.metadata_mut();
        metadata.insert("authorization", format!("Bearer {}", self.key).parse().unwrap());
        if let Some(credential) = &self.credential {
            metadata.insert(identity_proto::CREDENTIAL_METADATA, credential.parse().unwrap());
        }
        Ok(request)
    }
}

pub fn named(user_name: &str) -> User {
    User {
        user_name: user_name.to_owned(),
        ..User::default()
    }
}

pub fn operation(op: Op, path: AttributePath, value: serde_json::Value) -> PatchOperation {
    PatchOperation {
        op: op.into(),
        path: Some(path),
        value: Some(value.into()),
        ..Default::default()
    }
}

pub fn replace(attribute: &str, value: impl Into<serde_json::Value>) -> PatchOperation {
    operation(Op::Replace, AttributePath::core(attribute), value.into())
}

pub fn remove(attribute: &str) -> PatchOperation {
    PatchOperation {
        op: Op::Remove.into(),
        path: Some(AttributePath::core(attribute)),
        ..Default::default()
    }
}

/// Asserts that a call failed for this reason.
#[track_caller]
pub fn refused<T: std::fmt::Debug>(result: Result<T, Status>, expect: ErrorReason) -> Status {
    let status = result.expect_err("it must be refused");
    assert_eq!(reason(&status), Some(expect), "{status:?}");
    status
}
