//! Bad input gets the right status and a SCIM error body, and changes nothing: the user that is there before is there
//! after, of the same version, and nobody was added.

use e2e::Tenant;
use e2e::raw_http;
use e2e::replay::variables::percent;
use e2e::scim::{Answer, ERROR, SCIM_JSON, Scim, send, user};
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::system;

const SCHEMAS: &str = r#""schemas":["urn:ietf:params:scim:schemas:core:2.0:User"]"#;
const PATCH_SCHEMAS: &str = r#""schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"]"#;

/// A tenant with one user, to be found unchanged.
struct Scene {
    tenant: Tenant,
    path: String,
    before: Answer,
}

impl Scene {
    async fn set() -> Scene {
        let tenant = Tenant::create(system()).await;
        let path = format!("/Users/{}", tenant.user().await);
        let before = tenant.scim.get(&path).await;
        Scene { tenant, path, before }
    }

    /// Sends a body as it is and expects an error with one of these statuses.
    async fn refuses(
        &self,
        (method, path): (Method, &str),
        body: impl Into<String>,
        statuses: &[u16],
        scim_type: &str,
    ) {
        let body: String = body.into();
        let shown: String = body.chars().take(160).collect();
        let request = self
            .tenant
            .scim
            .request(method.clone(), path)
            .header(CONTENT_TYPE, SCIM_JSON)
            .body(body);
        is_error(
            &send(request).await,
            statuses,
            scim_type,
            &format!("{method} {path} {shown}"),
        );
        self.is_unchanged(&shown).await;
    }

    async fn is_unchanged(&self, after: &str) {
        let now = self.tenant.scim.get(&self.path).await;
        assert_eq!(
            now.header("etag"),
            self.before.header("etag"),
            "the version moved after {after}"
        );
        assert_eq!(now.json, self.before.json, "after {after}");
        let all = self.tenant.scim.get("/Users?count=0").await;
        assert_eq!(all.json["totalResults"], 1, "after {after}: {all:?}");
    }
}

/// Checks RFC 7644 section 3.12. An empty `scim_type` asks for none.
fn is_error(answer: &Answer, statuses: &[u16], scim_type: &str, what: &str) {
    assert!(statuses.contains(&answer.status), "{what}: {answer:?}");
    assert_eq!(answer.header("content-type"), SCIM_JSON, "{what}");
    assert_eq!(answer.json["schemas"], json!([ERROR]), "{what}: {answer:?}");
    assert_eq!(answer.json["status"], answer.status.to_string().as_str(), "{what}");
    assert_eq!(
        answer.json["scimType"].as_str().unwrap_or_default(),
        scim_type,
        "{what}: {answer:?}"
    );
    let detail = answer.json["detail"].as_str().unwrap_or_default();
    assert!(
        detail.len() > 10,
        "{what}: the detail must say what to change: {answer:?}"
    );
    for inner in ["panicked", "sqlx", "tonic", "src/", "SELECT ", "serde", "stack"] {
        assert!(!answer.text.contains(inner), "{what} shows {inner}: {answer:?}");
    }
}

#[tokio::test]
async fn bodies_that_are_no_user() {
    let scene = Scene::set().await;
    let post = (Method::POST, "/Users");
    let bodies = [
        ("{", "invalidSyntax"),
        ("", "invalidSyntax"),
        ("[]", "invalidSyntax"),
        ("\"user\"", "invalidSyntax"),
        (&format!("{{{SCHEMAS},\"userName\":"), "invalidSyntax"),
        (
            &format!("{{{SCHEMAS},\"userName\":\"a@x.test\"}} {{}}"),
            "invalidSyntax",
        ),
        (
            &format!("{{{SCHEMAS},\"userName\":\"a@x.test\",\"userName\":\"b@x.test\"}}"),
            "invalidSyntax",
        ),
        (
            &format!("{{{SCHEMAS},\"userName\":\"a@x.test\",\"USERNAME\":\"b@x.test\"}}"),
            "invalidSyntax",
        ),
        (
            &format!("{{{SCHEMAS},\"userName\":\"a\",\"name\":{{\"givenName\":\"a\",\"givenName\":\"b\"}}}}"),
            "invalidSyntax",
        ),
        (&format!("{{{SCHEMAS},\"userName\":\"\\ud800x\"}}"), "invalidSyntax"),
        (
            &format!("{{{SCHEMAS},\"userName\":\"nul\\u0000@x.test\"}}"),
            "invalidValue",
        ),
        (
            &format!("{{{SCHEMAS},\"userName\":\"a@x.test\",\"title\":\"nul\\u0000\"}}"),
            "invalidValue",
        ),
        (&format!("{{{SCHEMAS}}}"), "invalidValue"),
        (&format!("{{{SCHEMAS},\"userName\":\"\"}}"), "invalidValue"),
        (&format!("{{{SCHEMAS},\"userName\":null}}"), "invalidValue"),
        (&format!("{{{SCHEMAS},\"userName\":7}}"), "invalidValue"),
        (
            &format!("{{{SCHEMAS},\"userName\":\"a@x.test\",\"active\":\"perhaps\"}}"),
            "invalidValue",
        ),
        (
            &format!("{{{SCHEMAS},\"userName\":\"a@x.test\",\"active\":7}}"),
            "invalidValue",
        ),
        (
            &format!("{{{SCHEMAS},\"userName\":\"a@x.test\",\"emails\":\"a@x.test\"}}"),
            "invalidValue",
        ),
        (
            &format!("{{{SCHEMAS},\"userName\":\"a@x.test\",\"emails\":[7]}}"),
            "invalidValue",
        ),
        (
            &format!("{{{SCHEMAS},\"userName\":\"a@x.test\",\"name\":\"A\"}}"),
            "invalidValue",
        ),
        (
            &format!("{{{SCHEMAS},\"userName\":\"a@x.test\",\"externalId\":1}}"),
            "invalidValue",
        ),
        (
            &format!("{{{SCHEMAS},\"userName\":\"a@x.test\",\"title\":1e400}}"),
            "invalidSyntax",
        ),
    ];
    for (body, scim_type) in bodies {
        scene.refuses(post.clone(), body, &[400], scim_type).await;
    }
    let deep = format!(
        "{{{SCHEMAS},\"userName\":\"a@x.test\",\"x\":{}{}}}",
        "[".repeat(10_000),
        "]".repeat(10_000)
    );
    scene.refuses(post.clone(), deep, &[400], "invalidSyntax").await;
    let taken = scene.before.json["userName"].as_str().expect("a name").to_uppercase();
    scene
        .refuses(post, user(&taken).to_string(), &[409], "uniqueness")
        .await;
}

