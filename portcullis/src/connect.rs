//! Finds the running system and opens its gRPC interfaces.

use std::env;
use std::fs;
use std::path::Path;

use identity_proto::identity::v1::access_service_client::AccessServiceClient;
use identity_proto::identity::v1::audit_service_client::AuditServiceClient;
use identity_proto::identity::v1::client_service_client::ClientServiceClient;
use identity_proto::identity::v1::credential_service_client::CredentialServiceClient;
use identity_proto::identity::v1::event_service_client::EventServiceClient;
use identity_proto::identity::v1::group_service_client::GroupServiceClient;
use identity_proto::identity::v1::tenant_service_client::TenantServiceClient;
use identity_proto::identity::v1::user_service_client::UserServiceClient;
use identity_proto::session::v1::session_service_client::SessionServiceClient;
use runtime::Secret;
use runtime::grpc::Channel;
use runtime::service_auth::WithServiceKey;
use tonic::service::interceptor::InterceptedService;

use crate::dev::Description;
use crate::failure::Failure;

/// A connection that carries the service key.
pub(crate) type Connection = InterceptedService<Channel, WithServiceKey>;

const CORE_URL: &str = "PORTCULLIS_CORE_URL";
const SESSION_URL: &str = "PORTCULLIS_SESSION_URL";
const SERVICE_KEY: &str = "PORTCULLIS_SERVICE_KEY";
const SERVICE_KEY_FILE: &str = "PORTCULLIS_SERVICE_KEY_FILE";

/// The variables that say where the running system is.
pub(crate) const SETTINGS: [&str; 4] = [CORE_URL, SESSION_URL, SERVICE_KEY, SERVICE_KEY_FILE];

/// The running system as the administrator's commands see it.
pub(crate) struct System {
    core_url: String,
    session_url: String,
    edge_url: Option<String>,
    core: Connection,
    sessions: Connection,
}

impl System {
    /// By the environment where it says so, else by what `dev` wrote into `data_dir`. To be called in a tokio runtime.
    pub fn find(data_dir: &Path) -> Result<Self, Failure> {
        let [core_url, session_url] = [CORE_URL, SESSION_URL].map(setting);
        let key = service_key()?;
        let described = match (&core_url, &session_url, &key) {
            (Some(_), Some(_), Some(_)) => None,
            _ => description(data_dir)?,
        };
        // Where another core is meant, so is another edge.
        let edge_url = described
            .as_ref()
            .filter(|_| core_url.is_none())
            .and_then(Description::edge_url);
        let or = |given: Option<String>, name: &str, of: fn(Description) -> String| {
            given
                .or_else(|| described.clone().map(of))
                .ok_or_else(|| not_found(data_dir, name))
        };
        let system = Self::connect(
            or(core_url, CORE_URL, |described| described.identity_grpc)?,
            or(session_url, SESSION_URL, |described| described.session_grpc)?,
            &Secret::new(or(key, SERVICE_KEY, |described| described.service_key)?),
        )?;
        Ok(System { edge_url, ..system })
    }

    /// At these addresses. Connects when first used.
    pub fn connect(core_url: String, session_url: String, key: &Secret) -> Result<Self, Failure> {
        let wrong = |error: anyhow::Error| Failure::usage(format!("{error:#}"));
        let key = WithServiceKey::new(key).map_err(wrong)?;
        let open = |name: &str, url: &str| -> Result<Connection, Failure> {
            let channel = runtime::grpc::channel(url).map_err(|error| {
                Failure::usage(format!(
                    "{name} {url:?} is not a URL such as http://host:port: {error:#}"
                ))
            })?;
            Ok(InterceptedService::new(channel, key.clone()))
        };
        Ok(System {
            core: open(CORE_URL, &core_url)?,
            sessions: open(SESSION_URL, &session_url)?,
            core_url,
            session_url,
            edge_url: None,
        })
    }

    /// Where identity providers reach the system, if `dev` said it: without a path, and without a slash at the end.
    pub fn edge_url(&self) -> Option<&str> {
        self.edge_url.as_deref()
    }

    /// What to check when nobody answers.
    pub fn advice(&self) -> String {
        format!(
            "looked for identity-core at {} and session-service at {}: see that they run (`portcullis` starts all)",
            self.core_url, self.session_url
        )
    }

    pub fn tenants(&self) -> TenantServiceClient<Connection> {
        TenantServiceClient::new(self.core.clone())
    }

    pub fn credentials(&self) -> CredentialServiceClient<Connection> {
        CredentialServiceClient::new(self.core.clone())
    }

    pub fn clients(&self) -> ClientServiceClient<Connection> {
        ClientServiceClient::new(self.core.clone())
    }

    pub fn audit(&self) -> AuditServiceClient<Connection> {
        AuditServiceClient::new(self.core.clone())
    }

    pub fn users(&self) -> UserServiceClient<Connection> {
        UserServiceClient::new(self.core.clone())
    }

    pub fn groups(&self) -> GroupServiceClient<Connection> {
        GroupServiceClient::new(self.core.clone())
    }

    pub fn events(&self) -> EventServiceClient<Connection> {
        EventServiceClient::new(self.core.clone())
    }

    pub fn access(&self) -> AccessServiceClient<Connection> {
        AccessServiceClient::new(self.core.clone())
    }

    pub fn sessions(&self) -> SessionServiceClient<Connection> {
        SessionServiceClient::new(self.sessions.clone())
    }
}

/// Empty counts as not set, as shells and compose files mean it.
fn setting(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// The key, by itself or from the file that holds it.
fn service_key() -> Result<Option<String>, Failure> {
    let (value, file) = (setting(SERVICE_KEY), setting(SERVICE_KEY_FILE));
    if file.is_none() {
        return Ok(value);
    }
    let key = Secret::from_setting(
        SERVICE_KEY,
        value.map(Secret::new).as_ref(),
        file.as_ref().map(Path::new),
    );
    let key = key.map_err(|error| Failure::usage(format!("{error:#}")))?;
    Ok(Some(key.expose().to_owned()))
}

fn description(data_dir: &Path) -> Result<Option<Description>, Failure> {
    let path = data_dir.join(Description::FILE);
    match fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text).map(Some).map_err(|error| {
            Failure::refused(format!(
                "{} is damaged ({error}): start `portcullis` again",
                path.display()
            ))
        }),
        Err(_) => Ok(None),
    }
}

fn not_found(data_dir: &Path, name: &str) -> Failure {
    Failure::unreachable(format!(
        "no system runs here ({} does not exist): start one with `portcullis`, give --data-dir, or set {name}",
        data_dir.join(Description::FILE).display()
    ))
}
