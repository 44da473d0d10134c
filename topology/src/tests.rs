//! What a URL means, and what real servers answer.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use identity_proto::access::prefix;
use local_stack::process::Signal;
use local_stack::test;
use tokio_util::sync::CancellationToken;

use crate::ask::{ask_sentinel, latest};
use crate::{Kind, Link, Master, Topology, links};

const PATIENCE: Duration = Duration::from_secs(20);

/// Asks until the masters are as they must be.
async fn until(topology: &Topology, done: impl Fn(&[Master]) -> bool) -> Vec<Master> {
    let since = Instant::now();
    loop {
        match topology.masters().await {
            Ok(masters) if done(&masters) => return masters,
            other => assert!(since.elapsed() < PATIENCE, "{other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn every_bucket_of_a_cluster_has_one_master_which_is_another_after_a_fail_over() {
    let mut cluster = test::RedisCluster::start_fresh();
    let topology = Topology::parse(&cluster.url()).unwrap();
    let before = topology.masters().await.unwrap();
    assert_eq!(before.len(), 3);
    let held: Vec<u8> = before.iter().flat_map(|master| master.buckets.clone()).collect();
    assert_eq!((held.len(), BTreeSet::from_iter(held).len()), (64, 64));

    // Frozen: it still takes connections, and answers nothing.
    cluster.nodes[0].process().signal(Signal::STOP).unwrap();
    let stays = |master: &Master, now: &[Master]| now.iter().any(|one| one.is_still(master));
    let after = until(&topology, |now| before.iter().any(|master| !stays(master, now))).await;
    let moved: Vec<&Master> = before.iter().filter(|master| !stays(master, &after)).collect();
    assert_eq!(moved.len(), 1);
    assert!(after.iter().any(|master| master.buckets == moved[0].buckets));
}

#[tokio::test]
async fn a_node_that_reaches_no_others_says_nothing() {
    let mut cluster = test::RedisCluster::start_fresh();
    let alone = &cluster.url();
    let (scheme, hosts) = alone.rsplit_once('@').unwrap();
    let topology = Topology::parse(&format!("{scheme}@{}", hosts.split(',').next().unwrap())).unwrap();
    assert_eq!(topology.masters().await.unwrap().len(), 3);
    for node in &mut cluster.nodes[1..] {
        node.process().kill().unwrap();
    }
    let since = Instant::now();
    while topology.masters().await.is_ok() {
        assert!(since.elapsed() < PATIENCE, "it is still believed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(cluster.nodes[0].ask("PING").unwrap().contains("PONG"));
}

struct Stub(CancellationToken);

impl Link for Stub {
    fn over(&self) -> &CancellationToken {
        &self.0
    }
}

#[tokio::test]
async fn buckets_that_nobody_holds_are_asked_for_at_leisure() {
    let cluster = test::RedisCluster::start_fresh();
    let ask = |number: usize, command: &str| cluster.nodes[number].ask(command).unwrap();
    let slot = ask(0, &format!("CLUSTER KEYSLOT {}", prefix(7)));
    let slot = slot.trim().trim_start_matches(':');
    for number in 0..cluster.nodes.len() {
        ask(number, "CONFIG SET cluster-require-full-coverage no");
        ask(number, &format!("CLUSTER DELSLOTS {slot}"));
    }
    let topology = Topology::parse(&cluster.url()).unwrap();
    let held = |masters: &[Master]| masters.iter().map(|master| master.buckets.len()).sum::<usize>();
    until(&topology, |masters| held(masters) == 63).await;

    let make = async |_| Ok::<_, std::io::Error>(Stub(CancellationToken::new()));
    let (mut links, linking) = links(topology, make);
    let calls = || {
        let stats = ask(0, "INFO commandstats");
        let (_, calls) = stats.split_once("cmdstat_cluster|slots:calls=").unwrap();
        calls.split(',').next().unwrap().parse::<u32>().unwrap()
    };
    let watching = async {
        while links.now().all().len() < 3 {
            links.changed().await;
        }
        assert!(links.of(7).is_none() && links.of(8).is_some());
        let before = calls();
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert!(calls() - before <= 6, "asked {} times", calls() - before);
    };
    tokio::select! { () = watching => {}, () = linking => {} }
}

#[test]
fn the_latest_election_counts_and_then_the_number() {
    let check = |named: &[(u64, &str)], expect: Option<&str>| {
        let named = named.iter().map(|(epoch, host)| (*epoch, ((*host).to_owned(), 1)));
        let latest = latest(named.collect());
        assert_eq!(latest.as_ref().map(|(host, _)| &**host), expect);
    };
    check(&[], None);
    check(&[(0, "a")], Some("a"));
    check(&[(1, "z"), (2, "a")], Some("a"));
    check(&[(1, "z"), (1, "z"), (2, "a")], Some("a"));
    check(&[(2, "z"), (2, "a"), (2, "a")], Some("a"));
}

#[tokio::test]
async fn the_master_is_whom_sentinels_elected_last() {
    let mut servers = test::Sentinels::start_fresh();
    let topology = Topology::parse(&servers.sentinels.url()).unwrap();
    let port = |server: &local_stack::Redis| format!(":{}", server.port());
    let is_at = |masters: &[Master], port: &str| masters[0].address().to_string().ends_with(port);
    let (master, replica) = (port(&servers.master), port(&servers.replica));
    let named = topology.masters().await.unwrap();
    assert!(is_at(&named, &master));
    assert_eq!(named[0].buckets.len(), 64);

    // One Sentinel goes on believing what was.
    servers
        .sentinels
        .processes()
        .next()
        .unwrap()
        .signal(Signal::STOP)
        .unwrap();
    servers.master.process().kill().unwrap();
    until(&topology, |masters| is_at(masters, &replica)).await;
    let Kind::Sentinel { sentinels, service, .. } = &topology.0 else {
        panic!("{topology:?}");
    };
    let (epoch, _) = ask_sentinel(&sentinels[1], service).await.unwrap().unwrap();
    assert!(epoch > 0, "an election has a number");
}

fn check(url: &str, expect: Option<&str>) {
    let read = Topology::parse(url).ok().map(|topology| match topology.0 {
        Kind::One(one) => format!("one {} {}", one.addr(), one.redis_settings().db()),
        Kind::Cluster(seeds) => {
            let all: Vec<String> = seeds.iter().map(|seed| seed.addr().to_string()).collect();
            format!("cluster {} {:?}", all.join(" "), seeds[0].redis_settings().password())
        }
        Kind::Sentinel {
            sentinels,
            service,
            node,
        } => {
            let all: Vec<String> = sentinels.iter().map(|one| one.addr().to_string()).collect();
            let login = (node.redis_settings().username(), node.redis_settings().password());
            format!(
                "{service} of {} {} {login:?}",
                all.join(" "),
                node.redis_settings().db()
            )
        }
    });
    assert_eq!(read.as_deref(), expect, "{url}");
}

#[test]
fn three_forms_of_url_are_known() {
    check("redis://h:7/3", Some("one h:7 3"));
    check("redis://:p%40ss@h", Some("one h:6379 0"));
    check(
        "redis+cluster://:p%40ss@a:1,b:2",
        Some("cluster a:1 b:2 Some(\"p@ss\")"),
    );
    check("redis+cluster://a", Some("cluster a:6379 None"));
    check(
        "redis+sentinel://u:p@a:1,b:2,c:3/main/5",
        Some("main of a:1 b:2 c:3 5 (Some(\"u\"), Some(\"p\"))"),
    );
    check("redis+sentinel://a:1/main", Some("main of a:1 0 (None, None)"));
}

#[test]
fn any_other_is_refused_without_telling_it() {
    for url in [
        "",
        "localhost:6379",
        "rediss://:secret@h",
        "redis+sentinel://:secret@a:1,b:2",
        "redis+sentinel://:secret@a:1/main/x",
        "redis+cluster://:secret@a:1/0",
        "redis+cluster://:secret@a:x",
        "redis+cluster://:secret@",
        "redis+tls://:secret@h",
    ] {
        check(url, None);
        let told = format!("{:?} {0}", Topology::parse(url).unwrap_err());
        assert!(!told.contains("secret"), "{told}");
    }
}
