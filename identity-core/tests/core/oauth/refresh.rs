//! Refresh tokens: rotation, the grace, and what reuse ends.

use std::collections::BTreeSet;

use identity_proto::identity::v1::ErrorReason;
use identity_proto::identity::v1::client::Kind;
use tokio::task::JoinSet;

use super::{Asking, by_refresh};
use crate::harness::*;

#[tokio::test]
async fn a_refresh_token_is_rotated_and_answers_the_same_for_a_moment() {
    let asking = Asking::start(Kind::Code).await;
    let first = asking.exchange(&asking.code().await, "").await.unwrap();
    let second = asking.refresh(&first.refresh_token).await.unwrap();
    assert_ne!(second.refresh_token, first.refresh_token);
    let again = asking.refresh(&first.refresh_token).await.unwrap();
    assert_eq!(
        (&again.access_token, &again.refresh_token),
        (&second.access_token, &second.refresh_token)
    );
    asking.enters(&second.access_token).await.unwrap();
    asking.enters(&first.access_token).await.unwrap();
    let third = asking.refresh(&second.refresh_token).await.unwrap();
    assert_ne!(third.refresh_token, second.refresh_token);
}

#[tokio::test]
async fn a_token_that_comes_after_the_grace_or_its_successor_ends_the_family() {
    for after_grace in [true, false] {
        let asking = Asking::start(Kind::Code).await;
        let first = asking.exchange(&asking.code().await, "").await.unwrap();
        let mut last = asking.refresh(&first.refresh_token).await.unwrap();
        if after_grace {
            sqlx::query("UPDATE refresh_token SET rotated_at = rotated_at - interval '10 seconds'")
                .execute(&asking.core.database)
                .await
                .unwrap();
        } else {
            last = asking.refresh(&last.refresh_token).await.unwrap();
        }
        refused(asking.refresh(&first.refresh_token).await, ErrorReason::GrantInvalid);
        refused(asking.refresh(&last.refresh_token).await, ErrorReason::GrantInvalid);
        for token in [&first.access_token, &last.access_token] {
            refused(asking.enters(token).await, ErrorReason::CredentialInvalid);
        }
    }
}

#[tokio::test]
async fn twenty_at_once_get_one_successor() {
    let asking = std::sync::Arc::new(Asking::start(Kind::Code).await);
    let first = asking.exchange(&asking.code().await, "").await.unwrap();
    let mut asked = JoinSet::new();
    for _ in 0..20 {
        let (asking, token) = (asking.clone(), first.refresh_token.clone());
        asked.spawn(async move { asking.issue(by_refresh(&token)).await.unwrap() });
    }
    let answers: BTreeSet<_> = asked
        .join_all()
        .await
        .into_iter()
        .map(|issued| (issued.access_token, issued.refresh_token))
        .collect();
    assert_eq!(answers.len(), 1);
    let members: i64 = sqlx::query_scalar("SELECT count(*) FROM refresh_token")
        .fetch_one(&asking.core.database)
        .await
        .unwrap();
    assert_eq!(members, 2, "the first and its successor");
}

#[tokio::test]
async fn revoking_a_refresh_token_ends_its_family_and_an_access_token_goes_alone() {
    let asking = Asking::start(Kind::Code).await;
    let first = asking.exchange(&asking.code().await, "").await.unwrap();
    let second = asking.refresh(&first.refresh_token).await.unwrap();
    assert!(asking.introspect(&first.access_token).await.active);
    asking.revoke(&first.access_token).await;
    assert!(!asking.introspect(&first.access_token).await.active);
    refused(asking.enters(&first.access_token).await, ErrorReason::CredentialInvalid);
    let told = asking.introspect(&second.refresh_token).await;
    assert!(told.active && told.refresh);
    assert_eq!(told.client_id, asking.client.id);
    asking.revoke(&second.refresh_token).await;
    assert!(!asking.introspect(&second.refresh_token).await.active);
    refused(
        asking.enters(&second.access_token).await,
        ErrorReason::CredentialInvalid,
    );
    asking.revoke("unknown").await;
}
