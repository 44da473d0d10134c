//! The invariants of ARCHITECTURE.md that can be read off the sources. Comments and tests are left out: what they say
//! binds nobody.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

const SERVICES: [&str; 3] = ["identity-core", "scim-edge", "session-service"];
const OURS: [&str; 11] = [
    "e2e",
    "identity-core",
    "identity-proto",
    "local-stack",
    "oidc-login",
    "portcullis",
    "redis-topology",
    "runtime",
    "scim-edge",
    "session-service",
    "user-table",
];

/// Every package, its folder, and which of ours it may depend on.
const DIRECTION: [(&str, &[&str]); 11] = [
    ("proto", &[]),
    ("runtime", &[]),
    ("local-stack", &[]),
    ("topology", &["identity-proto"]),
    ("identity-core", &["identity-proto", "redis-topology", "runtime"]),
    ("session-service", &["identity-proto", "redis-topology", "runtime"]),
    ("scim-edge", &["identity-proto", "runtime"]),
    (
        "portcullis",
        &[
            "identity-core",
            "identity-proto",
            "local-stack",
            "runtime",
            "scim-edge",
            "session-service",
        ],
    ),
    ("examples/oidc-login", &["identity-proto", "runtime"]),
    ("examples/user-table", &["identity-proto", "runtime"]),
    (
        "tests",
        &[
            "identity-proto",
            "local-stack",
            "oidc-login",
            "portcullis",
            "runtime",
            "user-table",
        ],
    ),
];

#[test]
fn dependencies_point_one_way() {
    for (folder, allowed) in DIRECTION {
        let depends = dependencies(folder, &["dependencies", "build-dependencies"]);
        let wrong: Vec<_> = depends
            .iter()
            .filter(|name| OURS.contains(&name.as_str()) && !allowed.contains(&name.as_str()))
            .collect();
        assert!(wrong.is_empty(), "{folder} must not depend on {wrong:?}");
        // A service's tests also start servers.
        let for_tests = dependencies(folder, &["dev-dependencies"]);
        let wrong: Vec<_> = for_tests
            .iter()
            .filter(|name| OURS.contains(&name.as_str()) && !["local-stack", "redis-topology"].contains(&name.as_str()))
            .collect();
        assert!(wrong.is_empty(), "the tests of {folder} must not depend on {wrong:?}");
    }
}

#[test]
fn the_edge_has_no_database_and_the_core_no_http() {
    let check = |folder: &str, banned: &[&str]| {
        let depends = dependencies(folder, &["dependencies", "dev-dependencies", "build-dependencies"]);
        let found: Vec<_> = banned.iter().filter(|name| depends.contains(**name)).collect();
        assert!(found.is_empty(), "{folder} must not depend on {found:?}");
    };
    check("scim-edge", &["sqlx", "redis", "jiff-sqlx"]);
    check("identity-core", &["axum", "hyper"]);
    // As a client it asks for keys, in one place.
    only_in(
        &sources("identity-core/src"),
        r"\breqwest::",
        &["identity-core/src/assertions/fetch.rs"],
        "the core asks nobody else over HTTP",
    );
    check("session-service", &["axum", "sqlx"]);
    check("proto", &["axum", "sqlx", "redis", "tokio"]);
}

#[test]
fn every_crate_obeys_the_workspace_lints() {
    for (folder, _) in DIRECTION {
        let manifest = read(&root().join(folder).join("Cargo.toml"));
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "{folder} does not take the lints of the workspace"
        );
    }
    let lints = read(&root().join("Cargo.toml"));
    assert!(lints.contains("unsafe_code = \"forbid\"") && lints.contains("unwrap_used = \"deny\""));
    only_in(
        &everywhere(),
        r"#!?\[allow\(",
        &[],
        "#[expect(…, reason)] says why, and goes when it is needless",
    );
}

#[test]
fn an_http_error_status_is_chosen_in_one_table() {
    let errors = r"StatusCode::(BAD|UNAUTH|PAYMENT|FORBIDDEN|NOT_FOUND|NOT_ACCEPT|METHOD|CONFLICT|GONE|PRECONDITION|PAYLOAD|URI|UNSUPPORTED|UNPROC|TOO_MANY|REQUEST|INTERNAL|NOT_IMPL|SERVICE|GATEWAY|from_u16)";
    only_in(
        &sources("scim-edge/src"),
        errors,
        &["scim-edge/src/error.rs", "scim-edge/src/oauth/error.rs"],
        "error.rs is THE table, and oauth/error.rs that of OAuth",
    );
    only_in(
        &sources("identity-core/src"),
        "StatusCode|scimType|scim_type",
        &["identity-core/src/assertions/fetch.rs"],
        "the core answers no HTTP",
    );
}

#[test]
fn a_grpc_code_is_chosen_in_one_table() {
    let tables = ["identity-core/src/grpc/error.rs", "session-service/src/error.rs"];
    let services = SERVICES.iter().flat_map(|service| sources(&format!("{service}/src")));
    // OAuth has codes of its own.
    let (oauth, services): (Vec<_>, Vec<_>) = services.partition(|(path, _)| path.starts_with("scim-edge/src/oauth/"));
    only_in(
        &oauth,
        r"tonic::(\w+::)*\{?.*\bCode\b",
        &[],
        "OAuth's codes are not gRPC's",
    );
    only_in(
        &services,
        r"\bCode::[A-Z]",
        &tables,
        "a service has one table from failure to code",
    );
}

