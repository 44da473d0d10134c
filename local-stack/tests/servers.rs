//! The servers for tests, used as tests use them.

use std::time::Instant;

use local_stack::test::{Postgres, Redis};

#[tokio::test]
async fn each_caller_gets_its_own_clone_of_a_template_that_is_migrated_once() {
    let server = Postgres::shared();
    let migrate = async |url: &str| {
        server.sql(url, "CREATE TABLE thing (id int); INSERT INTO thing VALUES (1)")?;
        Ok(())
    };
    let first = server.database("things", migrate).await;
    let second = server.database("things", migrate).await;
    assert_ne!(first, second);
    server.sql(&first, "INSERT INTO thing VALUES (2)").unwrap();
    let count = |url: &str| server.sql(url, "SELECT count(*) FROM thing").unwrap();
    assert_eq!((count(&first).trim(), count(&second).trim()), ("2", "1"));
}

#[tokio::test]
async fn databases_belong_to_a_role_that_is_no_superuser() {
    let server = Postgres::shared();
    let url = server.database("empty", async |_| Ok(())).await;
    let rights = server.sql(
        &url,
        "SELECT rolsuper, rolcreaterole FROM pg_roles WHERE rolname = current_user",
    );
    assert_eq!(rights.unwrap().trim(), "f|t");
    assert_eq!(server.sql(&url, "SHOW server_encoding").unwrap().trim(), "UTF8");
}

#[test]
fn a_redis_of_ones_own_can_be_killed_and_started_again() {
    let mut redis = Redis::start_fresh();
    let (url, pid) = (redis.url(), redis.process().pid());
    redis.process().kill().unwrap();
    assert!(redis.process().ended().unwrap().is_some());
    let began = Instant::now();
    redis.start_again().unwrap();
    assert_eq!(redis.url(), url);
    assert_ne!(redis.process().pid(), pid);
    println!("started again in {:?}", began.elapsed());
}

#[test]
fn every_test_gets_an_empty_redis_database() {
    assert_ne!(Redis::shared().database(), Redis::shared().database());
}
