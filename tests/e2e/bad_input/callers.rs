//! Callers that reach for what is not theirs: with wrong tokens, ids of another tenant, odd paths, or attributes that
//! the server owns.

use e2e::Tenant;
use e2e::raw_http;
use e2e::scim::{Scim, user};
use serde_json::json;
use uuid::Uuid;

use super::{Scene, is_error};
use crate::system;

#[tokio::test]
async fn tokens_that_are_not_valid() {
    let scene = Scene::set().await;
    let scim = &scene.tenant.scim;
    let token = scim.token().expect("a token");
    let shortened = &token[..token.len() - 6];
    let lengthened = format!("{token}x");
    let never_issued = identity_proto::credential::Kind::Token.write([7; 32]);
    for wrong in [
        None,
        Some("x"),
        Some(shortened),
        Some(lengthened.as_str()),
        Some(never_issued.as_str()),
    ] {
        let stranger = scim.as_bearer(wrong);
        let paths = ["/Users", scene.path.as_str(), "/ServiceProviderConfig", "/NoSuchThing"];
        for path in paths {
            let answer = stranger.get(path).await;
            is_error(&answer, &[401], "", &format!("{wrong:?} {path}"));
            assert!(answer.header("www-authenticate").starts_with("Bearer"), "{answer:?}");
        }
        is_error(&stranger.delete(&scene.path).await, &[401], "", "DELETE");
    }
    let created = system()
        .cli(&[
            "token",
            "create",
            "--tenant",
            &scene.tenant.name,
            "--scope",
            "scim.read",
        ])
        .await;
    let reader = scim.as_bearer(Some(&created.text("token")));
    assert_eq!(reader.get(&scene.path).await.status, 200);
    is_error(&reader.delete(&scene.path).await, &[403], "", "DELETE by a reader");
    is_error(
        &reader.post("/Users", &user("r@x.test")).await,
        &[403],
        "",
        "POST by a reader",
    );
    scene.is_unchanged("wrong tokens").await;
}

#[tokio::test]
async fn ids_of_another_tenant_are_ids_of_nobody() {
    let (scene, foreign) = (Scene::set().await, Tenant::create(system()).await);
    let own = foreign.user().await;
    let session = scene
        .tenant
        .log_in(scene.path.trim_start_matches("/Users/"))
        .await
        .expect("a session");
    let nobody = format!("/Users/{}", Uuid::new_v4());
    let name = scene.before.json["userName"].as_str().expect("a name");
    let off = json!([{"op": "replace", "path": "active", "value": false}]);
    let every = async |scim: &Scim, path: &str| {
        [
            scim.get(path).await,
            scim.put(path, &user("taken-over@x.test")).await,
            scim.patch(path, &off).await,
            scim.delete(path).await,
        ]
    };
    let theirs = every(&foreign.scim, &scene.path).await;
    let unknown = every(&foreign.scim, &nobody).await;
    for (theirs, unknown) in theirs.iter().zip(&unknown) {
        is_error(theirs, &[404], "", "another tenant's id");
        assert_eq!(
            theirs.text, unknown.text,
            "another tenant's id is told from an unknown one"
        );
    }
    let id = scene.path.trim_start_matches("/Users/");
    for filter in [format!("id eq \"{id}\""), format!("userName eq \"{name}\"")] {
        assert_eq!(foreign.scim.find(&filter).await.json["totalResults"], 0, "{filter}");
    }
    // Names are per tenant, so a conflict tells nothing.
    assert_eq!(foreign.scim.post("/Users", &user(name)).await.status, 201);
    for odd in [
        "/Users/x",
        "/Users/../Users",
        "/Users/%00",
        "/Users/%ff",
        "/Users/1%2F2",
    ] {
        let answer = foreign.scim.get(odd).await;
        assert!(
            [400, 404].contains(&answer.status) || odd.contains(".."),
            "{odd}: {answer:?}"
        );
    }
    assert_eq!(foreign.scim.get(&format!("/Users/{own}")).await.status, 200);
    assert!(scene.tenant.validate(&session).await.expect("an answer").valid);
    scene.is_unchanged("requests of another tenant").await;
}

