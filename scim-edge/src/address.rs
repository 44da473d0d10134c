//! From where a request comes: the peer of its connection, or what a trusted proxy says.

use std::net::{IpAddr, SocketAddr};

use http::{Extensions, HeaderMap, HeaderName};

use crate::extract::list_header;

/// The other end of a request's connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

/// The client's address. A proxy that is trusted appends it to X-Forwarded-For: what stands before is the client's own word.
pub fn of(headers: &HeaderMap, extensions: &Extensions, trust_forwarded: bool) -> Option<IpAddr> {
    let peer = || extensions.get::<Peer>().map(|Peer(address)| *address);
    let forwarded = || {
        let list = list_header(headers, &HeaderName::from_static("x-forwarded-for"))?;
        address(list.rsplit(',').next()?.trim())
    };
    let address = if trust_forwarded {
        forwarded().or_else(peer)
    } else {
        peer()
    };
    address.map(|address| address.to_canonical())
}

/// Some proxies write the port too.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let alone = bare.unwrap_or(text).parse().ok();
    alone.or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn check(trust: bool, lines: &[&'static str], expect: &str) {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", HeaderValue::from_static(line));
        }
        let mut extensions = Extensions::new();
        extensions.insert(Peer("::ffff:192.0.2.9".parse().unwrap()));
        let found = of(&headers, &extensions, trust).unwrap();
        assert_eq!(found.to_string(), expect, "{lines:?}");
    }

    #[test]
    fn only_the_word_of_a_trusted_proxy_counts() {
        check(false, &[], "192.0.2.9");
        check(false, &["198.51.100.1"], "192.0.2.9");
        check(true, &[], "192.0.2.9");
        check(true, &["198.51.100.1"], "198.51.100.1");
        check(true, &["203.0.113.7, 198.51.100.1"], "198.51.100.1");
        check(true, &["203.0.113.7", "198.51.100.1"], "198.51.100.1");
        check(true, &["198.51.100.1:4711"], "198.51.100.1");
        check(true, &["2001:db8::1"], "2001:db8::1");
        check(true, &["[2001:db8::1]"], "2001:db8::1");
        check(true, &["[2001:db8::1]:4711"], "2001:db8::1");
        check(true, &["unknown"], "192.0.2.9");
        check(true, &["198.51.100.1,"], "192.0.2.9");
    }

    #[test]
    fn a_request_from_nowhere_has_no_address() {
        assert_eq!(of(&HeaderMap::new(), &Extensions::new(), true), None);
    }
}
