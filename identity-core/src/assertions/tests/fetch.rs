//! Fetches from a real server, and from where nothing may be fetched.

use std::time::{Duration, Instant};

use reqwest::dns::Resolve;
use serde_json::{Value, json};

use super::server::Server;
use super::signer::Signer;
use crate::assertions::PrivateHosts;
use crate::assertions::fetch::{Fetcher, PublicOnly};
use crate::assertions::keys::{Failure, FailureKind, Fetch};

/// How many keys are fetched from `url`, which these hosts allow.
async fn fetch(url: &str, private_hosts: &str) -> Result<usize, Failure> {
    let fetcher = Fetcher::new(PrivateHosts::parse(private_hosts).expect("hosts"));
    fetcher.fetch(url).await.map(|keys| keys.len())
}

#[tokio::test]
async fn a_host_on_the_list_is_asked() {
    let server = Server::start().await;
    let key = Signer::ed("ed").jwk();
    let strange = [
        json!(1),
        json!({"kty": "AKP", "pub": "AA"}),
        json!({"kty": "RSA"}),
        json!({}),
    ];
    server.publish(&[&[key][..], &strange].concat());
    let by_name = format!("http://localhost:{}/keys", server.port());
    assert_eq!(fetch(&server.url(), &server.host()).await.expect("keys"), 1);
    assert_eq!(fetch(&server.url(), "127.0.0.1").await.expect("keys"), 1);
    assert_eq!(fetch(&by_name, "localhost").await.expect("keys"), 1);
    assert_eq!(server.asked(), 3);
}

#[tokio::test]
async fn private_addresses_are_not_even_connected_to() {
    let server = Server::start().await;
    server.publish(&[Signer::ed("ed").jwk()]);
    let port = server.port();
    for url in [
        format!("http://127.0.0.1:{port}/keys"),
        format!("https://127.0.0.1:{port}/keys"),
        format!("https://2130706433:{port}/keys"),
        format!("https://[::ffff:127.0.0.1]:{port}/keys"),
        format!("http://localhost:{port}/keys"),
        format!("https://localhost:{port}/keys"),
        format!("https://LOCALHOST:{port}/keys"),
    ] {
        let hosts = format!("idp.internal,127.0.0.1:1,localhost:{}", port.wrapping_add(1));
        let failure = fetch(&url, &hosts).await.expect_err(&url);
        assert_eq!(failure.kind, FailureKind::Refused, "{url}: {failure:?}");
    }
    assert_eq!(server.asked(), 0);
    let localhost = "localhost".parse().expect("a name");
    assert!(PublicOnly.resolve(localhost).await.is_err());
}

