//! Servers that fail in each of the ways in which a request may or may not have been processed.

use std::sync::atomic::AtomicUsize;

use tokio::net::TcpListener;

use super::*;

/// What a server does with each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    Answer,
    Reset(h2::Reason),
    HangUp,
    /// Answers the first request of a connection and lets no other in.
    LeaveAfterOne,
    Nothing,
}

struct Fake {
    url: String,
    seen: Arc<AtomicUsize>,
}

impl Fake {
    async fn start(does: Does) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, does, Arc::clone(&count)));
            }
        });
        Fake { url, seen }
    }

    fn seen(&self) -> usize {
        self.seen.load(Ordering::Relaxed)
    }
}

async fn converse(stream: tokio::net::TcpStream, does: Does, seen: Arc<AtomicUsize>) {
    stream.set_nodelay(true).unwrap();
    let mut connection = h2::server::handshake(stream).await.unwrap();
    let mut kept = Vec::new();
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        seen.fetch_add(1, Ordering::Relaxed);
        match does {
            Does::HangUp => return,
            Does::Reset(reason) => respond.send_reset(reason),
            Does::Nothing => kept.push((request, respond)),
            Does::Answer | Does::LeaveAfterOne => {
                if does == Does::LeaveAfterOne {
                    connection.graceful_shutdown();
                }
                respond.send_response(Response::new(()), true).unwrap();
            }
        }
    }
}

/// A URL at which nobody listens.
async fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

async fn send(channel: &Channel) -> Result<(), BoxError> {
    let body = Body::new(Full::new("request".into()));
    let request = Request::post("/x").body(body)?;
    channel.clone().oneshot(request).await.map(drop)
}

/// Sends one request to a server that does `does` and has a good one beside it.
async fn check(does: Does, is_sent_again: bool) {
    let (first, second) = (Fake::start(does).await, Fake::start(Does::Answer).await);
    let channel = channel(&format!("{}, {}", first.url, second.url)).unwrap();
    let answer = send(&channel).await;
    assert_eq!(answer.is_ok(), is_sent_again, "{does:?}: {answer:?}");
    assert_eq!(
        (first.seen(), second.seen()),
        (1, usize::from(is_sent_again)),
        "{does:?}"
    );
}

#[tokio::test]
async fn only_what_was_surely_not_processed_is_sent_again() {
    check(Does::Reset(h2::Reason::REFUSED_STREAM), true).await;
    check(Does::Reset(h2::Reason::INTERNAL_ERROR), false).await;
    check(Does::Reset(h2::Reason::CANCEL), false).await;
    check(Does::HangUp, false).await;
}

#[tokio::test]
async fn a_process_that_is_gone_costs_no_request() {
    let good = Fake::start(Does::Answer).await;
    let channel = channel(&format!("{},{}", nowhere().await, good.url)).unwrap();
    for _ in 0..50 {
        send(&channel).await.unwrap();
    }
    assert_eq!(good.seen(), 50);
    assert!(channel.peers[0].rests(Instant::now()), "it is left out for a moment");
}

#[tokio::test]
async fn where_nobody_listens_the_answer_is_an_error() {
    for setting in [nowhere().await, format!("{},{}", nowhere().await, nowhere().await)] {
        let channel = channel(&setting).unwrap();
        for _ in 0..3 {
            let status = tonic::Status::from_error(send(&channel).await.unwrap_err());
            assert_eq!(status.code(), tonic::Code::Unavailable, "{status:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_end_in_order_lose_no_request() {
    let leaving = Fake::start(Does::LeaveAfterOne).await;
    let channel = channel(&leaving.url).unwrap();
    for _ in 0..50 {
        send(&channel).await.unwrap();
    }
    assert_eq!(leaving.seen(), 50);
}

#[tokio::test]
async fn who_is_slow_gets_less() {
    let (slow, quick) = (Fake::start(Does::Nothing).await, Fake::start(Does::Answer).await);
    let channel = channel(&format!("{},{}", slow.url, quick.url)).unwrap();
    let waiting = channel.clone();
    let waiting = tokio::spawn(async move { send(&waiting).await.is_ok() });
    while slow.seen() == 0 {
        tokio::task::yield_now().await;
    }
    for _ in 0..20 {
        send(&channel).await.unwrap();
    }
    assert_eq!((slow.seen(), quick.seen()), (1, 20));
    waiting.abort();
}

#[test]
fn urls_are_read() {
    let check = |setting: &str, expect: Option<&[&str]>| {
        let urls = urls(setting).ok();
        let expect = expect.map(|urls| urls.iter().map(|url| url.parse().unwrap()).collect::<Vec<Uri>>());
        assert_eq!(urls, expect, "{setting}");
    };
    check("http://core:7001", Some(&["http://core:7001"]));
    check("http://a:1, http://b:2", Some(&["http://a:1", "http://b:2"]));
    check("", None);
    check("http://a:1,", None);
    check("core:7001", None);
    check("https://core:7001", None);
    check("unix:/x", None);
}

/// Two that are restarted one soon after the other: when the second goes the first is still left out, and is up again.
#[tokio::test]
async fn who_rests_is_asked_before_a_request_fails() {
    let (first, second) = (Fake::start(Does::Answer).await, nowhere().await);
    let channel = channel(&format!("{},{second}", first.url)).unwrap();
    *channel.peers[0].rest() = Some(Instant::now() + REST);
    send(&channel).await.unwrap();
    assert_eq!(first.seen(), 1);
}

/// How long a call to a server that never answers takes.
async fn waited(deadline: Option<Deadline>) -> Duration {
    let channel = channel(&Fake::start(Does::Nothing).await.url).unwrap();
    let mut request = Request::post("/x")
        .body(Body::new(Full::new("request".into())))
        .unwrap();
    if let Some(deadline) = deadline {
        request.extensions_mut().insert(deadline);
    }
    let began = Instant::now();
    let error = channel.oneshot(request).await.map(drop).unwrap_err();
    assert!(error.is::<TimeoutExpired>(), "{error:?}");
    began.elapsed()
}

#[tokio::test]
async fn a_call_may_have_a_deadline_of_its_own() {
    let short = Duration::from_millis(200);
    let found = waited(Some(Deadline(short))).await;
    assert!(found >= short && found < CALL_TIMEOUT, "{found:?}");
    let long = CALL_TIMEOUT + short;
    let found = waited(Some(Deadline(long))).await;
    assert!(found >= long, "{found:?}");
}
