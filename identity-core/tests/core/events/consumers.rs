//! How far services came.

use super::*;

#[tokio::test]
async fn what_a_consumer_acknowledged_never_goes_back() {
    let core = Core::start().await;
    let mut provider = core.provider("acme").await;
    let tenant = provider.tenant;
    for name in ["a", "b", "c"] {
        provider.create(named(name)).await.unwrap();
    }
    all(&core, tenant, 3).await;
    let check = |consumer: &EventConsumer, sequence, waiting| {
        assert_eq!((consumer.acknowledged_sequence, consumer.waiting), (sequence, waiting));
        assert!(consumer.acknowledge_time.is_some());
    };
    check(&acknowledge(&core, tenant, "portal", 0).await.unwrap(), 0, 3);
    check(&acknowledge(&core, tenant, "portal", 2).await.unwrap(), 2, 1);
    check(&acknowledge(&core, tenant, "portal", 1).await.unwrap(), 2, 1);
    let beyond = refused(acknowledge(&core, tenant, "portal", 4).await, ErrorReason::InvalidValue);
    assert_eq!(metadata(&beyond, "last_sequence").as_deref(), Some("3"));
    for (name, sequence) in [("portal", -1), ("", 1), ("Portal", 1)] {
        refused(
            acknowledge(&core, tenant, name, sequence).await,
            ErrorReason::InvalidValue,
        );
    }
    for number in 1..100 {
        acknowledge(&core, tenant, &format!("c{number:02}"), 1).await.unwrap();
    }
    refused(acknowledge(&core, tenant, "one-more", 1).await, ErrorReason::TooMany);
    acknowledge(&core, tenant, "portal", 3).await.unwrap();
    let listed = consumers(&core, tenant).await.unwrap();
    assert_eq!(
        (listed.len(), listed[0].name.as_str(), listed[99].name.as_str()),
        (100, "c01", "portal")
    );
    check(&listed[99], 3, 0);

    let forget = DeleteEventConsumerRequest {
        tenant_id: tenant.to_string(),
        consumer: "c01".to_owned(),
    };
    core.events(PLATFORM)
        .delete_event_consumer(forget.clone())
        .await
        .unwrap();
    refused(
        core.events(PLATFORM).delete_event_consumer(forget).await,
        ErrorReason::NotFound,
    );
    assert_eq!(consumers(&core, tenant).await.unwrap()[0].name, "c02");
    let other = core.provider("other").await.tenant;
    assert!(consumers(&core, other).await.unwrap().is_empty());
}

/// Tokens are looked up on the same connections.
#[tokio::test(flavor = "multi_thread")]
async fn services_that_acknowledge_all_at_once_keep_no_token_from_being_looked_up() {
    let core = Core::start().await;
    let tenant = core.provider("acme").await.tenant;
    let secret = core.token("acme").await.secret;
    let mut stuck = core.database.begin().await.unwrap();
    sqlx::query("LOCK TABLE event_consumer IN EXCLUSIVE MODE")
        .execute(&mut *stuck)
        .await
        .unwrap();
    let acknowledging: Vec<_> = (0..20)
        .map(|number| {
            let mut events = core.events(PLATFORM);
            let request = AcknowledgeEventsRequest {
                tenant_id: tenant.to_string(),
                consumer: format!("c{number}"),
                sequence: 0,
            };
            tokio::spawn(async move {
                events
                    .acknowledge_events(request)
                    .await
                    .map(tonic::Response::into_inner)
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let look_up = core
        .credentials(As::scim(&secret))
        .authenticate(AuthenticateRequest {})
        .await;
    look_up.expect("it has a connection");
    timeout(Duration::from_secs(3), async {
        while acknowledging.iter().filter(|one| one.is_finished()).count() < 18 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("they do not wait for long");
    stuck.rollback().await.unwrap();
    let mut noted = 0;
    for one in acknowledging {
        match one.await.unwrap() {
            Ok(_) => noted += 1,
            refusal => assert_eq!(
                refused(refusal, ErrorReason::Unavailable).code(),
                tonic::Code::Unavailable
            ),
        }
    }
    assert_eq!(noted, 2);
}
