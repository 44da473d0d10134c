//! Bad input gets the right status and a SCIM error body, and changes nothing: the user that is there before is there
//! after, of the same version, and nobody was added.

mod bodies;
mod callers;
mod queries;

use e2e::Tenant;
use e2e::scim::{Answer, ERROR, SCIM_JSON, send};
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::json;

use crate::system;

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
pub fn is_error(answer: &Answer, statuses: &[u16], scim_type: &str, what: &str) {
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