#[test]
fn identity_providers_are_named_only_where_their_quirks_are() {
    let names = r"(?i)\b(okta|entra|azure|keycloak|onelogin|jumpcloud|sailpoint|saviynt|pingfederate)";
    let mut files = everywhere();
    files.retain(|(path, _)| !path.starts_with("tests/") && !path.contains("/quirks"));
    // What is registered with them, and what their administrators are told.
    let connections = [
        "identity-core/src/clients/redirect_uri.rs",
        "portcullis/src/cli/credential.rs",
        "portcullis/src/commands/client/create.rs",
        "portcullis/src/commands/client/guide.rs",
    ];
    only_in(&files, names, &connections, "a deviation is a function in quirks.rs");
}

#[test]
fn epochs_move_only_in_three_functions_of_the_migration() {
    let writes = r"(?i)(insert\s+into|update|delete\s+from|merge\s+into)\s+(only\s+)?(user_access|tenant_access)\b";
    only_in(
        &everywhere(),
        writes,
        &[],
        "call move_user_access, end_user_access or move_tenant_access",
    );
    let migrations = files_of("identity-core/migrations", "sql");
    let pattern = Regex::new(writes).expect("a pattern");
    let found: usize = migrations.iter().map(|(_, text)| pattern.find_iter(text).count()).sum();
    assert_eq!(found, 3, "one statement in each of the functions");
}

#[test]
fn a_tenant_is_proven_only_by_authentication() {
    let core = sources("identity-core/src");
    let made = r"TenantId::authenticated";
    only_in(
        &core,
        made,
        &["identity-core/src/grpc/auth.rs"],
        "a TenantStore needs an authenticated tenant",
    );
    let inside = r"\bTenantId\(\s*[a-z]";
    only_in(
        &core,
        inside,
        &["identity-core/src/store/tenant.rs"],
        "TenantId has one constructor",
    );
}

#[test]
fn parsers_and_appliers_are_pure() {
    let mut pure = sources("scim-edge/src/scim");
    for module in ["filter", "patch", "validate", "keys"] {
        pure.extend(sources(&format!("identity-core/src/{module}")));
        pure.extend(
            sources("identity-core/src")
                .into_iter()
                .filter(|(path, _)| path == &format!("identity-core/src/{module}.rs")),
        );
    }
    assert!(pure.len() >= 15, "the pure modules were not found: {}", pure.len());
    let impure = r"\basync\b|\.await\b|::now\(|\bstd::(fs|net|env|process|thread|io)\b|\btokio::|\btonic::transport";
    only_in(&pure, impure, &[], "these modules are pure functions");
}

#[test]
fn names_say_what_things_are() {
    let banned = Regex::new(r"(manager|utils?|helpers?|common|entity|misc|processor)s?$").expect("a pattern");
    for (path, _) in everywhere() {
        let name = path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs");
        assert!(!banned.is_match(name), "{path}");
    }
    only_in(
        &everywhere(),
        r"(?i)\b(todo|unimplemented)!",
        &[],
        "what is not there is an issue, not a panic",
    );
}

/// Fails with every place outside of `allowed` where `pattern` matches.
fn only_in(files: &[(String, String)], pattern: &str, allowed: &[&str], why: &str) {
    assert!(!files.is_empty(), "no sources were found for {pattern}");
    let regex = Regex::new(pattern).expect("a pattern");
    for place in allowed {
        let there = files.iter().any(|(path, text)| path == place && regex.is_match(text));
        assert!(
            there,
            "{place} no longer holds {pattern}: this lint looks for something else now"
        );
    }
    let mut found = Vec::new();
    for (path, text) in files.iter().filter(|(path, _)| !allowed.contains(&path.as_str())) {
        found.extend(regex.find_iter(text).map(|hit| format!("{path}: {:?}", hit.as_str())));
    }
    assert!(found.is_empty(), "{why}: {found:#?}");
}

fn dependencies(folder: &str, sections: &[&str]) -> BTreeSet<String> {
    let manifest = read(&root().join(folder).join("Cargo.toml"));
    let mut section = String::new();
    let mut names = BTreeSet::new();
    for line in manifest.lines() {
        if let Some(header) = line.strip_prefix('[') {
            header.trim_end_matches(']').clone_into(&mut section);
        } else if sections.contains(&section.as_str())
            && let Some(name) = line.split(['.', '=', ' ']).next().filter(|name| !name.is_empty())
        {
            names.insert(name.to_owned());
        }
    }
    names
}

/// The sources of all packages.
fn everywhere() -> Vec<(String, String)> {
    DIRECTION
        .iter()
        .flat_map(|(folder, _)| sources(&format!("{folder}/src")))
        .collect()
}

/// Rust sources of a folder, without comments and unit tests.
pub(crate) fn sources(folder: &str) -> Vec<(String, String)> {
    let mut files = files_of(folder, "rs");
    files.retain(|(path, _)| !path.ends_with("/tests.rs") && !path.contains("/tests/"));
    for (_, text) in &mut files {
        let production = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let code = |line: &str| line.split(" // ").next().unwrap_or_default().to_owned();
        *text = production
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .map(|line| code(line) + "\n")
            .collect();
    }
    files
}

pub(crate) fn files_of(folder: &str, extension: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                let name = path.strip_prefix(root()).unwrap_or(&path).display().to_string();
                found.push((name, read(&path)));
            }
        }
    }
    found
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace")
        .to_owned()
}

pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
