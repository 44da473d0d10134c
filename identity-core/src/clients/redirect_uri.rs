//! Redirect URIs: which may be registered, and which of a request is one of them. RFC 9700 section 2.1: character by
//! character, save for the port of a loopback address (RFC 8252 section 7.3).

use http::Uri;

/// Longer than any that an identity provider uses.
const LONGEST: usize = 2_000;
/// Okta's own, of the five that it asks to register, is plain HTTP.
const PLAIN_HTTP: &str = "http://system-admin.okta1.com:1802/";
const LOOPBACK: [&str; 3] = ["127.0.0.1", "[::1]", "localhost"];

/// Why a URI cannot be registered; `None` if it can.
pub(super) fn problem(uri: &str) -> Option<&'static str> {
    if uri.len() > LONGEST {
        return Some("is longer than 2,000 characters");
    }
    if !uri.bytes().all(|byte| byte.is_ascii_graphic()) || uri.contains(['#', '\\', '"', '<', '>']) {
        return Some("may hold printable ASCII alone, and no fragment");
    }
    let Ok(parsed) = uri.parse::<Uri>() else {
        return Some("is no URI");
    };
    let (Some(scheme), Some(host), Some(authority)) = (parsed.scheme_str(), parsed.host(), parsed.authority()) else {
        return Some("needs a scheme and a host");
    };
    if authority.as_str().contains('@') {
        return Some("may not hold a user name");
    }
    if parsed.path().split('/').any(|segment| matches!(segment, "." | "..")) {
        return Some("may not hold the segments . and ..");
    }
    let plain = LOOPBACK.contains(&host) || uri.starts_with(PLAIN_HTTP);
    match scheme {
        "https" => None,
        "http" if plain => None,
        _ => Some("must be https"),
    }
}

/// Whether `given` is the registered URI.
pub(crate) fn matches(registered: &str, given: &str) -> bool {
    registered == given
        || match (without_loopback_port(registered), without_loopback_port(given)) {
            (Some(registered), Some(given)) => registered == given,
            _ => false,
        }
}

/// Scheme, host and the rest of a loopback URI, around its port.
fn without_loopback_port(uri: &str) -> Option<(&'static str, &str)> {
    let rest = uri.strip_prefix("http://")?;
    // A name is resolved by whoever is asked: only addresses are sure to be loopback.
    let host = LOOPBACK[..2].iter().find(|host| rest.starts_with(**host))?;
    let rest = rest.strip_prefix(host)?;
    let rest = match rest.strip_prefix(':') {
        Some(port) => port.trim_start_matches(|digit: char| digit.is_ascii_digit()),
        None => rest,
    };
    (rest.is_empty() || rest.starts_with(['/', '?'])).then_some((*host, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_registered() {
        let check = |uri: &str, expect: bool| assert_eq!(problem(uri).is_none(), expect, "{uri}: {:?}", problem(uri));
        check(
            "https://system-admin.okta.com/admin/app/cpc/acme_1/oauth/callback",
            true,
        );
        check(
            "http://system-admin.okta1.com:1802/admin/app/cpc/acme_1/oauth/callback",
            true,
        );
        check("https://app.example/cb?tenant=a", true);
        check("http://127.0.0.1/cb", true);
        check("http://[::1]:8400/cb", true);
        for wrong in [
            "",
            "/cb",
            "app.example/cb",
            "http://app.example/cb",
            "http://system-admin.okta1.com:1803/cb",
            "http://system-admin.okta1.com:1802@evil.example/",
            "https://app.example/cb#x",
            "https://user@app.example/cb",
            "https://app.example/a/../b",
            "https://app.example/ä",
            "https://app.example/a b",
            "javascript:alert(1)",
            "ftp://app.example/",
            &format!("https://app.example/{}", "x".repeat(2_000)),
        ] {
            check(wrong, false);
        }
    }

    #[test]
    fn only_the_very_same_matches() {
        let check = |registered: &str, given: &str, expect: bool| {
            assert_eq!(matches(registered, given), expect, "{registered} {given}");
        };
        let registered = "https://app.example/cb";
        check(registered, registered, true);
        for other in [
            "https://app.example/cb/",
            "https://app.example/cb/../evil",
            "https://app.example/CB",
            "https://APP.example/cb",
            "https://app.example:443/cb",
            "https://app.example/cb?x=1",
            "https://evil.example/#https://app.example/cb",
            "https://app.example@evil.example/cb",
            "https://fooaexample.com/cb",
            "http://app.example/cb",
            "",
        ] {
            check(registered, other, false);
        }
        check("http://127.0.0.1/cb", "http://127.0.0.1:49152/cb", true);
        check("http://127.0.0.1:8400/cb", "http://127.0.0.1:49152/cb", true);
        check("http://[::1]/cb", "http://[::1]:1/cb", true);
        check("http://127.0.0.1/cb", "http://127.0.0.1:1/other", false);
        check("http://127.0.0.1/cb", "http://127.0.0.1.evil.example/cb", false);
        check("http://127.0.0.1/cb", "http://127.0.0.1:1@evil.example/cb", false);
        check("http://127.0.0.1/cb", "http://[::1]/cb", false);
        check("http://localhost/cb", "http://localhost:1/cb", false);
    }
}
