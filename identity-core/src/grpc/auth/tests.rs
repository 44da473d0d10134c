use std::collections::BTreeSet;
use std::path::Path;

use prost::Message;
use prost_types::FileDescriptorSet;
use runtime::Secret;
use tonic::metadata::MetadataMap;

use super::*;

fn key(role: &str, tenants: &str) -> ServiceKey {
    let text = Secret::new(format!("name:{role}:0123456789abcdef{tenants}"));
    let mut metadata = MetadataMap::new();
    metadata.insert("authorization", "Bearer 0123456789abcdef".parse().unwrap());
    let keys = ServiceKeys::parse("PORTCULLIS_SERVICE_KEYS", &text, &ROLES).unwrap();
    keys.authenticate(&metadata).unwrap().clone()
}

#[test]
fn every_method_of_the_contract_is_in_the_table() {
    let set = FileDescriptorSet::decode(identity_proto::FILE_DESCRIPTOR_SET).unwrap();
    let mut contract = BTreeSet::new();
    for file in set.file.iter().filter(|file| file.package() == "identity.v1") {
        for service in &file.service {
            for method in &service.method {
                contract.insert(format!("/identity.v1.{}/{}", service.name(), method.name()));
            }
        }
    }
    let table: BTreeSet<_> = methods::METHODS
        .iter()
        .filter(|method| method.path.starts_with("/identity.v1."))
        .map(|method| method.path.to_owned())
        .collect();
    assert_eq!(table, contract);
}

#[test]
fn roles_reach_their_methods_and_no_other() {
    let check = |role: &str, path: &str, expect: bool| {
        assert_eq!(methods::allowed(path, &key(role, "")).is_ok(), expect, "{role} {path}");
    };
    check("edge", "/identity.v1.UserService/PatchUser", true);
    check("edge", "/identity.v1.CredentialService/Authenticate", true);
    check("edge", "/identity.v1.AccessService/EndAccess", false);
    check("edge", "/identity.v1.TenantService/ListTenants", false);
    check("sessions", "/identity.v1.AccessService/ResolveAccess", true);
    check("sessions", "/identity.v1.UserService/GetUser", true);
    check("sessions", "/identity.v1.UserService/DeleteUser", false);
    check("platform", "/identity.v1.AccessService/GetAccess", true);
    check("platform", "/identity.v1.AccessService/EndAccess", false);
    check("platform", "/identity.v1.AccessService/ListAccessChanges", true);
    check("sessions", "/identity.v1.AccessService/ListAccessChanges", false);
    check("edge", "/identity.v1.AccessService/ListAccessChanges", false);
    check("platform", "/identity.v1.CredentialService/CreateToken", false);
    check("admin", "/identity.v1.TenantService/DeleteTenant", true);
    check("admin", "/identity.v1.UserService/NoSuchMethod", false);
    check(
        "platform",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        true,
    );
    check("admin", "identity.v1.UserService/GetUser", false);
    check("admin", "/identity.v1.UserService/GetUser/", false);
}

#[test]
fn a_key_that_is_limited_to_tenants_reaches_those_alone() {
    let (mine, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let key = key("admin", &format!(":{mine}"));
    assert!(methods::allowed("/identity.v1.TenantService/ListTenants", &key).is_err());
    assert!(methods::allowed("/identity.v1.UserService/GetUser", &key).is_ok());
    let caller = Caller::Service(key);
    assert_eq!(caller.tenant(&mine.to_string()).unwrap().uuid(), mine);
    for wrong in [other.to_string(), String::new(), "acme".to_owned()] {
        assert_eq!(
            caller.tenant(&wrong).unwrap_err().reason,
            ErrorReason::NotFound,
            "{wrong}"
        );
    }
}

#[test]
fn a_scim_caller_cannot_name_a_tenant() {
    let tenant = Uuid::from_u128(1);
    let caller = Caller::Scim(Arc::new(Credential {
        id: Uuid::from_u128(9),
        tenant,
        scopes: vec![],
        of_client: false,
        profile: identity_proto::identity::v1::tenant::Profile::Interop,
        quirks: Vec::new(),
        refuse_passwords: false,
    }));
    assert_eq!(caller.tenant("").unwrap().uuid(), tenant);
    assert_eq!(
        caller.tenant(&tenant.to_string()).unwrap_err().reason,
        ErrorReason::InvalidValue
    );
}

/// The invariant behind `TenantId`: read in the sources themselves.
#[test]
fn only_authentication_makes_a_tenant_id() {
    let mut makers = BTreeSet::new();
    search(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut makers);
    let expect = ["src/grpc/auth.rs", "src/store/tests.rs"].map(str::to_owned);
    assert_eq!(makers, BTreeSet::from(expect));
}

fn search(folder: &Path, makers: &mut BTreeSet<String>) {
    let needle = concat!("TenantId", "::authenticated(");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            search(&path, makers);
        } else if std::fs::read_to_string(&path).unwrap().contains(needle) {
            let name = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap();
            makers.insert(name.display().to_string());
        }
    }
}
