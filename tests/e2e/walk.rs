//! What the README says, done by hand: a tenant and a token by the command line, a user by SCIM, a session, and its end.

use std::time::{Duration, Instant};

use e2e::{System, Tenant, scim};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::system;

#[tokio::test]
async fn a_user_is_provisioned_and_its_session_ends_with_its_access() {
    let system = system();
    let tenant = format!("walk-{}", Uuid::new_v4().simple());
    let created = system.cli(&["tenant", "create", &tenant]).await.done();
    assert_eq!(created["name"], tenant.as_str());
    let token = system
        .cli(&["token", "create", "--tenant", &tenant])
        .await
        .text("token");
    let scim = system.scim_with(&token);
    let name = "ann@example.test";
    let id = scim.create_user(name).await;

    let login = system
        .cli(&["login", "begin", "--tenant", &tenant])
        .await
        .text("login_token");
    let session = system
        .cli(&["session", "create", "--login", &login, &id])
        .await
        .text("session_token");
    let valid = system.cli(&["session", "validate", &session]).await.done();
    assert_eq!((&valid["valid"], &valid["user_id"]), (&json!(true), &json!(id)));

    let as_service = Tenant {
        id: created["id"].as_str().expect("an id").to_owned(),
        name: tenant.clone(),
        scim: scim.clone(),
        grpc: system.grpc(),
    };
    let off = json!([{"op": "replace", "path": "active", "value": false}]);
    let answer = scim.patch(&format!("/Users/{id}"), &off).await;
    let since = Instant::now();
    assert_eq!(
        (answer.status, &answer.json["active"]),
        (200, &json!(false)),
        "{answer:?}"
    );
    let last = as_service.last_valid(&session, since).await;
    println!(
        "E = {:.1} ms from the 2xx to the last successful validation",
        last.as_secs_f64() * 1_000.0
    );

    let refused = system.cli(&["session", "validate", &session]).await;
    assert_eq!(
        (refused.exit, &refused.json[0]["valid"]),
        (1, &json!(false)),
        "{refused:?}"
    );
    let shown = shown_with_pruned(system, &tenant, name).await;
    assert_eq!(shown["state"], "inactive");
    assert!(shown["applied_at"].is_string() && shown["epoch"].is_i64(), "{shown}");

    let on = json!([{"op": "replace", "path": "active", "value": true}]);
    assert_eq!(scim.patch(&format!("/Users/{id}"), &on).await.status, 200);
    assert_eq!(
        system.cli(&["session", "validate", &session]).await.exit,
        1,
        "reactivation revived a session"
    );
    assert!(as_service.log_in(&id).await.is_ok());
}

/// Pruning follows soon; nothing rests on when.
async fn shown_with_pruned(system: &System, tenant: &str, user: &str) -> Value {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let shown = system.cli(&["access", "show", "--tenant", tenant, user]).await.done();
        if shown["pruned"] == 1 || Instant::now() > deadline {
            assert_eq!(shown["pruned"], 1, "{shown}");
            return shown;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn the_command_line_answers_with_the_exit_codes_that_scripts_rely_on() {
    let system = system();
    let missing = Uuid::new_v4().to_string();
    let check = async |arguments: &[&str], exit: i32| {
        let outcome = system.cli(arguments).await;
        assert_eq!(outcome.exit, exit, "{arguments:?}: {outcome:?}");
        if exit != 0 {
            assert!(!outcome.stderr.trim().is_empty(), "{arguments:?} gave no reason");
        }
    };
    check(&["tenant", "list"], 0).await;
    check(&["tenant", "show", &missing], 1).await;
    check(&["tenant", "create", "Not A Name"], 1).await;
    check(&["token", "revoke", &missing], 1).await;
    check(&["session", "validate", "nonsense"], 1).await;
    check(&["tenant"], 2).await;
    check(&["no-such-command"], 2).await;
    check(&["tenant", "create", "x", "--no-such-flag"], 2).await;
}

#[tokio::test]
async fn a_revoked_token_is_dead_within_a_second() {
    let system = system();
    let tenant = Tenant::create(system).await;
    let created = system.cli(&["token", "create", "--tenant", &tenant.name]).await.done();
    let (id, token) = (
        created["id"].as_str().expect("an id"),
        created["token"].as_str().expect("a token"),
    );
    assert!(created["expires_at"].is_string(), "{created}");
    let client = system.scim_with(token);
    assert_eq!(client.get("/Users?count=1").await.status, 200);
    assert_eq!(system.cli(&["token", "revoke", id]).await.exit, 0);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(client.get("/Users?count=1").await.status, 401);
    assert_eq!(
        tenant.scim.get("/Users?count=1").await.status,
        200,
        "the other token still works"
    );
}

#[tokio::test]
async fn a_tenant_without_scim_is_told_so() {
    let system = system();
    let tenant = Tenant::create(system).await;
    assert_eq!(system.cli(&["tenant", "disable-scim", &tenant.name]).await.exit, 0);
    let deadline = Instant::now() + Duration::from_secs(1);
    let answer = loop {
        let answer = tenant.scim.get("/Users").await;
        if answer.status != 200 || Instant::now() > deadline {
            break answer;
        }
    };
    assert_eq!(
        (answer.status, &answer.json["schemas"][0]),
        (403, &json!(scim::ERROR)),
        "{answer:?}"
    );
    let detail = answer.json["detail"].as_str().unwrap_or_default();
    assert!(detail.to_lowercase().contains("scim"), "{detail}");
    assert_eq!(system.cli(&["tenant", "enable-scim", &tenant.name]).await.exit, 0);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(tenant.scim.get("/Users").await.status, 200);
}
