//! Whoever keeps an eye on the system is told before a credential ends: by an event, a line of log, and a metric.

use std::time::{Duration, Instant};

use e2e::cluster::Options;
use e2e::{Cluster, Tenant};
use identity_proto::identity::v1::client::Kind;
use identity_proto::identity::v1::event::Payload;
use identity_proto::identity::v1::{
    CreateTokenRequest, CredentialExpiring, ListEventsRequest, RevokeTokenRequest, RotateTokenRequest, Token,
};
use local_stack::process::Signal;

use super::{Customer, seconds};
use crate::PLACE;

const DAY: i64 = 86_400;
/// A core looks when it starts, and every minute.
const SOON: Duration = Duration::from_secs(20);

async fn token(tenant: &Tenant, lifetime: i64) -> Token {
    let request = CreateTokenRequest {
        tenant: tenant.name.clone(),
        lifetime: Some(seconds(lifetime)),
        ..Default::default()
    };
    let answer = tenant.grpc.credentials().create_token(request).await;
    answer.expect("a token").into_inner().token.expect("a token")
}

/// The warnings among the tenant's events.
async fn warnings(tenant: &Tenant) -> Vec<CredentialExpiring> {
    let request = ListEventsRequest {
        tenant_id: tenant.id.clone(),
        page_size: 1_000,
        ..Default::default()
    };
    let events = tenant
        .grpc
        .events()
        .list_events(request)
        .await
        .expect("events")
        .into_inner()
        .events;
    let of = |payload: Option<Payload>| match payload {
        Some(Payload::CredentialExpiring(warning)) => Some(warning),
        _ => None,
    };
    events.into_iter().filter_map(|event| of(event.payload)).collect()
}

async fn restart(cluster: &mut Cluster) {
    let core = &mut cluster.cores[0];
    core.signal(Signal::TERM);
    core.end().await;
    core.start();
    core.ready().await;
}

async fn expiring(cluster: &Cluster, days: i32) -> Option<f64> {
    let metrics = reqwest::get(format!("{}/metrics", cluster.cores[0].admin_url()))
        .await
        .expect("metrics");
    let metrics = metrics.text().await.expect("text");
    let series = format!("portcullis_credentials_expiring{{days=\"{days}\"}} ");
    let value = metrics.lines().find_map(|line| line.strip_prefix(&series));
    value.and_then(|value| value.parse().ok())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_is_told_30_7_and_1_days_ahead_and_once() {
    let options = Options {
        cores: 1,
        sessions: 1,
        edges: 1,
        ..Options::default()
    };
    let mut cluster = Cluster::start(PLACE, options).await;
    let edge = cluster.edges[0].url();
    let tenant = Tenant::create_at(cluster.grpc(), |token| cluster.scim(&edge, token)).await;
    let customer = Customer::new(tenant.clone());
    let tomorrow = token(&tenant, DAY / 2).await;
    let month = token(&tenant, 29 * DAY).await;
    let app = customer
        .register(Kind::Secret, |request| request.secret_lifetime = Some(seconds(6 * DAY)))
        .await;
    // Nobody needs to hear of what is revoked, or has a successor.
    let revoked = token(&tenant, DAY / 2).await;
    let request = RevokeTokenRequest { id: revoked.id };
    tenant.grpc.credentials().revoke_token(request).await.expect("revoked");
    let request = RotateTokenRequest {
        id: token(&tenant, DAY / 2).await.id,
        ..Default::default()
    };
    tenant.grpc.credentials().rotate_token(request).await.expect("rotated");

    restart(&mut cluster).await;
    let since = Instant::now();
    let mut told = loop {
        let told = warnings(&tenant).await;
        if told.len() >= 3 {
            break told;
        }
        assert!(since.elapsed() < SOON, "{told:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    told.sort_by_key(|warning| warning.days);
    let expect = [(1, ""), (7, app.id.as_str()), (30, "")];
    assert_eq!(
        told.iter()
            .map(|one| (one.days, one.client_id.as_str()))
            .collect::<Vec<_>>(),
        expect
    );
    assert_eq!(
        (&told[0].credential_id, &told[2].credential_id),
        (&tomorrow.id, &month.id)
    );
    assert_eq!(
        (told[0].expire_time, told[2].expire_time),
        (tomorrow.expire_time, month.expire_time)
    );
    let log = cluster.cores[0].log();
    for warning in &told {
        let line = log
            .lines()
            .find(|line| line.contains("expires soon") && line.contains(&warning.credential_id));
        assert!(line.is_some_and(|line| line.contains("WARN")), "{warning:?}: {log}");
    }
    for days in [1, 7, 30] {
        assert_eq!(expiring(&cluster, days).await, Some(1.0), "{days}");
    }

    restart(&mut cluster).await;
    let since = Instant::now();
    while expiring(&cluster, 30).await != Some(1.0) {
        assert!(since.elapsed() < SOON, "the core did not look");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(warnings(&tenant).await.len(), 3, "told again");
}
