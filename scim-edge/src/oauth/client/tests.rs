use http::HeaderValue;

use super::*;

const ID: &str = "0190a3b4-0000-7000-8000-000000000001";

fn secret() -> String {
    Kind::ClientSecret.write([5; 32])
}

fn encoded(pair: &str) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}

fn read(headers: &[&str], body: &str) -> Result<ClientAuthentication, Error> {
    let mut map = HeaderMap::new();
    for value in headers {
        map.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
    }
    authentication(&map, &Parameters::parse(body.as_bytes(), &KNOWN))
}

#[test]
fn a_secret_comes_by_basic_or_in_the_body() {
    let secret = secret();
    let pair = format!("{ID}:{secret}");
    let in_body = format!("client_id={ID}&client_secret={secret}");
    let percent: Vec<_> = pair.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let percent = percent.concat();
    for (headers, body) in [
        (vec![encoded(&pair)], String::new()),
        (vec![encoded(&percent.replace("%3A", ":"))], String::new()),
        (
            vec![encoded(&pair).replace("Basic", "BASIC")],
            format!("client_id={ID}"),
        ),
        (vec![], in_body),
    ] {
        let headers: Vec<_> = headers.iter().map(String::as_str).collect();
        let client = read(&headers, &body).unwrap();
        assert_eq!(client.client_id, ID, "{headers:?} {body}");
        let Some(Proof::SecretSha256(hash)) = client.proof else {
            panic!("{headers:?} {body}");
        };
        assert_eq!(hash, credential::hash(&secret), "{headers:?} {body}");
    }
}

#[test]
fn an_assertion_needs_no_client_id_and_a_public_client_nothing_else() {
    let jwt = format!("client_assertion=a.b.c&client_assertion_type={JWT_BEARER}");
    let assertion = |id: &str| ClientAuthentication {
        client_id: id.to_owned(),
        proof: Some(Proof::Assertion("a.b.c".to_owned())),
    };
    assert_eq!(read(&[], &jwt).unwrap(), assertion(""));
    assert_eq!(read(&[], &format!("{jwt}&client_id={ID}")).unwrap(), assertion(ID));
    let public = ClientAuthentication {
        client_id: ID.to_owned(),
        proof: None,
    };
    assert_eq!(read(&[], &format!("client_id={ID}")).unwrap(), public);
    assert_eq!(read(&[], &format!("client_id={ID}&client_secret=")).unwrap(), public);
}

fn check(headers: &[&str], body: &str, expect: ErrorCode) {
    match read(headers, body) {
        Err(Error::Refused(code, text)) => {
            assert_eq!(code, expect, "{headers:?} {body}");
            assert!(text.ends_with('.') && !text.contains("pcc_"), "{text}");
        }
        found => panic!("{headers:?} {body}: {found:?}"),
    }
}

#[test]
fn one_way_at_a_time() {
    let secret = secret();
    let basic = encoded(&format!("{ID}:{secret}"));
    let jwt = format!("client_assertion=a.b.c&client_assertion_type={JWT_BEARER}");
    check(
        &[&basic],
        &format!("client_id={ID}&client_secret={secret}"),
        ErrorCode::InvalidRequest,
    );
    check(&[&basic], &jwt, ErrorCode::InvalidRequest);
    check(
        &[],
        &format!("client_id={ID}&client_secret={secret}&{jwt}"),
        ErrorCode::InvalidRequest,
    );
    check(&[&basic, &basic], "", ErrorCode::InvalidRequest);
    check(&[&basic], "client_id=another", ErrorCode::InvalidRequest);
    check(&[], &format!("client_secret={secret}"), ErrorCode::InvalidRequest);
    check(&[], "client_assertion=a.b.c", ErrorCode::InvalidRequest);
    check(
        &[],
        &format!("client_assertion_type={JWT_BEARER}"),
        ErrorCode::InvalidRequest,
    );
}

#[test]
fn what_proves_nothing_is_refused() {
    let secret = secret();
    let truncated = &secret[..secret.len() - 1];
    check(&[], "", ErrorCode::InvalidClient);
    check(
        &[],
        &format!("client_id={ID}&client_secret={truncated}"),
        ErrorCode::InvalidClient,
    );
    check(
        &[],
        "client_assertion=a.b.c&client_assertion_type=saml",
        ErrorCode::InvalidClient,
    );
    for value in [
        "Basic".to_owned(),
        "Basic !".to_owned(),
        format!("Bearer {secret}"),
        STANDARD.encode(format!("{ID}:{secret}")),
        encoded(ID),
        encoded(&format!("{ID}:")),
        encoded(&format!(":{secret}")),
        encoded(&format!("{ID}:{truncated}")),
        encoded(&format!("{ID}:{}", Kind::Token.write([5; 32]))),
        format!("Basic {}", STANDARD.encode(b"\xff:\xff")),
    ] {
        check(&[&value], "", ErrorCode::InvalidClient);
    }
}
