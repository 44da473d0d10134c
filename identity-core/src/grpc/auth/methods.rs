//! The one table of who may call what. A method that is not in it may be called by nobody.

use std::time::Duration;

use identity_proto::identity::v1::ErrorReason;
use runtime::ServiceKey;

use crate::Error;
use crate::credentials::{READ, WRITE};

/// The SCIM edge: users of the tenant whose credential it forwards, and nothing else.
pub(super) const EDGE: &str = "edge";
/// The session service.
const SESSIONS: &str = "sessions";
/// The platform's own services: they read.
const PLATFORM: &str = "platform";
/// Administrators: everything.
const ADMIN: &str = "admin";

/// The roles that a service key may have.
pub(crate) const ROLES: [&str; 4] = [EDGE, SESSIONS, PLATFORM, ADMIN];

/// One method, or all under a prefix that ends with a slash.
#[derive(Debug)]
pub(super) struct Method {
    pub(super) path: &'static str,
    roles: &'static [&'static str],
    /// What a SCIM caller's token must hold.
    pub(super) scope: Option<&'static str>,
    /// Whether it concerns more than one tenant named by its id: not for keys that are limited to tenants.
    above_tenants: bool,
    /// Whether the edge may call it without a credential: the request says by itself who is behind it.
    open: bool,
}

