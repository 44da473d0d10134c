//! The relay's parts against real PostgreSQL and Redis.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use identity_proto::access::{bucket, prefix};
use identity_proto::identity::v1::AccessState;
use local_stack::test::{Postgres, Redis};
use redis_topology::{Master, Topology};
use runtime::Secret;
use sqlx::PgPool;
use uuid::Uuid;

use super::generation::agree;
use super::lease::renew_leases;
use super::link::{Link, Register};
use super::relay::{apply_batch, claim_changes, mark_applied};
use crate::store::{Options, Store, SystemStore};

mod cluster;

/// All buckets, as PostgreSQL counts.
static ALL: LazyLock<Vec<i16>> = LazyLock::new(|| (0..64).collect());

struct Fixture {
    /// As the relay sees the database.
    system: SystemStore,
    /// As its owner does.
    owner: PgPool,
    redis: Topology,
}

impl Fixture {
    async fn new() -> Self {
        Fixture::on(&Redis::shared().database()).await
    }

    async fn on(redis_url: &str) -> Self {
        let url = Postgres::shared()
            .database("core", async |url| crate::migrate(&Secret::new(url)).await)
            .await;
        let options = Options {
            url: Secret::new(url.clone()),
            pool_size: 2,
            statement_timeout: Duration::from_secs(5),
        };
        let redis = Topology::parse(redis_url).unwrap();
        let system = Store::new(&options).unwrap().relay();
        Fixture {
            system,
            owner: PgPool::connect(&url).await.unwrap(),
            redis,
        }
    }

    async fn master(&self) -> Master {
        self.redis.masters().await.unwrap().remove(0)
    }

    async fn link(&self) -> Arc<Link> {
        Arc::new(agree(&self.master().await, &self.system).await.unwrap())
    }

    async fn redis(&self) -> redis::aio::MultiplexedConnection {
        self.holder(0).await
    }

    /// A connection to the master that holds a bucket.
    async fn holder(&self, bucket: u8) -> redis::aio::MultiplexedConnection {
        let masters = self.redis.masters().await.unwrap();
        let master = masters.iter().find(|master| master.buckets.contains(&bucket)).unwrap();
        master.client.get_multiplexed_async_connection().await.unwrap()
    }

    async fn apply(&self, link: &Arc<Link>) -> i64 {
        apply_batch(&self.system, std::slice::from_ref(link)).await.unwrap()
    }

    async fn tenant(&self) -> Uuid {
        let tenant = Uuid::new_v4();
        for statement in [
            "INSERT INTO tenant (tenant_id, name) VALUES ($1, left($1::text, 8))",
            "SELECT move_tenant_access($1, 'active')",
        ] {
            sqlx::query(statement).bind(tenant).execute(&self.owner).await.unwrap();
        }
        tenant
    }

    /// Moves a user's access and writes the outbox row, as an operation would.
    async fn change(&self, tenant: Uuid, user: Uuid, state: &str) -> i64 {
        let (epoch,): (i64,) = sqlx::query_as("SELECT move_user_access($1, $2, $3)")
            .bind(tenant)
            .bind(user)
            .bind(state)
            .fetch_one(&self.owner)
            .await
            .unwrap();
        sqlx::query(
            "INSERT INTO outbox (tenant_id, event_id, kind, user_id, body, access_epoch, bucket)
             VALUES ($1, gen_random_uuid(), 'test', $2, '', $3, $4)",
        )
        .bind(tenant)
        .bind(user)
        .bind(epoch)
        .bind(i16::from(bucket(tenant, user)))
        .execute(&self.owner)
        .await
        .unwrap();
        epoch
    }

    /// Suspends a tenant, which has no bucket.
    async fn suspend(&self, tenant: Uuid) {
        for statement in [
            "SELECT move_tenant_access($1, 'inactive')",
            "INSERT INTO outbox (tenant_id, event_id, kind, body, access_epoch)
             SELECT tenant_id, gen_random_uuid(), 'test', '', epoch FROM tenant_access WHERE tenant_id = $1",
        ] {
            sqlx::query(statement).bind(tenant).execute(&self.owner).await.unwrap();
        }
    }

    /// What waits has waited for long.
    async fn age(&self) {
        sqlx::query("UPDATE outbox SET created_at = created_at - interval '2 seconds'")
            .execute(&self.owner)
            .await
            .unwrap();
    }

    /// The claims' time is over.
    async fn free_claims(&self) {
        sqlx::query("UPDATE outbox SET claimed_until = clock_timestamp() - interval '1 second'")
            .execute(&self.owner)
            .await
            .unwrap();
    }

