//! Announcements that cannot be processed: they hold nobody up, and what becomes of them is for an administrator to say.

use std::time::{Duration, Instant};

use e2e::cluster::Options;
use e2e::grpc::connect;
use e2e::{Cluster, System, Tenant};
use identity_proto::access::{CONSUMER_GROUP, bucket, prefix, stream};
use identity_proto::identity::v1::ErrorReason;
use identity_proto::session::v1::session_service_client::SessionServiceClient;
use identity_proto::session::v1::{DeleteDeadLetterRequest, ListDeadLettersRequest, ReplayDeadLetterRequest};
use identity_proto::status::reason;
use redis::aio::MultiplexedConnection;
use redis::streams::StreamPendingCountReply;
use redis::{AsyncCommands, Value as Answer};
use serde_json::{Value, json};
use tonic::Code;
use uuid::Uuid;

use crate::PLACE;
use crate::many_sessions::connection;

/// Within which five tries of what cannot be understood are over.
const BURIED: Duration = Duration::from_secs(30);
/// Within which sessions are pruned and that is acknowledged.
const PRUNED: Duration = Duration::from_secs(5);

async fn system() -> System {
    let started = tokio::task::spawn_blocking(|| System::start(PLACE)).await;
    started.expect("a system")
}

/// The tenant's only user who matters, logged in; whose bucket.
async fn logged_in(tenant: &Tenant) -> (String, u8) {
    let user = tenant.user().await;
    tenant.log_in(&user).await.expect("a session");
    let bucket = bucket(id(&tenant.id), id(&user));
    (user, bucket)
}

fn id(text: &str) -> Uuid {
    text.parse().expect("an id")
}

async fn deactivate(tenant: &Tenant, user: &str) {
    let operations = json!([{"op": "replace", "value": {"active": false}}]);
    let answer = tenant.scim.patch(&format!("/Users/{user}"), &operations).await;
    assert_eq!(answer.status, 200);
}

async fn announce(redis: &mut MultiplexedConnection, bucket: u8, fields: &[(&str, &[u8])]) {
    let _: String = redis.xadd(stream(bucket), "*", fields).await.expect("an entry");
}