const fn of_tenant(path: &'static str, roles: &'static [&'static str]) -> Method {
    Method {
        path,
        roles,
        scope: None,
        above_tenants: false,
        open: false,
    }
}

const fn scim(path: &'static str, roles: &'static [&'static str], scope: &'static str) -> Method {
    Method {
        path,
        roles,
        scope: Some(scope),
        above_tenants: false,
        open: false,
    }
}

const fn above_tenants(path: &'static str, roles: &'static [&'static str]) -> Method {
    Method {
        path,
        roles,
        scope: None,
        above_tenants: true,
        open: false,
    }
}

const fn open(path: &'static str, roles: &'static [&'static str]) -> Method {
    Method {
        path,
        roles,
        scope: None,
        above_tenants: false,
        open: true,
    }
}

pub(super) const METHODS: &[Method] = &[
    scim(
        "/identity.v1.UserService/GetUser",
        &[EDGE, SESSIONS, PLATFORM, ADMIN],
        READ,
    ),
    scim(
        "/identity.v1.UserService/ListUsers",
        &[EDGE, SESSIONS, PLATFORM, ADMIN],
        READ,
    ),
    scim("/identity.v1.UserService/CreateUser", &[EDGE, ADMIN], WRITE),
    scim("/identity.v1.UserService/UpdateUser", &[EDGE, ADMIN], WRITE),
    scim("/identity.v1.UserService/PatchUser", &[EDGE, ADMIN], WRITE),
    scim("/identity.v1.UserService/DeleteUser", &[EDGE, ADMIN], WRITE),
    scim("/identity.v1.GroupService/GetGroup", &[EDGE, PLATFORM, ADMIN], READ),
    scim("/identity.v1.GroupService/ListGroups", &[EDGE, PLATFORM, ADMIN], READ),
    scim("/identity.v1.GroupService/ListMembers", &[EDGE, PLATFORM, ADMIN], READ),
    scim("/identity.v1.GroupService/CreateGroup", &[EDGE, ADMIN], WRITE),
    scim("/identity.v1.GroupService/UpdateGroup", &[EDGE, ADMIN], WRITE),
    scim("/identity.v1.GroupService/PatchGroup", &[EDGE, ADMIN], WRITE),
    scim("/identity.v1.GroupService/DeleteGroup", &[EDGE, ADMIN], WRITE),
    of_tenant("/identity.v1.GroupService/ListGroupsOfUser", &[PLATFORM, ADMIN]),
    of_tenant("/identity.v1.GroupService/IsMember", &[PLATFORM, ADMIN]),
    of_tenant("/identity.v1.EventService/ListEvents", &[PLATFORM, ADMIN]),
    of_tenant("/identity.v1.EventService/Subscribe", &[PLATFORM, ADMIN]),
    of_tenant("/identity.v1.EventService/AcknowledgeEvents", &[PLATFORM, ADMIN]),
    of_tenant("/identity.v1.EventService/ListEventConsumers", &[PLATFORM, ADMIN]),
    of_tenant("/identity.v1.EventService/DeleteEventConsumer", &[PLATFORM, ADMIN]),
    of_tenant("/identity.v1.AccessService/GetAccess", &[SESSIONS, PLATFORM, ADMIN]),
    of_tenant("/identity.v1.AccessService/ListAccessChanges", &[PLATFORM, ADMIN]),
    of_tenant("/identity.v1.AccessService/EndAccess", &[SESSIONS, ADMIN]),
    of_tenant("/identity.v1.AccessService/BeginLogin", &[SESSIONS, ADMIN]),
    of_tenant("/identity.v1.AccessService/CheckLogin", &[SESSIONS, ADMIN]),
    of_tenant("/identity.v1.AccessService/ResolveAccess", &[SESSIONS, ADMIN]),
    of_tenant("/identity.v1.AccessService/AcknowledgePrune", &[SESSIONS, ADMIN]),
    above_tenants("/identity.v1.TenantService/CreateTenant", &[ADMIN]),
    above_tenants("/identity.v1.TenantService/GetTenant", &[ADMIN]),
    above_tenants("/identity.v1.TenantService/ListTenants", &[ADMIN]),
    above_tenants("/identity.v1.TenantService/SetScim", &[ADMIN]),
    above_tenants("/identity.v1.TenantService/SetProfile", &[ADMIN]),
    above_tenants("/identity.v1.TenantService/SuspendTenant", &[ADMIN]),
    above_tenants("/identity.v1.TenantService/ResumeTenant", &[ADMIN]),
    above_tenants("/identity.v1.TenantService/DeleteTenant", &[ADMIN]),
    above_tenants("/identity.v1.CredentialService/CreateToken", &[ADMIN]),
    above_tenants("/identity.v1.CredentialService/ListTokens", &[ADMIN]),
    above_tenants("/identity.v1.CredentialService/RevokeToken", &[ADMIN]),
    of_tenant("/identity.v1.CredentialService/Authenticate", &[EDGE]),
    above_tenants("/identity.v1.CredentialService/RotateToken", &[ADMIN]),
    above_tenants("/identity.v1.ClientService/CreateClient", &[ADMIN]),
    above_tenants("/identity.v1.ClientService/ListClients", &[ADMIN]),
    above_tenants("/identity.v1.ClientService/RotateClientSecret", &[ADMIN]),
    above_tenants("/identity.v1.ClientService/RevokeClient", &[ADMIN]),
    above_tenants("/identity.v1.AuditService/ListAuditEntries", &[ADMIN]),
    open("/identity.v1.OAuthService/GetAuthorization", &[EDGE]),
    of_tenant("/identity.v1.OAuthService/Authorize", &[EDGE]),
    open("/identity.v1.OAuthService/IssueToken", &[EDGE]),
    open("/identity.v1.OAuthService/IntrospectToken", &[EDGE]),
    open("/identity.v1.OAuthService/RevokeIssuedToken", &[EDGE]),
    open("/grpc.reflection.v1.ServerReflection/", &ROLES),
];

/// Whatever a call waits for, its caller is told before five seconds that it takes too long, unless it gave up by itself.
const DEADLINE: Duration = Duration::from_millis(4_500);
/// For what may have to write 100,000 members; the edge waits 25 seconds for it.
const LONG_DEADLINE: Duration = Duration::from_secs(23);

/// How long a call of this path may take.
pub(super) fn deadline(path: &str) -> Duration {
    let method = path.strip_prefix("/identity.v1.GroupService/").unwrap_or_default();
    match method {
        "CreateGroup" | "UpdateGroup" | "PatchGroup" | "DeleteGroup" => LONG_DEADLINE,
        _ => DEADLINE,
    }
}

/// The method of this path, if the key may call it.
pub(super) fn allowed(path: &str, key: &ServiceKey) -> Result<&'static Method, Error> {
    let method = METHODS
        .iter()
        .find(|method| match method.path.strip_suffix('/') {
            Some(_) => path.starts_with(method.path),
            None => path == method.path,
        })
        .filter(|method| method.roles.contains(&key.role.as_str()))
        .filter(|method| key.tenants.is_empty() || !method.above_tenants);
    method.ok_or_else(|| {
        let message = "this service key may not call this method; use a key of another role";
        Error::new(ErrorReason::MethodNotAllowed, message)
    })
}

impl Method {
    /// The edge acts for identity providers only: where tenants' data are concerned it must say for which.
    pub(super) fn needs_credential_from_edge(&self) -> bool {
        !self.open
    }
}