    /// How many changes a bucket's stream tells.
    async fn announced(&self, bucket: u8) -> i64 {
        redis::cmd("XLEN")
            .arg(identity_proto::access::stream(bucket))
            .query_async(&mut self.holder(bucket).await)
            .await
            .unwrap()
    }

    async fn unapplied(&self) -> i64 {
        let statement = "SELECT count(*) FROM outbox WHERE access_epoch IS NOT NULL AND applied_at IS NULL";
        sqlx::query_as::<_, (i64,)>(statement)
            .fetch_one(&self.owner)
            .await
            .unwrap()
            .0
    }

    async fn register(&self, link: &Link, tenant: Uuid, user: Uuid) -> Option<String> {
        let bucket = bucket(tenant, user);
        let name = identity_proto::access::register(tenant, Some(user));
        let key = format!("{}:r:{}:{name}", prefix(bucket), link.generation(bucket));
        redis::cmd("GET")
            .arg(key)
            .query_async(&mut self.holder(bucket).await)
            .await
            .unwrap()
    }

    async fn lease(&self, bucket: u8) -> Option<i64> {
        redis::cmd("GET")
            .arg(format!("{}:lease", prefix(bucket)))
            .query_async(&mut self.holder(bucket).await)
            .await
            .unwrap()
    }
}

fn moved(tenant: Uuid, user: Uuid, epoch: i64, state: AccessState) -> BTreeMap<u8, Vec<Register>> {
    let register = Register {
        tenant,
        user: Some(user),
        epoch,
        state,
        announced: None,
    };
    BTreeMap::from([(bucket(tenant, user), vec![register])])
}

#[tokio::test]
async fn generations_last_until_redis_or_postgresql_is_another() {
    let fixture = Fixture::new().await;
    let first = fixture.link().await;
    assert!(first.gens.len() == 64 && first.gens.values().all(|generation| *generation > 0));
    let second = fixture.link().await;
    assert_eq!(
        first.gens, second.gens,
        "the same processes agree on the same generations"
    );

    redis::cmd("FLUSHDB")
        .exec_async(&mut fixture.redis().await)
        .await
        .unwrap();
    let third = fixture.link().await;
    assert!(
        third.gens.iter().all(|(bucket, new)| *new > second.gens[bucket]),
        "an emptied Redis starts anew"
    );

    sqlx::query("UPDATE access_bucket SET pg_incarnation = 'restored' WHERE bucket = 5")
        .execute(&fixture.owner)
        .await
        .unwrap();
    let fourth = fixture.link().await;
    assert!(
        fourth.gens[&5] > third.gens[&5],
        "a PostgreSQL that started again starts anew"
    );
    assert_eq!(fourth.gens[&6], third.gens[&6]);

    sqlx::query("UPDATE access_bucket SET redis_incarnation = 'another' WHERE bucket = 6")
        .execute(&fixture.owner)
        .await
        .unwrap();
    assert!(
        fixture.link().await.gens[&6] > fourth.gens[&6],
        "another Redis starts anew"
    );
}

#[tokio::test]
async fn two_relays_that_start_at_once_come_to_agree() {
    let fixture = Fixture::new().await;
    let settle = async || loop {
        if let Ok(link) = agree(&fixture.master().await, &fixture.system).await {
            return link;
        }
        let odd = u64::from(Uuid::new_v4().as_bytes()[0]);
        tokio::time::sleep(Duration::from_millis(odd)).await;
    };
    let (_, _) = tokio::join!(settle(), settle());
    let (one, other) = (fixture.link().await, fixture.link().await);
    assert_eq!(one.gens, other.gens);
}

#[tokio::test]
async fn registers_only_rise_and_only_under_their_generation() {
    let fixture = Fixture::new().await;
    let link = fixture.link().await;
    let (tenant, user) = (Uuid::new_v4(), Uuid::new_v4());
    let (active, inactive) = (AccessState::AccessActive, AccessState::AccessInactive);
    let check = async |epoch, state, expect: &str| {
        link.apply(&moved(tenant, user, epoch, state)).await.unwrap();
        assert_eq!(fixture.register(&link, tenant, user).await.as_deref(), Some(expect));
    };
    check(20, active, "20:a").await;
    check(19, inactive, "20:a").await;
    check(20, inactive, "20:i").await;
    check(20, active, "20:i").await;
    check(21, active, "21:a").await;

    let key = format!("{}:gen", prefix(bucket(tenant, user)));
    redis::cmd("SET")
        .arg(key)
        .arg("77")
        .exec_async(&mut fixture.redis().await)
        .await
        .unwrap();
    assert!(link.apply(&moved(tenant, user, 22, inactive)).await.is_err());
    assert!(
        link.over.is_cancelled(),
        "the link is over once a bucket is of another generation"
    );
    assert_eq!(fixture.register(&link, tenant, user).await.as_deref(), Some("21:a"));
}

