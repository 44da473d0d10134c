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