#[tokio::test]
async fn only_a_small_set_is_an_answer() {
    use FailureKind::{Down, NoKeys};
    let server = Server::start().await;
    let check = async |answer: &str, kind: FailureKind, expect: &str| {
        server.answers(answer);
        let failure = fetch(&server.url(), &server.host()).await.expect_err(expect);
        assert!(failure.said.contains(expect), "{failure:?}");
        assert_eq!(failure.kind, kind, "{failure:?}");
    };
    let elsewhere = Server::start().await;
    elsewhere.publish(&[Signer::ed("ed").jwk()]);
    for status in [301, 302, 303, 307, 308] {
        let url = elsewhere.url();
        let answer = format!("HTTP/1.1 {status} Elsewhere\r\nlocation: {url}\r\ncontent-length: 0\r\n\r\n");
        check(&answer, NoKeys, &format!("status {status}")).await;
    }
    assert_eq!(elsewhere.asked(), 0);
    check(
        "HTTP/1.1 404 Not Found\r\ncontent-length: 11\r\n\r\n{\"keys\":[]}",
        NoKeys,
        "status 404",
    )
    .await;
    check("HTTP/1.1 204 No Content\r\n\r\n", NoKeys, "status 204").await;
    check("HTTP/1.1 429 Later\r\ncontent-length: 0\r\n\r\n", Down, "status 429").await;
    check("HTTP/1.1 502 Broken\r\ncontent-length: 0\r\n\r\n", Down, "status 502").await;
    check("not HTTP\r\n\r\n", Down, "cannot be reached").await;
    check("", Down, "cannot be reached").await;
    check(
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"keys\"",
        Down,
        "breaks off",
    )
    .await;

    let check = async |body: &str, expect: Result<usize, &str>| {
        server.body(body);
        let found = fetch(&server.url(), &server.host()).await;
        match (&found, expect) {
            (Ok(found), Ok(expect)) => assert_eq!(*found, expect),
            (Err(failure), Err(expect)) => assert!(failure.said.contains(expect), "{failure:?}"),
            _ => panic!("{found:?}, not {expect:?}"),
        }
    };
    for no_set in ["", "<html>", "[]", "{}", "null", "{\"keys\": {}}", "{\"keys\": []} x"] {
        check(no_set, Err("not a JWK set")).await;
    }
    let key = Signer::ed("ed").jwk();
    let keys = |count: usize| json!({"keys": vec![&key; count]}).to_string();
    check(&keys(0), Ok(0)).await;
    check(&keys(100), Ok(100)).await;
    check(&keys(101), Err("at most 100 keys")).await;
    let sized = |size: usize| {
        let set = keys(1);
        format!("{set}{}", " ".repeat(size - set.len()))
    };
    check(&sized(256 * 1024), Ok(1)).await;
    check(&sized(256 * 1024 + 1), Err("larger than 256 KiB")).await;
    // Of which the length does not say how long it is.
    server.answers(format!("HTTP/1.1 200 OK\r\n\r\n{}", sized(4 << 20)));
    let failure = fetch(&server.url(), &server.host()).await.expect_err("too long");
    assert!(failure.said.contains("larger than 256 KiB"), "{failure:?}");
}

#[tokio::test]
async fn a_slow_answer_is_given_up() {
    let server = Server::start().await;
    server.body(&" ".repeat(10_000));
    server.drip();
    let begun = Instant::now();
    let failure = fetch(&server.url(), &server.host()).await.expect_err("slow");
    assert!(failure.said.contains("in time"), "{failure:?}");
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn what_does_not_speak_tls_is_not_spoken_to() {
    let server = Server::start().await;
    server.publish(&[]);
    let url = format!("https://{}/keys", server.host());
    let failure = fetch(&url, &server.host()).await.expect_err("no TLS");
    assert!(failure.said.contains("cannot be reached"), "{failure:?}");
    assert!(
        failure
            .cause
            .is_some_and(|cause| cause.contains("InvalidContentType") || cause.contains("corrupt"))
    );
    assert_eq!(server.asked(), 1);
}

#[test]
fn weak_and_misshapen_keys_are_left_out() {
    use crate::assertions::jwk::Key;
    use base64::Engine;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
    let rsa = |modulus: &[u8]| json!({"kty": "RSA", "n": BASE64.encode(modulus), "e": "AQAB"});
    let check = |jwk: Value, expect: bool| assert_eq!(Key::read(jwk.clone()).is_some(), expect, "{jwk}");
    check(rsa(&[0xff; 256]), true);
    check(rsa(&[&[0][..], &[0x80; 256]].concat()), true);
    check(rsa(&[&[0x7f][..], &[0xff; 255]].concat()), false);
    check(rsa(&[&[0; 128][..], &[0xff; 128]].concat()), false);
    check(rsa(&[0xff; 128]), false);
    check(rsa(&[]), false);
    let point = |crv: &str, x: usize, y: usize| json!({"kty": "EC", "crv": crv, "x": BASE64.encode(vec![1; x]), "y": BASE64.encode(vec![1; y])});
    check(point("P-256", 32, 32), true);
    check(point("P-256", 31, 33), false);
    check(point("P-384", 48, 48), false);
    check(point("secp256k1", 32, 32), false);
    let okp = |crv: &str, x: usize| json!({"kty": "OKP", "crv": crv, "x": BASE64.encode(vec![1; x])});
    check(okp("Ed25519", 32), true);
    check(okp("Ed25519", 57), false);
    check(okp("X25519", 32), false);
    check(json!({"kty": "oct", "k": "c2VjcmV0"}), false);
}
