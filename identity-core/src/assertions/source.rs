//! Which URLs keys may be fetched from. Whoever creates a client writes one; without bounds it would make this core ask
//! machines that the writer cannot reach, such as a cloud's metadata service.

use std::net::IpAddr;
use std::sync::Arc;

use anyhow::Context;
use identity_proto::identity::v1::ErrorReason;
use url::{Host, Url};

use super::address::is_global;
use crate::Error;

/// The longest URL, in bytes.
const MAX_LENGTH: usize = 2_048;

/// The hosts that may be at private addresses and may be asked over plain HTTP, each with a port or with all of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct PrivateHosts(Arc<[(Host, Option<u16>)]>);

/// A URL that was checked.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) url: Url,
    /// Whether it is one of the operator's own.
    pub(super) private: bool,
}

impl PrivateHosts {
    /// Reads host[:port], separated by commas. IPv6 addresses stand in brackets.
    pub(crate) fn parse(setting: &str) -> anyhow::Result<Self> {
        let entries = setting.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let hosts: anyhow::Result<_> = entries
            .map(|entry| host_and_port(entry).with_context(|| format!("{entry:?} is not host or host:port")))
            .collect();
        hosts.map(PrivateHosts)
    }

    fn hold(&self, url: &Url) -> bool {
        self.0.iter().any(|(host, port)| {
            url.host().is_some_and(|of_url| of_url.to_owned() == *host)
                && port.is_none_or(|port| url.port_or_known_default() == Some(port))
        })
    }
}

fn host_and_port(entry: &str) -> anyhow::Result<(Host, Option<u16>)> {
    match entry.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => Ok((Host::parse(host)?, Some(port.parse()?))),
        _ => Ok((Host::parse(entry)?, None)),
    }
}

/// Whether keys may be fetched from this URL, as far as it says by itself: where its name leads is looked at with each fetch.
/// `InvalidValue` says what to change.
pub(crate) fn check_url(url: &str, private_hosts: &PrivateHosts) -> Result<(), Error> {
    source(url, private_hosts).map(drop)
}

/// The same, for the fetch.
pub(super) fn source(text: &str, private_hosts: &PrivateHosts) -> Result<Source, Error> {
    if text.len() > MAX_LENGTH {
        return Err(invalid("is longer than 2,048 characters"));
    }
    let url = Url::parse(text).map_err(|_| invalid("is not a URL such as https://login.example.com/keys"))?;
    let private = private_hosts.hold(&url);
    match url.scheme() {
        "https" => {}
        "http" if private => {}
        _ => return Err(invalid("must begin with https://")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("must not hold a user name or a password"));
    }
    if url.fragment().is_some() {
        return Err(invalid("must not have a fragment (#)"));
    }
    let address = match url.host() {
        Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
        _ => None,
    };
    if !private && address.is_some_and(|address| !is_global(address)) {
        return Err(invalid(
            "is at an address that is not public; an operator can allow its host by PORTCULLIS_JWKS_PRIVATE_HOSTS",
        ));
    }
    Ok(Source { url, private })
}

fn invalid(what: &str) -> Error {
    Error::new(ErrorReason::InvalidValue, format!("the JWKS URL {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_public_or_on_the_list() {
        let hosts = PrivateHosts::parse("idp.internal, 10.1.2.3:8443,[fd00::1],LOCALHOST:80").expect("a list");
        let check = |url: &str, expect: &str| {
            let said = check_url(url, &hosts)
                .err()
                .map(|error| error.message)
                .unwrap_or_default();
            let same = if expect.is_empty() {
                said.is_empty()
            } else {
                said.contains(expect)
            };
            assert!(same, "{url}: {said:?}");
        };
        for good in [
            "https://login.microsoftonline.com/common/discovery/v2.0/keys",
            "https://login.example.com:8443/keys?tenant=1",
            "https://8.8.8.8/keys",
            "https://[2606:4700::1111]/keys",
            "https://idp.internal/keys",
            "http://idp.internal:8080/keys",
            "http://IDP.internal/keys",
            "https://10.1.2.3:8443/keys",
            "http://[fd00::1]:9000/keys",
            "http://localhost/keys",
        ] {
            check(good, "");
        }
        for scheme in [
            "http://login.example.com/keys",
            "http://localhost:8080/keys",
            "ftp://idp.internal/keys",
            "file:///etc/passwd",
            "data:application/json,{}",
            "gopher://idp.internal/",
        ] {
            check(scheme, "must begin with https://");
        }
        for address in [
            "https://127.0.0.1/keys",
            "https://127.1/keys",
            "https://127.0.0.1./keys",
            "https://2130706433/keys",
            "https://0x7f000001/keys",
            "https://0177.0.0.1/keys",
            "https://0/keys",
            "https://%31%32%37.0.0.1/keys",
            "https://127。0。0。1/keys",
            "https://1②7.0.0.1/keys",
            "https://169.254.169.254/latest/meta-data",
            "https://0xa9.254.0251.254/",
            "https://10.1.2.3/keys",
            "https://10.1.2.4:8443/keys",
            "https://[::1]/keys",
            "https://[::ffff:169.254.169.254]/keys",
            "https://[0:0:0:0:0:ffff:7f00:1]/keys",
            "https://[fd00::2]/keys",
        ] {
            check(address, "PORTCULLIS_JWKS_PRIVATE_HOSTS");
        }
        for user in [
            "https://a@login.example.com/",
            "https://:b@idp.internal/",
            "https://login.example.com@10.1.2.3:8443/",
        ] {
            check(user, "user name");
        }
        check("https://login.example.com/keys#1", "fragment");
        for broken in [
            "",
            "login.example.com/keys",
            "https://",
            "https://[fe80::1%25eth0]/",
            "https://a b/",
        ] {
            check(broken, "not a URL");
        }
        check(
            &format!("https://login.example.com/{}", "a".repeat(2_048)),
            "longer than",
        );
    }

    #[test]
    fn a_list_of_hosts_is_read_or_named() {
        for empty in ["", " ", ","] {
            assert!(PrivateHosts::parse(empty).expect("no hosts").0.is_empty());
        }
        for wrong in [
            "http://idp",
            "idp:port",
            "idp:70000",
            "idp:",
            ":80",
            "::1",
            "a b",
            "idp/keys",
            "u@idp",
        ] {
            let error = PrivateHosts::parse(&format!("good,{wrong}")).expect_err(wrong);
            assert!(error.to_string().contains(wrong), "{error}");
        }
    }
}
