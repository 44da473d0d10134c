//! Warnings before a credential ends.

use std::time::Duration;

use identity_proto::identity::v1::client::Kind;
use identity_proto::identity::v1::event::Payload;
use identity_proto::identity::v1::*;

use super::request;
use crate::harness::*;

#[tokio::test]
async fn what_ends_soon_is_told_once_for_each_mark_and_what_was_rotated_is_not() {
    let local = local_stack::test::Postgres::shared();
    let migrate = async |url: &str| identity_core::migrate(&runtime::Secret::new(url)).await;
    let url = local.database("expiry", migrate).await;
    let tokens = {
        let core = Core::on(&url).await;
        core.tenant("acme").await;
        let mut tokens = Vec::new();
        // The second is rotated and ends in a week then: nothing is due before.
        for days in [40, 40, 5, 1] {
            let request = CreateTokenRequest {
                tenant: "acme".to_owned(),
                lifetime: Some(prost_types::Duration {
                    seconds: days * 86_400,
                    nanos: 0,
                }),
                ..Default::default()
            };
            let mut admin = core.credentials(As::service(ADMIN));
            tokens.push(
                admin
                    .create_token(request)
                    .await
                    .unwrap()
                    .into_inner()
                    .token
                    .unwrap()
                    .id,
            );
        }
        let mut client = request(Kind::Secret);
        client.secret_lifetime = Some(prost_types::Duration {
            seconds: 86_400 * 6,
            nanos: 0,
        });
        let client = core
            .clients()
            .create_client(client)
            .await
            .unwrap()
            .into_inner()
            .client
            .unwrap();
        tokens.push(client.secrets[0].id.clone());
        let rotate = RotateTokenRequest {
            id: tokens[1].clone(),
            ..Default::default()
        };
        core.credentials(As::service(ADMIN)).rotate_token(rotate).await.unwrap();
        tokens
    };
    // It looks when it starts; one that starts again says nothing twice.
    for _ in 0..2 {
        let core = Core::on(&url).await;
        let told = told(&core).await;
        assert_eq!(
            told,
            [(tokens[2].clone(), 7), (tokens[3].clone(), 1), (tokens[4].clone(), 7)]
        );
    }
}

/// The warnings that were written, once there are three and no more came for a while.
async fn told(core: &Core) -> Vec<(String, i32)> {
    let read = async || -> Vec<Vec<u8>> {
        sqlx::query_scalar("SELECT body FROM outbox WHERE kind = 'credential:expiring'")
            .fetch_all(&core.database)
            .await
            .unwrap()
    };
    for _ in 0..100 {
        if read().await.len() >= 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut told: Vec<_> = read()
        .await
        .iter()
        .map(|body| match prost::Message::decode(body.as_slice()) {
            Ok(Event {
                payload: Some(Payload::CredentialExpiring(told)),
                ..
            }) => (told.credential_id, told.days),
            other => panic!("{other:?}"),
        })
        .collect();
    told.sort();
    told
}