#[tokio::test]
async fn patches_that_cannot_be_applied() {
    let scene = Scene::set().await;
    let path = scene.path.clone();
    let nested = format!("emails[{}]", vec!["type eq \"work\""; 5_000].join(" and "));
    let cases: [(Value, &[u16], &str); 17] = [
        (json!([]), &[400], "invalidSyntax"),
        (json!("x"), &[400], "invalidSyntax"),
        (json!([7]), &[400], "invalidSyntax"),
        (
            json!([{"op": "merge", "path": "title", "value": "x"}]),
            &[400],
            "invalidSyntax",
        ),
        (json!([{"path": "title", "value": "x"}]), &[400], "invalidSyntax"),
        (json!([{"op": "remove"}]), &[400], "noTarget"),
        (json!([{"op": "replace", "path": "title"}]), &[400], "invalidValue"),
        (
            json!([{"op": "replace", "path": "id", "value": "x"}]),
            &[400],
            "mutability",
        ),
        (
            json!([{"op": "replace", "path": "meta.version", "value": "x"}]),
            &[400],
            "mutability",
        ),
        (
            json!([{"op": "replace", "path": "groups", "value": []}]),
            &[400],
            "mutability",
        ),
        (
            json!([{"op": "replace", "path": "title[", "value": "x"}]),
            &[400],
            "invalidPath",
        ),
        (
            json!([{"op": "replace", "path": "title\u{0}", "value": "x"}]),
            &[400],
            "invalidValue",
        ),
        (
            json!([{"op": "replace", "path": nested, "value": {}}]),
            &[400],
            "invalidPath",
        ),
        (
            json!([{"op": "replace", "path": "active", "value": "perhaps"}]),
            &[400],
            "invalidValue",
        ),
        (
            json!([{"op": "replace", "path": "userName", "value": ""}]),
            &[400],
            "invalidValue",
        ),
        (json!([{"op": "remove", "path": "userName"}]), &[400], "mutability"),
        // All or none: the first operation alone could have been done.
        (
            json!([{"op": "replace", "path": "title", "value": "x"}, {"op": "replace", "path": "name.nope", "value": 1}]),
            &[400],
            "invalidPath",
        ),
    ];
    for (operations, statuses, scim_type) in cases {
        let body = format!("{{{PATCH_SCHEMAS},\"Operations\":{operations}}}");
        scene.refuses((Method::PATCH, &path), body, statuses, scim_type).await;
    }
    for body in [
        "{}".to_owned(),
        format!("{{{PATCH_SCHEMAS}}}"),
        format!(
            "{{{PATCH_SCHEMAS},\"Operations\":[{{\"op\":\"replace\",\"path\":\"active\",\"value\":true,\"value\":false}}]}}"
        ),
    ] {
        scene
            .refuses((Method::PATCH, &path), body, &[400], "invalidSyntax")
            .await;
    }
}

