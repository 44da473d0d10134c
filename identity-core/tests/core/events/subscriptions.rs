//! Streams: cut off, of a core that stops, too many, open for long.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_that_is_cut_off_again_and_again_gets_each_event_once_in_order() {
    let (cores, [mut provider, _]) = two_cores().await;
    let tenant = provider.tenant;
    let writing = tokio::spawn(async move {
        let ann = provider.create(named("ann")).await.unwrap();
        for turn in 0..199 {
            let title = replace("title", format!("{turn}"));
            provider.patch(&ann.id, vec![title]).await.unwrap();
        }
    });
    let mut seen = Vec::new();
    for round in 0.. {
        let next = i64::try_from(seen.len()).unwrap() + 1;
        let mut stream = subscribe(&cores[round % 2], tenant, next, "").await.unwrap();
        for _ in 0..=round * 5 {
            let event = timeout(SOON, stream.message()).await.expect("events go on").unwrap();
            seen.push(event.expect("the stream does not end"));
            if seen.len() == 200 {
                break;
            }
        }
        if seen.len() == 200 {
            break;
        }
    }
    writing.await.unwrap();
    assert_gapless(&seen);
    assert_eq!(seen, all(&cores[0], tenant, 200).await);
}

#[tokio::test]
async fn a_core_that_stops_ends_its_subscriptions() {
    let mut core = Core::start().await;
    let mut provider = core.provider("acme").await;
    provider.create(named("ann")).await.unwrap();
    all(&core, provider.tenant, 1).await;
    let mut waits = subscribe(&core, provider.tenant, 2, "").await.unwrap();
    let mut reads = subscribe(&core, provider.tenant, 1, "").await.unwrap();
    assert_eq!(reads.message().await.unwrap().unwrap().sequence, 1);
    core.shutdown.start();
    for stream in [&mut waits, &mut reads] {
        let ended = timeout(SOON, stream.message()).await.expect("it ends");
        let status = refused(ended, ErrorReason::Unavailable);
        assert_eq!(status.code(), tonic::Code::Unavailable);
    }
    let ended = timeout(SOON, &mut core.serving).await;
    ended.expect("nothing keeps it").unwrap().unwrap();
}

#[tokio::test]
async fn a_tenant_has_so_many_subscriptions_and_a_seat_is_given_back() {
    let core = Core::start().await;
    let (tenant, other) = (core.provider("acme").await.tenant, core.provider("other").await.tenant);
    let mut open = Vec::new();
    for _ in 0..16 {
        open.push(subscribe(&core, tenant, 0, "").await.unwrap());
    }
    refused(subscribe(&core, tenant, 0, "").await.map(|_| ()), ErrorReason::TooMany);
    subscribe(&core, other, 0, "").await.unwrap();
    let connections = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE 'portcullis%' AND state <> 'idle'";
    let busy: i64 = sqlx::query_scalar(connections).fetch_one(&core.database).await.unwrap();
    assert!(busy <= 2, "{busy} connections are in use while subscriptions wait");
    open.pop();
    let again = async {
        while subscribe(&core, tenant, 0, "").await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(SOON, again).await.expect("a seat is given back");
}

#[tokio::test]
async fn a_subscription_outlives_the_time_that_a_call_may_take() {
    let core = Core::start().await;
    let mut provider = core.provider("acme").await;
    let mut stream = subscribe(&core, provider.tenant, 1, "").await.unwrap();
    // The caller gives a call 5 s, the server 10 s.
    tokio::time::sleep(Duration::from_secs(11)).await;
    provider.create(named("ann")).await.unwrap();
    let event = timeout(SOON, stream.message()).await.expect("it comes").unwrap();
    assert_eq!(event.unwrap().sequence, 1);
}
