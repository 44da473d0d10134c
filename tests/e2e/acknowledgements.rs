//! What an auditor is told of endings that real session services pruned.

use std::time::{Duration, Instant};

use e2e::cluster::Options;
use e2e::{Cluster, Tenant};
use identity_proto::access::prefix;
use identity_proto::identity::v1::{Access, GetAccessRequest, ResumeTenantRequest, SuspendTenantRequest};
use redis::AsyncCommands;
use serde_json::json;
use uuid::Uuid;

use crate::many_sessions::{connection, fill, keys};
use crate::{PLACE, system};

/// A killed service's entries are taken over after ten seconds.
const SOON: Duration = Duration::from_mins(1);
const BUCKETS: [u8; 4] = [3, 17, 31, 62];
/// Of one bucket: users, and sessions of each.
const FILLED: (u32, u32) = (1_500, 4);

async fn standing(tenant: &Tenant) -> Access {
    let request = GetAccessRequest {
        tenant_id: tenant.id.clone(),
        ..Default::default()
    };
    let access = tenant.grpc.access().get_access(request).await;
    access.expect("the core answers").into_inner()
}

/// A count of sessions is kept in Redis in the very step that deletes them, so it is exact whoever deletes and whoever dies.
#[tokio::test]
async fn the_sum_is_exact_when_two_session_services_prune_one_ending_and_one_dies_half_way() {
    let options = Options {
        cores: 1,
        sessions: 2,
        edges: 1,
        ..Options::default()
    };
    let mut cluster = Cluster::start(PLACE, options).await;
    let edge = cluster.edges[0].url();
    let tenant = Tenant::create_at(cluster.grpc(), |token| cluster.scim(&edge, token)).await;
    let id: Uuid = tenant.id.parse().expect("an id");
    let mut redis = connection(&cluster.redis.url()).await;
    let expect = i64::from(FILLED.0 * FILLED.1) * 4;
    for killed in 0..2 {
        let epoch = standing(&tenant).await.epoch;
        for bucket in BUCKETS {
            fill(&mut redis, (id, epoch), bucket, FILLED).await;
        }
        let request = SuspendTenantRequest {
            tenant: tenant.name.clone(),
        };
        tenant.grpc.tenants().suspend_tenant(request).await.expect("suspended");
        let ended = standing(&tenant).await;
        let count_of = |bucket| format!("{}:pruned:{}::{}", prefix(bucket), id.simple(), ended.epoch);
        let deadline = Instant::now() + SOON;
        let partly = loop {
            let counts: Vec<Option<i64>> = redis.mget(BUCKETS.map(count_of).to_vec()).await.expect("counts");
            let whole = expect / 4;
            let partly = counts
                .into_iter()
                .flatten()
                .filter(|count| (1..whole).contains(count))
                .count();
            if partly > 0 {
                cluster.sessions[killed].kill();
                break partly;
            }
            assert!(Instant::now() < deadline, "nothing is pruned");
        };
        let told = loop {
            let told = standing(&tenant).await;
            if told.prune_time.is_some() && told.pruned >= expect {
                break told;
            }
            assert!(Instant::now() < deadline, "{partly} buckets were half done: {told:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        // Whatever comes again comes within this time, and counts nothing twice.
        cluster.sessions[killed].start();
        cluster.sessions[killed].ready().await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!((standing(&tenant).await.pruned, told.epoch), (expect, ended.epoch));
        assert_eq!(keys(&mut redis, "*:s:*").await, 0, "no session is left");
        let resume = ResumeTenantRequest {
            tenant: tenant.name.clone(),
        };
        tenant.grpc.tenants().resume_tenant(resume).await.expect("resumed");
    }
}

#[tokio::test]
async fn the_command_line_shows_what_became_of_each_change_also_of_the_deleted() {
    let tenant = Tenant::create(system()).await;
    let user = tenant.user().await;
    for _ in 0..2 {
        tenant.log_in(&user).await.expect("a session");
    }
    let cli = async |arguments: &[&str]| system().cli(arguments).await;
    let pruned = async |arguments: &[&str]| {
        let deadline = Instant::now() + SOON;
        loop {
            let shown = cli(arguments).await.done();
            let changes = shown["changes"].as_array().expect("changes").clone();
            if changes.iter().all(|change| change["pruned_at"].is_string()) {
                return (shown, changes);
            }
            assert!(Instant::now() < deadline, "{shown}");
        }
    };
    let show = ["access", "show", "--tenant", &tenant.name, &user];
    cli(&["access", "end", "--tenant", &tenant.name, &user]).await.done();
    // Else both may be counted at the deletion.
    assert_eq!(pruned(&show).await.0["pruned"], json!(2));
    assert_eq!(tenant.scim.delete(&format!("/Users/{user}")).await.status, 204);
    let (shown, changes) = pruned(&show).await;
    assert_eq!((&shown["state"], &shown["pruned"]), (&json!("deleted"), &json!(0)));
    assert_eq!(changes.len(), 2);
    assert_eq!(
        (&changes[0]["epoch"], &changes[0]["state"]),
        (&shown["epoch"], &json!("deleted"))
    );
    assert_eq!((&changes[1]["state"], &changes[1]["pruned"]), (&json!(null), &json!(2)));
    for change in &changes {
        let [changed, applied, pruned] = ["changed_at", "applied_at", "pruned_at"].map(|field| change[field].as_str());
        assert!(changed < applied && applied <= pruned, "{change}");
        assert!(
            change["request_id"].as_str().is_some_and(|id| !id.is_empty()),
            "{change}"
        );
    }
    let last = cli(&[&show[..], &["--changes", "1"]].concat()).await.done();
    assert_eq!(last["changes"], json!([changes[0]]));

    let events = cli(&["events", "list", "--tenant", &tenant.name]).await.json;
    let told: Vec<_> = events.iter().map(|event| event["access"]["pruned"].as_i64()).collect();
    assert_eq!(told, [None, Some(2), Some(0)], "created, ended, deleted");

    cli(&["tenant", "delete", &tenant.name]).await.done();
    let (whole, of_tenant) = pruned(&["access", "show", "--tenant", &tenant.id]).await;
    assert_eq!((&whole["state"], of_tenant.len()), (&json!("deleted"), 1));
    assert_eq!(
        cli(&["access", "show", "--tenant", &tenant.id, &user]).await.done()["epoch"],
        shown["epoch"]
    );
    let nobody = cli(&["access", "show", "--tenant", &Uuid::new_v4().to_string()]).await;
    assert_eq!(nobody.exit, 1, "{nobody:?}");
}