/// The letters, once there are so many.
async fn letters(system: &System, expect: usize, soon: Duration, mut meanwhile: impl AsyncFnMut()) -> Vec<Value> {
    let deadline = Instant::now() + soon;
    loop {
        let listed = system.cli(&["events", "dead-letters", "list"]).await;
        assert_eq!(listed.exit, 0, "{listed:?}");
        if listed.json.len() == expect {
            return listed.json;
        }
        assert!(Instant::now() < deadline, "{expect} were expected: {:?}", listed.json);
        meanwhile().await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Waits until the user's last ending is acknowledged; how many sessions it had.
async fn pruned(system: &System, tenant: &Tenant, user: &str) -> Value {
    let deadline = Instant::now() + PRUNED;
    loop {
        let shown = system
            .cli(&["access", "show", "--tenant", &tenant.name, user])
            .await
            .done();
        if shown["pruned_at"].is_string() {
            return shown["pruned"].clone();
        }
        assert!(Instant::now() < deadline, "{shown}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn what_cannot_be_understood_is_a_letter_after_five_tries_within_seconds_and_delays_nobody() {
    let system = system().await;
    let tenant = Tenant::create(&system).await;
    let (user, bucket) = logged_in(&tenant).await;
    let mut redis = connection(&system.description().redis_url).await;
    let ours = id(&tenant.id).simple().to_string();
    announce(&mut redis, bucket, &[("what", b"\xff\0")]).await;
    announce(
        &mut redis,
        bucket,
        &[
            ("tenant", ours.as_bytes()),
            ("user", b""),
            ("epoch", b"never"),
            ("note", b"ann@example.com"),
        ],
    )
    .await;
    deactivate(&tenant, &user).await;
    assert_eq!(
        pruned(&system, &tenant, &user).await,
        1,
        "behind both in the same stream"
    );

    let both = letters(&system, 2, BURIED, async || {}).await;
    for (letter, (field, names)) in both.iter().zip([
        ("tenant", vec!["what"]),
        ("epoch", vec!["epoch", "note", "tenant", "user"]),
    ]) {
        assert_eq!(
            (&letter["tries"], &letter["bucket"]),
            (&json!(5), &json!(bucket)),
            "{letter}"
        );
        assert!(
            letter["why"].as_str().is_some_and(|why| why.contains(field)),
            "{letter}"
        );
        let fields: Vec<_> = letter["fields"].as_object().expect("fields").keys().collect();
        assert_eq!(fields, names);
        assert!(!letter.to_string().contains("ann@"), "{letter}");
    }
    let logged = system.log();
    assert!(logged.contains("is a dead letter now"), "operators are told");

    let ids = [0, 1].map(|place| both[place]["id"].as_str().expect("an id").to_owned());
    let cli = async |arguments: &[&str]| system.cli(&[&["events", "dead-letters"], arguments].concat()).await;
    for command in ["replay", "forget"] {
        for unknown in ["7:1-0", "nonsense"] {
            let refused = cli(&[command, unknown]).await;
            assert_eq!((refused.exit, refused.json.len()), (1, 0), "{refused:?}");
            assert!(refused.stderr.contains("dead-letters list"), "{refused:?}");
        }
    }
    assert_eq!(cli(&["forget", &ids[0]]).await.done(), json!({"forgotten": &ids[0]}));
    assert_eq!(cli(&["replay", &ids[1]]).await.done()["replayed"], json!(&ids[1]));
    // Nothing was mended.
    let again = letters(&system, 1, BURIED, async || {}).await;
    assert_ne!(again[0]["id"], json!(&ids[1]));
    assert_eq!((&again[0]["tries"], &again[0]["why"]), (&json!(5), &both[1]["why"]));
    assert_eq!(again[0]["fields"], both[1]["fields"], "it says what it said");
    let all = cli(&["replay", "--all"]).await;
    assert_eq!((all.exit, all.json.len()), (0, 1), "{all:?}");
    assert_eq!(cli(&["replay"]).await.exit, 2, "which?");
}

#[tokio::test]
async fn a_letter_is_replayed_once_what_it_failed_of_is_mended() {
    let system = system().await;
    let tenant = Tenant::create(&system).await;
    let (user, bucket) = logged_in(&tenant).await;
    let mut redis = connection(&system.description().redis_url).await;
    let owned = format!(
        "{}:us:{}:{}",
        prefix(bucket),
        id(&tenant.id).simple(),
        id(&user).simple()
    );
    let aside = format!("{}:aside", prefix(bucket));
    let _: () = redis.rename(&owned, &aside).await.expect("a key");
    let _: () = redis.set(&owned, "broken").await.expect("a key");
    deactivate(&tenant, &user).await;
    // Let ten seconds pass between tries at once.
    let mut other = redis.clone();
    let hasten = async || {
        let waiting: StreamPendingCountReply = other
            .xpending_count(stream(bucket), CONSUMER_GROUP, "-", "+", 10)
            .await
            .expect("a group");
        for entry in waiting.ids {
            let mut claim = redis::cmd("XCLAIM");
            claim
                .arg(stream(bucket))
                .arg(CONSUMER_GROUP)
                .arg("test")
                .arg(0)
                .arg(entry.id);
            claim.arg("IDLE").arg(10_000).arg("JUSTID");
            let _: Answer = claim.query_async(&mut other).await.expect("a claim");
        }
    };
    let letter = letters(&system, 1, BURIED, hasten).await.remove(0);
    assert_eq!(letter["tries"], json!(5), "{letter}");
    assert!(
        letter["why"].as_str().is_some_and(|why| why.contains("WRONGTYPE")),
        "{letter}"
    );
    assert_eq!(letter["fields"]["user"], json!(id(&user).simple().to_string()));
    let shown = system
        .cli(&["access", "show", "--tenant", &tenant.name, &user])
        .await
        .done();
    assert!(
        shown["applied_at"].is_string() && shown["pruned_at"].is_null(),
        "{shown}"
    );

    let _: () = redis.del(&owned).await.expect("mended");
    let _: () = redis.rename(&aside, &owned).await.expect("mended");
    let replayed = system
        .cli(&[
            "events",
            "dead-letters",
            "replay",
            letter["id"].as_str().expect("an id"),
        ])
        .await
        .done();
    assert_ne!(replayed["entry"], letter["entry"], "it is the newest of its stream");
    assert_eq!(pruned(&system, &tenant, &user).await, 1);
    assert!(letters(&system, 0, PRUNED, async || {}).await.is_empty());
}

#[tokio::test]
async fn dead_letters_are_for_administrators_of_all_tenants() {
    let options = Options {
        cores: 1,
        sessions: 1,
        ..Options::default()
    };
    let mut cluster = Cluster::start(PLACE, options).await;
    let (boss, plain, limited) = ("boss-key-0123456789", "plain-key-0123456789", "limited-key-0123456789");
    let keys = format!("b:admin:{boss},p:platform:{plain},l:admin:{limited}:{}", Uuid::nil());
    let sessions = &mut cluster.sessions[0];
    sessions.set("PORTCULLIS_SERVICE_KEYS", Some(&keys));
    sessions.kill();
    sessions.start();
    sessions.ready().await;
    let mut redis = connection(&cluster.redis.url()).await;
    for bucket in [5, 9] {
        for number in 1..=2 {
            let letter = [("tenant", "t"), ("entry", "1-0"), ("why", "w"), ("tries", "5")];
            let place = format!("{number}-0");
            let _: String = redis
                .xadd(format!("{}:dead", prefix(bucket)), place, &letter)
                .await
                .expect("a letter");
        }
    }
    for (key, expect) in [(plain, false), (limited, false), (boss, true)] {
        let mut service = SessionServiceClient::new(connect(&cluster.sessions[0].url(), key));
        let id = "5:1-0".to_owned();
        let list = ListDeadLettersRequest {
            page_size: 3,
            ..Default::default()
        };
        let answers = [
            service.list_dead_letters(list).await.map(drop),
            service
                .replay_dead_letter(ReplayDeadLetterRequest { id: id.clone() })
                .await
                .map(drop),
            service
                .delete_dead_letter(DeleteDeadLetterRequest { id: "5:2-0".to_owned() })
                .await
                .map(drop),
        ];
        for answer in answers {
            assert_eq!(answer.is_ok(), expect, "{key}: {answer:?}");
            if let Err(status) = answer {
                assert_eq!(
                    (status.code(), reason(&status)),
                    (Code::PermissionDenied, Some(ErrorReason::MethodNotAllowed))
                );
            }
        }
    }
    let mut service = SessionServiceClient::new(connect(&cluster.sessions[0].url(), boss));
    let (mut ids, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListDeadLettersRequest {
            page_size: 1,
            page_token,
        };
        let page = service.list_dead_letters(request).await.expect("a page").into_inner();
        assert!(page.letters.len() <= 1);
        ids.extend(page.letters.into_iter().map(|letter| letter.id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(ids, ["9:1-0", "9:2-0"]);
    let request = ListDeadLettersRequest {
        page_token: "nonsense".to_owned(),
        ..Default::default()
    };
    let refused = service.list_dead_letters(request).await.expect_err("no token of ours");
    assert_eq!(refused.code(), Code::InvalidArgument);
}