#[tokio::test]
async fn filters_and_pages_that_make_no_sense() {
    let scene = Scene::set().await;
    let scim = &scene.tenant.scim;
    let nested = |depth: usize| format!("{}userName pr{}", "(".repeat(depth), ")".repeat(depth));
    let nots = |depth: usize| format!("{}userName pr{}", "not (".repeat(depth), ")".repeat(depth));
    for filter in [
        "userName eq",
        "userName",
        "",
        "eq \"x\"",
        "userName eq \"x",
        "userName eq x",
        "userName zz \"x\"",
        "noSuchAttribute eq \"x\"",
        "userName eq \"x\" and",
        "(userName pr",
        "userName pr)",
        "emails[type eq \"work\"",
        "emails[emails[type pr]]",
        "active gt true",
        "userName eq \"nul\\u0000\"",
        "userName eq \"' OR 1=1 --\" or",
        &nested(100),
        &nots(100),
        &vec!["userName pr"; 2_000].join(" or "),
    ] {
        is_error(
            &scim.find(filter).await,
            &[400],
            "invalidFilter",
            &filter.chars().take(80).collect::<String>(),
        );
    }
    // Longer than a URI may be: refused as that, or as a filter, but refused by a server that lives.
    let bearer = format!("Bearer {}", scim.token().expect("a token"));
    for filter in [nested(10_000), nots(10_000)] {
        let target = format!("/scim/v2/Users?filter={}", percent(&filter));
        let answer = raw_http::send(scim.base(), "GET", &target, &[("Authorization", &bearer)]).await;
        assert!([400, 414, 431].contains(&answer.status), "{answer:?}");
    }
    for query in ["startIndex=1e3", "count=abc", "startIndex=x"] {
        is_error(
            &scim.get(&format!("/Users?{query}")).await,
            &[400],
            "invalidValue",
            query,
        );
    }
    // RFC 7644 section 3.4.2.4: below 1 is 1, a negative count is 0.
    for (query, found) in [
        ("startIndex=-5", 1),
        ("count=-1", 0),
        ("count=2147483648", 1),
        ("count=99999999999999999999999", 1),
        ("startIndex=2147483647", 0),
    ] {
        let answer = scim.get(&format!("/Users?{query}")).await;
        let resources = answer.json["Resources"].as_array().map_or(0, Vec::len);
        assert_eq!(
            (answer.status, resources, &answer.json["totalResults"]),
            (200, found, &json!(1)),
            "{answer:?}"
        );
    }
    // A quote in a value is a value.
    assert_eq!(scim.find("userName eq \"' OR 1=1 --\"").await.json["totalResults"], 0);
    assert_eq!(scim.find("userName sw \"%\"").await.json["totalResults"], 0);
    scene.is_unchanged("bad filters").await;
}

#[tokio::test]
async fn ten_megabytes_and_other_media() {
    let scene = Scene::set().await;
    let scim = &scene.tenant.scim;
    let body = format!(
        "{{{SCHEMAS},\"userName\":\"big@x.test\",\"title\":\"{}\"}}",
        "x".repeat(10 << 20)
    );
    let request = scim
        .request(Method::POST, "/Users")
        .header(CONTENT_TYPE, SCIM_JSON)
        .body(body);
    is_error(&send(request).await, &[413], "", "10 MB");
    scene.is_unchanged("10 MB").await;
    for media in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/scim+json; charset=latin1",
    ] {
        let body = user("media@x.test").to_string();
        let answer = send(
            scim.request(Method::POST, "/Users")
                .header(CONTENT_TYPE, media)
                .body(body),
        )
        .await;
        is_error(&answer, &[415], "", media);
    }
    scene.is_unchanged("other media").await;
}

#[tokio::test]
async fn versions_that_are_not_the_current_one() {
    let scene = Scene::set().await;
    let (scim, path) = (&scene.tenant.scim, scene.path.as_str());
    let name = scene.before.json["userName"].as_str().expect("a name").to_owned();
    let rename = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "replace", "path": "title", "value": "x"}],
    });
    let changes = [
        (Method::PATCH, rename.to_string()),
        (Method::PUT, user(&name).to_string()),
        (Method::DELETE, String::new()),
    ];
    for (method, body) in changes {
        for stale in ["W/\"999\"", "\"0\"", "W/\"0\", W/\"77\""] {
            let request = scim
                .request(method.clone(), path)
                .header("If-Match", stale)
                .header(CONTENT_TYPE, SCIM_JSON);
            is_error(
                &send(request.body(body.clone())).await,
                &[412],
                "",
                &format!("{method} If-Match {stale}"),
            );
        }
    }
    scene.is_unchanged("stale versions").await;
    let request = scim
        .request(Method::GET, path)
        .header("If-None-Match", scene.before.header("etag"));
    assert_eq!(send(request).await.status, 304);
    let request = scim
        .request(Method::PATCH, path)
        .header("If-Match", scene.before.header("etag"));
    let current = send(request.header(CONTENT_TYPE, SCIM_JSON).body(rename.to_string())).await;
    assert_eq!(current.status, 200, "{current:?}");
}

#[tokio::test]
async fn tokens_that_are_not_valid() {
    let scene = Scene::set().await;
    let scim = &scene.tenant.scim;
    let token = scim.token().expect("a token");
    let shortened = &token[..token.len() - 6];
    let lengthened = format!("{token}x");
    let never_issued = identity_proto::credential::token([7; 32]);
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