#[tokio::test]
async fn paths_that_dodge_routing() {
    let scene = Scene::set().await;
    let scim = &scene.tenant.scim;
    let bearer = format!("Bearer {}", scim.token().expect("a token"));
    let id = scene.path.trim_start_matches("/Users/");
    let targets = [
        "/scim%2Fv2%2FUsers".to_owned(),
        "//scim//v2//Users".to_owned(),
        "/scim/v2/./Users".to_owned(),
        "/scim/v2/Groups/../Users".to_owned(),
        "/scim/v2/%2e%2e/v2/Users".to_owned(),
        "/scim/v2/Users;x=y".to_owned(),
        "/SCIM/V2/USERS".to_owned(),
        "/scim/v2/%55sers".to_owned(),
        "/scim/v2/Users%00".to_owned(),
        "/scim/v2/Users%20".to_owned(),
        "/scim/v2/Users\\".to_owned(),
        format!("/scim/v2/Users/{id}%2f..%2f..%2fUsers"),
        format!("/scim/v2/Users/{id}%00"),
        format!("/healthz/../scim/v2/Users/{id}"),
    ];
    for target in &targets {
        let stranger = raw_http::send(scim.base(), "GET", target, &[]).await;
        assert!(
            [400, 401, 404].contains(&stranger.status),
            "{target} without a token: {stranger:?}"
        );
        assert!(!stranger.text.contains("userName"), "{target}: {stranger:?}");
        let known = raw_http::send(scim.base(), "GET", target, &[("Authorization", &bearer)]).await;
        assert!([400, 404].contains(&known.status), "{target} with a token: {known:?}");
    }
    let two = [("Authorization", bearer.as_str()), ("Authorization", bearer.as_str())];
    let answer = raw_http::send(scim.base(), "GET", "/scim/v2/Users", &two).await;
    assert!(
        [400, 401].contains(&answer.status),
        "two Authorization headers: {answer:?}"
    );
    let overridden = [
        ("Authorization", bearer.as_str()),
        ("X-HTTP-Method-Override", "DELETE"),
        ("Content-Length", "0"),
    ];
    let target = format!("/scim/v2{}", scene.path);
    let answer = raw_http::send(scim.base(), "POST", &target, &overridden).await;
    assert_eq!(answer.status, 405, "{answer:?}");
    let metrics = raw_http::send(scim.base(), "GET", "/metrics", &[]).await;
    assert!([401, 404].contains(&metrics.status), "{metrics:?}");
    scene.is_unchanged("odd paths").await;
}

#[tokio::test]
async fn what_the_server_owns_cannot_be_set_and_a_password_is_never_shown() {
    let scene = Scene::set().await;
    let (scim, path) = (&scene.tenant.scim, scene.path.as_str());
    let id = scene.path.trim_start_matches("/Users/");
    let mut body = user("owned@x.test");
    body["id"] = json!(id);
    body["meta"] = json!({"created": "1999-01-01T00:00:00Z", "version": "W/\"77\"", "resourceType": "Group"});
    body["groups"] = json!([{"value": "admins"}]);
    body["password"] = json!("hunter2-hunter2");
    body["tenant_id"] = json!("x");
    let created = scim.post("/Users", &body).await;
    assert_eq!(created.status, 201, "{created:?}");
    assert_ne!(created.id(), id, "the client chose an id");
    assert_ne!(created.json["meta"]["created"], "1999-01-01T00:00:00Z");
    assert_eq!(created.json["meta"]["resourceType"], "User");
    let own = format!("/Users/{}", created.id());
    let secret = [
        scim.patch(
            &own,
            &json!([{"op": "replace", "path": "password", "value": "hunter2-again"}]),
        )
        .await,
        scim.get(&own).await,
        scim.get(&format!("{own}?attributes=password")).await,
        scim.get("/Users?attributes=password,userName").await,
        scim.put(&own, &body).await,
    ];
    for answer in secret.iter().chain([&created]) {
        assert!([200, 201].contains(&answer.status), "{answer:?}");
        assert!(!answer.text.contains("hunter2"), "{answer:?}");
        assert!(!answer.text.contains("\"password\""), "{answer:?}");
    }
    assert!(!system().log().contains("hunter2"), "the log shows a password");
    is_error(
        &scim.find("password eq \"hunter2-again\"").await,
        &[400],
        "invalidFilter",
        "a filter on password",
    );
    scim.delete(&own).await;
    let gone = scim.get(path).await;
    assert_eq!(gone.json, scene.before.json);
}
