//! Events from outside: whoever follows them, from what it acknowledged, knows what SCIM shows, however often it and the cores
//! are killed.

mod model;
mod provider;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use e2e::cluster::Options;
use e2e::fence_model::rng::Rng;
use e2e::grpc::Grpc;
use e2e::{Cluster, Tenant};
use identity_proto::identity::v1::{AcknowledgeEventsRequest, ListEventsRequest, SubscribeRequest};
use local_stack::process::Signal;
use uuid::Uuid;

use crate::PLACE;
use model::Model;
use provider::Provider;

const CONSUMER: &str = "follower";
/// Within which all that happened has come.
const SOON: Duration = Duration::from_mins(1);

/// A service that keeps a copy. It acknowledges now and then, and loses with its life what it knew beyond that.
struct Follower {
    grpc: Grpc,
    tenant: String,
    rng: Rng,
    /// What is saved, and the number of the last event in it.
    saved: (i64, Model),
    /// Every event that was ever delivered, by its number.
    seen: BTreeMap<i64, String>,
    lives: usize,
}

impl Follower {
    /// One life: follows from what was acknowledged until it is killed, or nothing comes for a while.
    async fn live(&mut self) {
        self.lives += 1;
        let request = SubscribeRequest {
            tenant_id: self.tenant.clone(),
            from_sequence: 0,
            consumer: CONSUMER.to_owned(),
            ..SubscribeRequest::default()
        };
        let Ok(events) = self.grpc.events().subscribe(request).await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            return;
        };
        let mut events = events.into_inner();
        let (mut last, mut model) = self.saved.clone();
        let mut left = 1 + self.rng.below(120);
        // Without news, with an error or with the end of its life it begins anew.
        while let Ok(Ok(Some(event))) = tokio::time::timeout(Duration::from_millis(500), events.message()).await {
            assert_eq!(event.sequence, last + 1, "out of order after {last}");
            assert_eq!(event.tenant_id, self.tenant);
            last = event.sequence;
            let id = self.seen.entry(last).or_insert_with(|| event.event_id.clone());
            assert_eq!(*id, event.event_id, "another event came with the number {last}");
            model.apply(event);
            if self.rng.chance(2_500) {
                self.saved = (last, model.clone());
                self.acknowledge().await;
            }
            left -= 1;
            if left == 0 {
                return;
            }
        }
        // An orderly end: what is known is saved.
        self.saved = (last, model);
        self.acknowledge().await;
    }

    /// Insists: what is saved and what is acknowledged are one.
    async fn acknowledge(&self) {
        let deadline = Instant::now() + SOON;
        loop {
            let request = AcknowledgeEventsRequest {
                tenant_id: self.tenant.clone(),
                consumer: CONSUMER.to_owned(),
                sequence: self.saved.0,
            };
            match self.grpc.events().acknowledge_events(request).await {
                Ok(noted) => return assert_eq!(noted.into_inner().acknowledged_sequence, self.saved.0),
                Err(refused) => assert!(Instant::now() < deadline, "{refused:?}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn cluster() -> (Cluster, Tenant) {
    let options = Options {
        cores: 2,
        sessions: 1,
        edges: 1,
        ..Options::default()
    };
    let cluster = Cluster::start(PLACE, options).await;
    let scim = |token: &str| cluster.scim(&cluster.edges[0].url(), token);
    let tenant = Tenant::create_at(cluster.grpc(), scim).await;
    (cluster, tenant)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_that_is_killed_misses_nothing_while_cores_are_killed_too() {
    let seed = Uuid::new_v4().as_u64_pair().0;
    println!("seed {seed}");
    let (mut cluster, tenant) = cluster().await;
    let mut shared = Vec::new();
    for _ in 0..12 {
        shared.push(tenant.user().await);
    }
    let providers: Vec<_> = (0..3)
        .map(|number| {
            let mut provider = Provider::new(&tenant.scim, seed ^ number, shared.clone());
            tokio::spawn(async move {
                for _ in 0..150 {
                    provider.step().await;
                }
                provider.done
            })
        })
        .collect();
    let mut follower = Follower {
        grpc: cluster.grpc(),
        tenant: tenant.id.clone(),
        rng: Rng::new(!seed),
        saved: (0, Model::default()),
        seen: BTreeMap::new(),
        lives: 0,
    };
    follower.acknowledge().await;
    let (stop, mut stopped) = tokio::sync::watch::channel(false);
    let following = tokio::spawn(async move {
        while !*stopped.borrow_and_update() {
            follower.live().await;
        }
        follower
    });
    let mut kills = 0;
    while !providers.iter().all(tokio::task::JoinHandle::is_finished) {
        tokio::time::sleep(Duration::from_millis(400)).await;
        let core = &mut cluster.cores[kills % 2];
        core.signal(Signal::KILL);
        core.end().await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        core.start();
        core.ready().await;
        kills += 1;
    }
    let mut done = 0;
    for provider in providers {
        done += provider.await.expect("all was provisioned");
    }
    stop.send(true).expect("it is followed");
    let mut follower = following.await.expect("it follows");
    let expect = Model::of_scim(&tenant.scim).await;
    let deadline = Instant::now() + SOON;
    while follower.saved.1 != expect && Instant::now() < deadline {
        follower.live().await;
    }
    assert_eq!(follower.saved.1, expect, "after {} events", follower.saved.0);
    println!(
        "{kills} kills of cores, {} lives, {done} requests, {} events",
        follower.lives, follower.saved.0
    );
    assert!(
        kills >= 2 && follower.lives > 5,
        "{kills} kills, {} lives",
        follower.lives
    );
    assert!(
        done > 300 && follower.saved.0 > 200,
        "{done} requests, {} events",
        follower.saved.0
    );

    // A copy that is made of all of them at once is the same, and no number is missing.
    let (mut next, mut anew) = (1, Model::default());
    loop {
        let request = ListEventsRequest {
            tenant_id: tenant.id.clone(),
            from_sequence: next,
            page_size: 100,
            ..ListEventsRequest::default()
        };
        let page = cluster
            .grpc()
            .events()
            .list_events(request)
            .await
            .expect("a page")
            .into_inner();
        for event in page.events {
            assert_eq!(event.sequence, next);
            next += 1;
            anew.apply(event);
        }
        if next > page.last_sequence {
            break;
        }
    }
    assert_eq!(anew, expect);
    assert_eq!(follower.saved.0, next - 1);
}
