//! The relay's parts on a Redis Cluster.

use std::sync::Arc;
use std::time::Duration;

use identity_proto::access::{BUCKETS, bucket, prefix};
use local_stack::test;
use uuid::Uuid;

use super::Fixture;
use crate::access::lease::renew_leases;
use crate::access::link::Link;
use crate::access::relay::{Links, apply_batch, link};

/// Until the masters' replicas took over, and all is linked.
const PATIENCE: Duration = Duration::from_secs(20);

async fn until(links: &mut Links, done: impl Fn(&Links) -> bool) {
    let waiting = async {
        while !done(links) {
            tokio::select! { () = links.changed() => {}, () = tokio::time::sleep(Duration::from_millis(20)) => {} }
        }
    };
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .expect("the links come and go in time");
}

/// A user of a bucket that fits.
fn user(tenant: Uuid, fits: impl Fn(u8) -> bool) -> Uuid {
    loop {
        let user = Uuid::new_v4();
        if fits(bucket(tenant, user)) {
            return user;
        }
    }
}

/// Renews the leases that can be renewed: how many.
async fn renewed(fixture: &Fixture, links: &[Arc<Link>]) -> u8 {
    let mut granted = 0;
    for link in links {
        granted += renew_leases(&fixture.system, link).await.unwrap();
    }
    granted
}

/// The links of a core to all masters.
async fn linked(fixture: &Fixture) -> Links {
    let system = fixture.system.clone();
    let (mut links, linking) = redis_topology::links(fixture.redis.clone(), move |master| link(master, system.clone()));
    tokio::spawn(linking);
    until(&mut links, |links| links.now().is_whole()).await;
    links
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_that_is_down_costs_its_own_buckets_until_its_replica_takes_over() {
    let mut servers = test::RedisCluster::start_fresh();
    let fixture = Fixture::on(&servers.url()).await;
    let mut links = linked(&fixture).await;
    let all = links.now().all();
    assert_eq!(all.len(), 3, "one link a master");
    assert_eq!(renewed(&fixture, &all).await, BUCKETS);

    // The master whose buckets are to be lost, by what it says of itself.
    let lost = all[0].clone();
    let run_id = lost.incarnation.split('/').next().unwrap_or_default();
    let number = (0..3)
        .find(|number| servers.nodes[*number].ask("INFO server").unwrap().contains(run_id))
        .unwrap();
    let tenant = fixture.tenant().await;
    let theirs = user(tenant, |bucket| lost.gens.contains_key(&bucket));
    let ours = user(tenant, |bucket| !lost.gens.contains_key(&bucket));
    for one in [theirs, ours] {
        let epoch = fixture.change(tenant, one, "active").await;
        assert_eq!(apply_batch(&fixture.system, &all).await.unwrap(), 1);
        let link = links.of(bucket(tenant, one)).unwrap();
        assert_eq!(fixture.register(&link, tenant, one).await, Some(format!("{epoch}:a")));
    }

    servers.nodes[number].process().kill().unwrap();
    until(&mut links, |links| links.of(bucket(tenant, theirs)).is_none()).await;
    let left = links.now().all();
    assert_eq!(left.len(), 2);
    fixture.change(tenant, theirs, "inactive").await;
    let epoch = fixture.change(tenant, ours, "inactive").await;
    fixture.age().await;
    assert_eq!(
        apply_batch(&fixture.system, &left).await.unwrap(),
        1,
        "nobody's changes are left alone"
    );
    assert_eq!(fixture.unapplied().await, 1);
    let link = links.of(bucket(tenant, ours)).unwrap();
    assert_eq!(fixture.register(&link, tenant, ours).await, Some(format!("{epoch}:i")));
    let held = BUCKETS - u8::try_from(lost.gens.len()).unwrap();
    assert_eq!(renewed(&fixture, &left).await, held, "the others keep their leases");

    fixture.suspend(tenant).await;
    assert_eq!(apply_batch(&fixture.system, &left).await.unwrap(), 1);
    assert_eq!(fixture.unapplied().await, 2, "a tenant's change waits for all masters");
    for _ in 0..3 {
        fixture.free_claims().await;
        assert_eq!(apply_batch(&fixture.system, &left).await.unwrap(), 1);
    }
    let others = left.iter().flat_map(|link| link.gens.keys());
    for other in others.filter(|other| **other != bucket(tenant, ours)) {
        assert_eq!(fixture.announced(*other).await, 1, "bucket {other} is told once");
    }
    fixture.age().await;
    assert_eq!(
        renewed(&fixture, &left).await,
        held,
        "and keeps no lease of others back"
    );

    let waits = |link: &Arc<Link>| !link.waiting_elsewhere().is_empty();
    assert!(left.iter().all(waits));

    until(&mut links, |links| links.now().is_whole()).await;
    let taken = links.of(bucket(tenant, theirs)).unwrap();
    for (bucket, generation) in &lost.gens {
        assert!(taken.generation(*bucket) > *generation, "bucket {bucket} starts anew");
    }
    for link in &left {
        let now = links.of(*link.gens.keys().next().unwrap()).unwrap();
        assert_eq!(now.gens, link.gens, "the others go on");
    }
    fixture.free_claims().await;
    let other_core = linked(&fixture).await.now().all();
    apply_batch(&fixture.system, &other_core).await.unwrap();
    assert_eq!(fixture.unapplied().await, 0);
    assert_eq!(renewed(&fixture, &links.now().all()).await, BUCKETS);
    assert!(!left.iter().any(waits), "what another core marked is forgotten");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_moves_costs_itself_and_no_link() {
    let servers = test::RedisCluster::start_fresh();
    let fixture = Fixture::on(&servers.url()).await;
    let links = linked(&fixture).await;
    let all = links.now().all();
    let tenant = fixture.tenant().await;
    let moving = user(tenant, |_| true);
    let bucket = bucket(tenant, moving);
    let link = links.of(bucket).unwrap();
    let beside = user(tenant, |other| other != bucket && link.gens.contains_key(&other));

    let ask = |node: usize, command: &str| servers.nodes[node].ask(command).unwrap();
    let id = |node| ask(node, "CLUSTER MYID").lines().nth(1).unwrap().to_owned();
    let runs = link.incarnation.split('/').next().unwrap();
    let from = (0..3).find(|node| ask(*node, "INFO server").contains(runs)).unwrap();
    let to = (from + 1) % 3;
    let slot = ask(from, &format!("CLUSTER KEYSLOT {}", prefix(bucket)));
    let set = format!("CLUSTER SETSLOT {}", slot.trim().trim_start_matches(':'));
    ask(to, &format!("{set} IMPORTING {}", id(from)));
    ask(from, &format!("{set} MIGRATING {}", id(to)));

    fixture.change(tenant, moving, "inactive").await;
    let epoch = fixture.change(tenant, beside, "inactive").await;
    assert_eq!(apply_batch(&fixture.system, &all).await.unwrap(), 2);
    let register = fixture.register(&link, tenant, beside).await;
    assert_eq!(register, Some(format!("{epoch}:i")));
    assert_eq!(fixture.unapplied().await, 1, "what was not served waits");
    assert_eq!(renewed(&fixture, &all).await, BUCKETS - 1);
    assert!(!link.over.is_cancelled());

    ask(from, &format!("{set} STABLE"));
    ask(to, &format!("{set} STABLE"));
    fixture.free_claims().await;
    apply_batch(&fixture.system, &all).await.unwrap();
    assert_eq!(fixture.unapplied().await, 0);
    assert_eq!(renewed(&fixture, &all).await, BUCKETS);
}
