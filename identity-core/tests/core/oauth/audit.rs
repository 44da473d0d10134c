//! The audit log: what stands in it, and that it stays.

use identity_proto::identity::v1::client::Kind;
use identity_proto::identity::v1::*;

use super::Asking;

#[tokio::test]
async fn each_change_has_one_entry_with_its_actor() {
    let asking = Asking::start(Kind::Code).await;
    let issued = asking.exchange(&asking.code().await, "").await.unwrap();
    asking.refresh(&issued.refresh_token).await.unwrap();
    asking.revoke(&issued.refresh_token).await;
    let mut audit = asking.core.audit();
    let mut page_token = String::new();
    let mut entries = Vec::new();
    loop {
        let request = ListAuditEntriesRequest {
            tenant: "acme".to_owned(),
            page_size: 2,
            page_token,
        };
        let page = audit.list_audit_entries(request).await.unwrap().into_inner();
        assert!(page.entries.len() <= 2);
        entries.extend(page.entries);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let found: Vec<_> = entries
        .iter()
        .rev()
        .map(|entry| (entry.action.as_str(), entry.actor.split(':').next().unwrap()))
        .collect();
    assert_eq!(
        found,
        [
            ("token.create", "service"),
            ("client.create", "service"),
            ("grant.create", "credential"),
            ("token.issue", "client"),
            ("token.issue", "client"),
            ("grant.revoke", "client"),
        ]
    );
    assert!(entries.iter().any(|entry| entry.actor == "service:a"));
    let all = format!("{entries:?}");
    for secret in [&asking.key, &asking.secret, &issued.access_token, &issued.refresh_token] {
        assert!(!all.contains(secret.as_str()));
    }
}

#[tokio::test]
async fn nobody_changes_the_log() {
    let asking = Asking::start(Kind::Secret).await;
    for statement in ["UPDATE audit SET actor = 'x'", "DELETE FROM audit", "TRUNCATE audit"] {
        let error = sqlx::query(statement).execute(&asking.core.database).await.unwrap_err();
        assert!(error.to_string().contains("append-only"), "{error}");
    }
    let mut system = asking.core.database.acquire().await.unwrap();
    sqlx::query("SET ROLE portcullis_system")
        .execute(&mut *system)
        .await
        .unwrap();
    for statement in ["UPDATE audit SET actor = 'x'", "DELETE FROM audit"] {
        let error = sqlx::query(statement).execute(&mut *system).await.unwrap_err();
        assert!(error.to_string().contains("permission denied"), "{error}");
    }
    drop(system.detach());
}
