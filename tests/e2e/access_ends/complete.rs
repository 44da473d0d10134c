//! Nobody adds a way to end access, or to write a user, without a row here: the methods of the contract, the handlers of
//! the edge's router and the statements of the core are compared with these tables. A row names the ways that try it, or
//! says why it cannot end anyone's access.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use super::ways::Birth::{self, Grpc, Post, PostWithString};
use super::ways::Way::{
    self, CliDeleteTenant, CliEndAccess, CliSuspendTenant, Delete, GrpcDelete, GrpcDeleteTenant, GrpcEndAccess,
    GrpcPatch, GrpcSuspendTenant, GrpcUpdate, PatchAdd, PatchAmongOthers, PatchRemove, PatchWithPath, PatchWithString,
    PatchWithoutPath, Put, PutWithString, RevokeUserSessions,
};
use super::ways::{BIRTHS, WAYS};
use crate::invariants::sources;

/// What a writer does to access.
enum Effect {
    /// Ends it: tried by these ways.
    Ends(&'static [Way]),
    /// Makes a user without it: tried by these births.
    Bears(&'static [Birth]),
    /// Why it cannot end anyone's.
    Cannot(&'static str),
}
use Effect::{Bears, Cannot, Ends};

const READS: Effect = Cannot("reads");
const GROUPS: Effect = Cannot("groups give no access");
const TOKENS: Effect = Cannot("tokens are identity providers'");
const GIVES: Effect = Cannot("gives access, or says who may have it");
const PATCHES: Effect = Ends(&[
    PatchWithPath,
    PatchWithoutPath,
    PatchWithString,
    PatchAdd,
    PatchAmongOthers,
    PatchRemove,
]);

/// Every method of identity.v1 and session.v1. The command line and the edge have no other way to the core.
const METHODS: [(&str, Effect); 59] = [
    ("identity.v1.UserService/GetUser", READS),
    ("identity.v1.UserService/ListUsers", READS),
    ("identity.v1.UserService/CreateUser", Bears(&[Grpc])),
    ("identity.v1.UserService/UpdateUser", Ends(&[GrpcUpdate])),
    ("identity.v1.UserService/PatchUser", Ends(&[GrpcPatch])),
    ("identity.v1.UserService/DeleteUser", Ends(&[GrpcDelete])),
    ("identity.v1.GroupService/GetGroup", READS),
    ("identity.v1.GroupService/ListGroups", READS),
    ("identity.v1.GroupService/ListMembers", READS),
    ("identity.v1.GroupService/ListGroupsOfUser", READS),
    ("identity.v1.GroupService/IsMember", READS),
    ("identity.v1.GroupService/CreateGroup", GROUPS),
    ("identity.v1.GroupService/UpdateGroup", GROUPS),
    ("identity.v1.GroupService/PatchGroup", GROUPS),
    ("identity.v1.GroupService/DeleteGroup", GROUPS),
    ("identity.v1.EventService/ListEvents", READS),
    ("identity.v1.EventService/Subscribe", READS),
    (
        "identity.v1.EventService/AcknowledgeEvents",
        Cannot("says how far a consumer came"),
    ),
    ("identity.v1.EventService/ListEventConsumers", READS),
    (
        "identity.v1.EventService/DeleteEventConsumer",
        Cannot("forgets a consumer"),
    ),
    ("identity.v1.AccessService/GetAccess", READS),
    (
        "identity.v1.AccessService/EndAccess",
        Ends(&[GrpcEndAccess, CliEndAccess]),
    ),
    ("identity.v1.AccessService/ListAccessChanges", READS),
    ("identity.v1.AccessService/BeginLogin", GIVES),
    ("identity.v1.AccessService/CheckLogin", GIVES),
    ("identity.v1.AccessService/ResolveAccess", READS),
    (
        "identity.v1.AccessService/AcknowledgePrune",
        Cannot("counts what ended before"),
    ),
    (
        "identity.v1.TenantService/CreateTenant",
        Cannot("a new tenant has no users"),
    ),
    ("identity.v1.TenantService/GetTenant", READS),
    ("identity.v1.TenantService/ListTenants", READS),
    (
        "identity.v1.TenantService/SetScim",
        Cannot("lets identity providers in or not; users stay as they are"),
    ),
    (
        "identity.v1.TenantService/SetProfile",
        Cannot("says how requests are read"),
    ),
    (
        "identity.v1.TenantService/SuspendTenant",
        Ends(&[GrpcSuspendTenant, CliSuspendTenant]),
    ),
    ("identity.v1.TenantService/ResumeTenant", GIVES),
    (
        "identity.v1.TenantService/DeleteTenant",
        Ends(&[GrpcDeleteTenant, CliDeleteTenant]),
    ),
    ("identity.v1.CredentialService/CreateToken", TOKENS),
    ("identity.v1.CredentialService/ListTokens", READS),
    ("identity.v1.CredentialService/RevokeToken", TOKENS),
    ("identity.v1.CredentialService/Authenticate", READS),
    ("identity.v1.CredentialService/RotateToken", TOKENS),
    ("identity.v1.ClientService/CreateClient", TOKENS),
    ("identity.v1.ClientService/ListClients", READS),
    ("identity.v1.ClientService/RotateClientSecret", TOKENS),
    ("identity.v1.ClientService/RevokeClient", TOKENS),
    ("identity.v1.AuditService/ListAuditEntries", READS),
    ("identity.v1.OAuthService/GetAuthorization", READS),
    ("identity.v1.OAuthService/Authorize", TOKENS),
    ("identity.v1.OAuthService/IssueToken", TOKENS),
    ("identity.v1.OAuthService/IntrospectToken", READS),
    ("identity.v1.OAuthService/RevokeIssuedToken", TOKENS),
    ("session.v1.SessionService/BeginLogin", GIVES),
    ("session.v1.SessionService/CreateSession", GIVES),
    ("session.v1.SessionService/ValidateSession", READS),
    ("session.v1.SessionService/ListSessions", READS),
    (
        "session.v1.SessionService/RevokeSession",
        Cannot("logs one session out: e2e::sessions"),
    ),
    (
        "session.v1.SessionService/RevokeUserSessions",
        Ends(&[RevokeUserSessions]),
    ),
    ("session.v1.SessionService/ListDeadLetters", READS),
    (
        "session.v1.SessionService/ReplayDeadLetter",
        Cannot("tries again what ended before"),
    ),
    (
        "session.v1.SessionService/DeleteDeadLetter",
        Cannot("forgets an event; the register has moved"),
    ),
];

/// Every handler of the edge's router.
const HANDLERS: [(&str, Effect); 26] = [
    ("search::search_all", READS),
    ("search::search_users", READS),
    ("search::search_groups", READS),
    ("users::list", READS),
    ("users::create", Bears(&[Post, PostWithString])),
    ("users::get", READS),
    ("users::replace", Ends(&[Put, PutWithString])),
    ("users::patch", PATCHES),
    ("users::delete", Ends(&[Delete])),
    ("groups::list", READS),
    ("groups::create", GROUPS),
    ("groups::get", READS),
    ("groups::replace", GROUPS),
    ("groups::patch", GROUPS),
    ("groups::delete", GROUPS),
    ("discovery::service_provider_config", READS),
    ("discovery::schemas", READS),
    ("discovery::schema", READS),
    ("discovery::resource_types", READS),
    ("discovery::resource_type", READS),
    ("metadata::metadata", READS),
    ("authorize::show", READS),
    ("authorize::decide", TOKENS),
    ("token::issue", TOKENS),
    ("issued::revoke", TOKENS),
    ("issued::introspect", READS),
];
/// Paths that are answered by a closure: none of them does anything.
const NOT_OFFERED: [&str; 2] = ["/Me", "/Bulk"];

/// Every file with a statement that moves an epoch, or writes a user or a tenant: which of the functions it calls.
const WRITERS: [(&str, &[&str], Effect); 10] = [
    (
        "users/create.rs",
        &["move_user_access"],
        Bears(&[Post, PostWithString, Grpc]),
    ),
    // A patch of `active` alone.
    (
        "users/set_active.rs",
        &["move_user_access"],
        Ends(&[PatchWithPath, PatchWithoutPath, PatchWithString, PatchAdd, GrpcPatch]),
    ),
    (
        "users/replace.rs",
        &["move_user_access"],
        Ends(&[Put, PutWithString, PatchAmongOthers, PatchRemove, GrpcUpdate]),
    ),
    ("users/delete.rs", &["move_user_access"], Ends(&[Delete, GrpcDelete])),
    (
        "access/standing.rs",
        &["end_user_access"],
        Ends(&[GrpcEndAccess, CliEndAccess, RevokeUserSessions]),
    ),
    (
        "tenants/create.rs",
        &["move_tenant_access"],
        Cannot("a new tenant has no users"),
    ),
    (
        "tenants/access.rs",
        &["move_tenant_access", "move_tenant_access"],
        Ends(&[GrpcSuspendTenant, CliSuspendTenant, GrpcDeleteTenant, CliDeleteTenant]),
    ),
    (
        "tenants/purge.rs",
        &[],
        Cannot("removes users of a tenant that was deleted before"),
    ),
    (
        "tenants/scim.rs",
        &[],
        Cannot("lets identity providers in or not; users stay as they are"),
    ),
    ("tenants/profile.rs", &[], Cannot("says how requests are read")),
];

#[test]
fn every_method_is_a_way_or_says_why_not() {
    let known = METHODS
        .iter()
        .map(|(name, _)| format!("/{name}"))
        .collect::<BTreeSet<_>>();
    let there: BTreeSet<_> = identity_proto::METHODS.iter().cloned().collect();
    same(
        &known,
        &there,
        "a method without a row in METHODS, or a row without a method",
    );
}

#[test]
fn every_handler_of_the_edge_is_a_way_or_says_why_not() {
    let source = text_of("scim-edge/src", "scim-edge/src/app.rs");
    let (_, router) = source.split_once("fn scim(").expect("the router of SCIM");
    let router = router.split("\n}\n").next().unwrap_or_default();
    let router = format!("{router}{}", text_of("scim-edge/src", "scim-edge/src/oauth/mod.rs"));
    let handler = Regex::new(r"\b(?:get|post|put|patch|delete|any)\(([a-z_]+::[a-z_]+)\)").expect("a pattern");
    let there: BTreeSet<_> = handler
        .captures_iter(&router)
        .map(|found| found[1].to_owned())
        .collect();
    let known = HANDLERS.iter().map(|(name, _)| (*name).to_owned()).collect();
    same(
        &known,
        &there,
        "a handler without a row in HANDLERS, or a row without a handler",
    );

    let closure = Regex::new(r#"route\(router, "([^"]+)", [a-z]+\(async \|"#).expect("a pattern");
    let there: BTreeSet<_> = closure
        .captures_iter(&router)
        .map(|found| found[1].to_owned())
        .collect();
    let known = NOT_OFFERED.map(str::to_owned).into();
    same(&known, &there, "a path that is answered in the router");
    let methods = Regex::new(r"\b(?:get|post|put|patch|delete|any|on)\(")
        .expect("a pattern")
        .find_iter(&router)
        .count();
    assert_eq!(
        methods,
        HANDLERS.len() + NOT_OFFERED.len(),
        "a route in a form that this test does not read"
    );
}

#[test]
fn every_statement_that_writes_users_or_access_is_a_way_or_says_why_not() {
    let moves = Regex::new(r"\b(move_user_access|end_user_access|move_tenant_access)\(").expect("a pattern");
    let writes = Regex::new(r"(?i)\b(insert\s+into|update|delete\s+from|merge\s+into)\s+(only\s+)?(users|tenant)\b");
    let writes = writes.expect("a pattern");
    let mut there: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, text) in sources("identity-core/src") {
        let called: Vec<_> = moves.captures_iter(&text).map(|found| found[1].to_owned()).collect();
        let name = path.trim_start_matches("identity-core/src/").to_owned();
        if !called.is_empty() || writes.is_match(&text) {
            there.insert(name, called);
        }
    }
    let functions = |called: &[&str]| called.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let known = WRITERS
        .iter()
        .map(|(path, called, _)| ((*path).to_owned(), functions(called)));
    assert_eq!(
        known.collect::<BTreeMap<_, _>>(),
        there,
        "a statement without a row in WRITERS, or a row without one"
    );
}

#[test]
fn the_tables_name_every_way_and_give_every_reason() {
    let effects = METHODS.iter().map(|(name, effect)| (*name, effect));
    let effects = effects.chain(HANDLERS.iter().map(|(name, effect)| (*name, effect)));
    let mut by_request = (BTreeSet::new(), BTreeSet::new());
    let mut by_statement = (BTreeSet::new(), BTreeSet::new());
    for (name, effect) in effects {
        collect(name, effect, &mut by_request);
    }
    for (name, _, effect) in &WRITERS {
        collect(name, effect, &mut by_statement);
    }
    let ways = WAYS.map(|(way, _)| format!("{way:?}")).into();
    let births = BIRTHS.map(|birth| format!("{birth:?}")).into();
    for (named_ways, named_births) in [&by_request, &by_statement] {
        same(named_ways, &ways, "ways that are named and ways that are tried");
        same(named_births, &births, "births that are named and births that are tried");
    }
}

fn collect(name: &str, effect: &Effect, (ways, births): &mut (BTreeSet<String>, BTreeSet<String>)) {
    match effect {
        Ends(by) => ways.extend(by.iter().map(|way| format!("{way:?}"))),
        Bears(by) => births.extend(by.iter().map(|birth| format!("{birth:?}"))),
        Cannot(why) => assert!(!why.is_empty(), "{name} has no reason"),
    }
}

fn same(known: &BTreeSet<String>, there: &BTreeSet<String>, what: &str) {
    let differ: Vec<_> = known.symmetric_difference(there).collect();
    assert!(differ.is_empty(), "{what}: {differ:?}");
}

fn text_of(folder: &str, file: &str) -> String {
    let found = sources(folder).into_iter().find(|(path, _)| path == file);
    found.unwrap_or_else(|| panic!("{file} is gone")).1
}
