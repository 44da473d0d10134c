//! Bodies that cannot be read, or not as a user or a patch.

use e2e::scim::{SCIM_JSON, send, user};
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::{Scene, is_error};

const SCHEMAS: &str = r#""schemas":["urn:ietf:params:scim:schemas:core:2.0:User"]"#;
const PATCH_SCHEMAS: &str = r#""schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"]"#;

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
