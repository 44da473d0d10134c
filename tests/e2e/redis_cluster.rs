//! The whole system on a Redis Cluster.

use std::time::{Duration, Instant};

use e2e::{System, Tenant};
use identity_proto::access::{bucket, prefix};
use identity_proto::identity::v1::GetAccessRequest;
use identity_proto::session::v1::ListSessionsRequest;
use local_stack::test::RedisCluster;
use redis::AsyncCommands;
use redis_topology::{Master, Topology};
use serde_json::json;
use tonic::Code;
use uuid::Uuid;

use crate::PLACE;

/// Within which a replica has taken over and all is well again.
const RECOVERY: Duration = Duration::from_secs(15);
/// Enough for every master to hold some of them.
const USERS: usize = 12;

struct User {
    id: String,
    session: String,
    bucket: u8,
}

async fn users(tenant: &Tenant) -> Vec<User> {
    let mut users = Vec::new();
    for _ in 0..USERS {
        let id = tenant.user().await;
        let session = tenant.log_in(&id).await.expect("a session");
        let parsed = |id: &str| id.parse::<Uuid>().expect("an id");
        let bucket = bucket(parsed(&tenant.id), parsed(&id));
        users.push(User { id, session, bucket });
    }
    users
}

/// Deactivates a user: the session is refused within the bound.
async fn end(tenant: &Tenant, user: &User) {
    let off = json!([{"op": "replace", "path": "active", "value": false}]);
    let answer = tenant.scim.patch(&format!("/Users/{}", user.id), &off).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    tenant.last_valid(&user.session, Instant::now()).await;
}

/// The core has been told that the session was deleted.
async fn is_pruned(tenant: &Tenant, user: &User) {
    let deadline = Instant::now() + RECOVERY;
    loop {
        let request = GetAccessRequest {
            tenant_id: tenant.id.clone(),
            user_id: user.id.clone(),
        };
        let access = tenant
            .grpc
            .access()
            .get_access(request)
            .await
            .expect("an answer")
            .into_inner();
        if access.pruned == 1 {
            return;
        }
        assert!(Instant::now() < deadline, "not pruned: {access:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// And it is said whose are not.
async fn letters_of_others_are_listed(system: &System, masters: &[Master], lost: usize) {
    let other = &masters[(lost + 1) % masters.len()];
    let bucket = other.buckets[0];
    let mut redis = other
        .client
        .get_multiplexed_async_connection()
        .await
        .expect("a connection");
    let dead = format!("{}:dead", prefix(bucket));
    redis
        .xadd::<_, _, _, _, ()>(&dead, "*", &[("why", "a test")])
        .await
        .expect("a letter");
    let listed = system.cli(&["events", "dead-letters", "list"]).await;
    redis.del::<_, ()>(&dead).await.expect("it goes");
    assert_eq!((listed.exit, listed.json.len()), (3, 1), "{listed:?}");
    assert_eq!(listed.json[0]["bucket"], json!(bucket));
    let mut unread = masters[lost].buckets.clone();
    unread.sort_unstable();
    let unread: Vec<String> = unread.iter().map(u8::to_string).collect();
    assert!(listed.stderr.contains(&unread.join(", ")), "{listed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_spread_over_the_masters_and_one_that_dies_takes_no_others_along() {
    let mut servers = RedisCluster::start_fresh();
    let system = System::start_with(PLACE, vec![("REDIS_URL", servers.url())]);
    let tenant = Tenant::create(&system).await;
    let users = users(&tenant).await;
    for user in &users {
        assert!(tenant.validate(&user.session).await.expect("an answer").valid);
        let request = ListSessionsRequest {
            tenant_id: tenant.id.clone(),
            user_id: user.id.clone(),
        };
        let listed = tenant.grpc.sessions().list_sessions(request).await.expect("an answer");
        assert_eq!(listed.into_inner().sessions.len(), 1);
    }

    let masters = Topology::parse(&servers.url())
        .expect("a URL")
        .masters()
        .await
        .expect("masters");
    let of = |user: &&User| masters.iter().position(|master| master.buckets.contains(&user.bucket));
    let lost = of(&&users[0]).expect("a master");
    let port = |node: &local_stack::Redis| node.port().to_string();
    let address = masters[lost].address().to_string();
    let node = servers
        .nodes
        .iter()
        .position(|node| address.ends_with(&port(node)))
        .expect("a node");
    let (theirs, ours): (Vec<&User>, Vec<&User>) = users.iter().partition(|user| of(user) == Some(lost));
    let [gone, kept] = [&theirs, &ours].map(|users| users.last().expect("enough users"));
    for user in [gone, kept] {
        end(&tenant, user).await;
        is_pruned(&tenant, user).await;
    }

    servers.nodes[node].process().kill().expect("a node can be killed");
    let status = tenant
        .validate(&theirs[0].session)
        .await
        .expect_err("the session lives at a master that is down");
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    for user in &ours[..ours.len() - 1] {
        assert!(tenant.validate(&user.session).await.expect("another master's").valid);
    }
    end(&tenant, ours[0]).await;
    is_pruned(&tenant, ours[0]).await;
    letters_of_others_are_listed(&system, &masters, lost).await;

    let deadline = Instant::now() + RECOVERY;
    while !tenant
        .validate(&theirs[0].session)
        .await
        .is_ok_and(|answer| answer.valid)
    {
        assert!(
            Instant::now() < deadline,
            "the replica did not take over, or had nothing"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(!tenant.validate(&gone.session).await.expect("an answer").valid);
    end(&tenant, theirs[0]).await;
    is_pruned(&tenant, theirs[0]).await;
}
