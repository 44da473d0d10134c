//! The cache by tokio's clock, with a source that does as it is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use identity_proto::identity::v1::ErrorReason;
use tokio::time::advance;

use crate::assertions::jwk::Key;
use crate::assertions::keys::{Failure, FailureKind, Fetch, KeySet, KeySets};

const URL: &str = "https://login.example.com/keys";

/// Takes a second for each fetch.
#[derive(Clone, Default)]
struct Fake {
    fetches: Arc<AtomicUsize>,
    down: Arc<AtomicBool>,
}

impl Fetch for Fake {
    async fn fetch(&self, _: &str) -> Result<Vec<Key>, Failure> {
        self.fetches.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(1)).await;
        if self.down.load(Ordering::Relaxed) {
            let said = "it is down".to_owned();
            return Err(Failure {
                said,
                kind: FailureKind::Down,
                cause: None,
            });
        }
        Ok(Vec::new())
    }
}

impl Fake {
    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::Relaxed)
    }

    fn is_down(&self, down: bool) {
        self.down.store(down, Ordering::Relaxed);
    }
}

fn cache() -> (Fake, Arc<KeySets<Fake>>) {
    let fake = Fake::default();
    (fake.clone(), KeySets::new(fake))
}

async fn current(sets: &Arc<KeySets<Fake>>) -> KeySet {
    sets.current(URL).await.expect("keys")
}

async fn seconds(count: u64) {
    advance(Duration::from_secs(count)).await;
}

#[tokio::test(start_paused = true)]
async fn a_set_is_used_for_ten_minutes() {
    let (fake, sets) = cache();
    let first = current(&sets).await;
    seconds(599).await;
    assert_eq!(current(&sets).await.fetched, first.fetched);
    assert_eq!(fake.fetches(), 1);
    seconds(1).await;
    assert!(current(&sets).await.fetched > first.fetched);
    assert_eq!(fake.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn unknown_keys_are_asked_for_every_thirty_seconds() {
    let (fake, sets) = cache();
    let newer = async |than: &KeySet| sets.newer(URL, than.fetched).await.expect("keys");
    let first = current(&sets).await;
    seconds(29).await;
    assert_eq!(newer(&first).await.fetched, first.fetched);
    assert_eq!(fake.fetches(), 1);
    seconds(1).await;
    let second = newer(&first).await;
    assert!(second.fetched > first.fetched);
    assert_eq!(newer(&second).await.fetched, second.fetched);
    // Who looked at the first set gets what is there by now.
    seconds(100).await;
    assert_eq!(newer(&first).await.fetched, second.fetched);
    assert_eq!(fake.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn many_that_ask_at_once_are_one_fetch() {
    let (fake, sets) = cache();
    let ask = || {
        let sets = sets.clone();
        tokio::spawn(async move { sets.current(URL).await.map(|set| set.fetched) })
    };
    let asked: Vec<_> = std::iter::repeat_with(ask).take(50).collect();
    for one in asked {
        one.await.expect("no panic").expect("keys");
    }
    assert_eq!(fake.fetches(), 1);
    // Those that fail, too.
    fake.is_down(true);
    seconds(86_400).await;
    let asked: Vec<_> = std::iter::repeat_with(ask).take(50).collect();
    for one in asked {
        one.await.expect("no panic").expect_err("no keys");
    }
    assert_eq!(fake.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_goes_on_without_who_began_it() {
    let (fake, sets) = cache();
    for _ in 0..5 {
        let hurried = tokio::time::timeout(Duration::from_millis(100), sets.current(URL)).await;
        assert!(hurried.is_err());
    }
    current(&sets).await;
    assert_eq!(fake.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn fresh_keys_do_not_wait_for_a_fetch() {
    let (fake, sets) = cache();
    let first = current(&sets).await;
    seconds(30).await;
    let asking = tokio::spawn({
        let sets = sets.clone();
        async move { sets.newer(URL, first.fetched).await.map(|set| set.fetched) }
    });
    while fake.fetches() < 2 {
        tokio::task::yield_now().await;
    }
    let begun = tokio::time::Instant::now();
    assert_eq!(current(&sets).await.fetched, first.fetched);
    assert_eq!((begun.elapsed(), fake.fetches()), (Duration::ZERO, 2));
    asking.await.expect("no panic").expect("newer keys");
}

#[tokio::test(start_paused = true)]
async fn old_keys_do_for_a_day_while_their_source_is_down() {
    let (fake, sets) = cache();
    let first = current(&sets).await;
    fake.is_down(true);
    seconds(600).await;
    assert_eq!(current(&sets).await.fetched, first.fetched);
    assert_eq!(current(&sets).await.fetched, first.fetched);
    assert_eq!(fake.fetches(), 2);
    // But they cannot tell whether a newer one signed.
    let error = sets.newer(URL, first.fetched).await.err().expect("no newer keys");
    assert_eq!(error.reason, ErrorReason::Unavailable);
    assert_eq!(fake.fetches(), 2);
    seconds(5).await;
    assert_eq!(current(&sets).await.fetched, first.fetched);
    assert_eq!(fake.fetches(), 3);
    seconds(86_400 - 600 - 5 - 10).await;
    assert_eq!(current(&sets).await.fetched, first.fetched);
    seconds(20).await;
    let error = sets.current(URL).await.err().expect("no keys");
    assert_eq!(error.reason, ErrorReason::Unavailable);
    assert!(error.message.contains("it is down"), "{error}");
    fake.is_down(false);
    seconds(5).await;
    assert!(current(&sets).await.fetched > first.fetched);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_failed_is_asked_again_after_five_seconds() {
    let (fake, sets) = cache();
    fake.is_down(true);
    for _ in 0..10 {
        sets.current(URL).await.err().expect("no keys");
    }
    assert_eq!(fake.fetches(), 1);
    fake.is_down(false);
    seconds(5).await;
    current(&sets).await;
    assert_eq!(fake.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn of_a_thousand_urls_the_least_used_is_forgotten() {
    let (fake, sets) = cache();
    let get = async |number: usize| {
        let set = sets.current(&format!("{URL}/{number}")).await;
        assert!(set.is_ok());
    };
    let begin = |number: usize| {
        let sets = sets.clone();
        tokio::spawn(async move { sets.current(&format!("{URL}/{number}")).await.map(|_| ()) })
    };
    let begun: Vec<_> = (0..1_000).map(begin).collect();
    for one in begun {
        one.await.expect("no panic").expect("keys");
    }
    assert_eq!(fake.fetches(), 1_000);
    get(0).await;
    assert_eq!(fake.fetches(), 1_000);
    get(1_000).await;
    assert_eq!(fake.fetches(), 1_001);
    get(0).await;
    assert_eq!(fake.fetches(), 1_001);
    get(1).await;
    assert_eq!(fake.fetches(), 1_002);
}