#[tokio::test]
async fn a_change_is_applied_announced_and_marked() {
    let fixture = Fixture::new().await;
    let link = fixture.link().await;
    let (tenant, user) = (fixture.tenant().await, Uuid::new_v4());
    let epoch = fixture.change(tenant, user, "inactive").await;
    assert_eq!(fixture.apply(&link).await, 1);
    assert_eq!(fixture.register(&link, tenant, user).await, Some(format!("{epoch}:i")));
    assert_eq!(fixture.unapplied().await, 0);
    assert_eq!(fixture.announced(bucket(tenant, user)).await, 1);
    assert_eq!(fixture.apply(&link).await, 0, "nothing is left to do");
}

#[tokio::test]
async fn an_overtaken_change_never_undoes_the_later_one() {
    let fixture = Fixture::new().await;
    let link = fixture.link().await;
    let (tenant, user) = (fixture.tenant().await, Uuid::new_v4());
    fixture.change(tenant, user, "active").await;
    let last = fixture.change(tenant, user, "inactive").await;
    fixture.apply(&link).await;
    assert_eq!(fixture.register(&link, tenant, user).await, Some(format!("{last}:i")));
}

#[tokio::test]
async fn what_was_applied_under_an_older_generation_is_not_marked() {
    let fixture = Fixture::new().await;
    let link = fixture.link().await;
    let (tenant, user) = (fixture.tenant().await, Uuid::new_v4());
    fixture.change(tenant, user, "inactive").await;
    let claim = Uuid::new_v4();
    let changes = claim_changes(&fixture.system, claim, &ALL).await.unwrap();
    assert_eq!(changes.len(), 1);
    assert!(
        claim_changes(&fixture.system, Uuid::new_v4(), &ALL)
            .await
            .unwrap()
            .is_empty(),
        "a claim holds"
    );

    let number = i16::from(bucket(tenant, user));
    let draw = "UPDATE access_bucket SET gen = next_epoch(gen) WHERE bucket = $1";
    sqlx::query(draw).bind(number).execute(&fixture.owner).await.unwrap();
    mark_applied(&fixture.system, &link.gens, claim, &changes)
        .await
        .unwrap();
    assert_eq!(
        fixture.unapplied().await,
        1,
        "it must go to the new generation's registers too"
    );

    mark_applied(&fixture.system, &fixture.link().await.gens, Uuid::new_v4(), &changes)
        .await
        .unwrap();
    assert_eq!(fixture.unapplied().await, 1, "another's claim is not ours to settle");
    mark_applied(&fixture.system, &fixture.link().await.gens, claim, &changes)
        .await
        .unwrap();
    assert_eq!(fixture.unapplied().await, 0);
}

#[tokio::test]
async fn no_lease_stands_over_a_change_that_waits() {
    let fixture = Fixture::new().await;
    let link = fixture.link().await;
    let (tenant, user) = (fixture.tenant().await, Uuid::new_v4());
    let (mine, other) = (bucket(tenant, user), (bucket(tenant, user) + 1) % 64);
    fixture.change(tenant, user, "inactive").await;
    renew_leases(&fixture.system, &link).await.unwrap();
    let granted = fixture
        .lease(mine)
        .await
        .expect("a change of this moment holds nothing back");

    fixture.age().await;
    renew_leases(&fixture.system, &link).await.unwrap();
    assert_eq!(fixture.lease(mine).await, Some(granted), "not renewed");
    assert!(fixture.lease(other).await.unwrap() > granted, "other buckets go on");

    fixture.apply(&link).await;
    renew_leases(&fixture.system, &link).await.unwrap();
    assert!(fixture.lease(mine).await.unwrap() > granted);
}

#[tokio::test]
async fn a_deadline_that_has_passed_is_not_granted() {
    let fixture = Fixture::new().await;
    let link = fixture.link().await;
    let now = link.time().await.unwrap();
    link.grant(&[3], now - 1).await.unwrap();
    assert_eq!(fixture.lease(3).await, None);
    link.grant(&[3], now + 60_000).await.unwrap();
    link.grant(&[3], now + 30_000).await.unwrap();
    assert_eq!(fixture.lease(3).await, Some(now + 60_000), "a lease is never shortened");
}
