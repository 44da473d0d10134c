//! That a consent comes from the page that was shown: a random value in a cookie, and the same in the form. No other site can
//! read or set the one, so none can write the other. The key that is pasted is what authorizes; this keeps others from having
//! it pasted into a form of theirs.

use http::header::{COOKIE, ORIGIN};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use super::error::Error;

const NAME: &str = "portcullis-consent";
/// Two UUIDs, of 122 random bits each.
const LENGTH: usize = 64;

/// The value that the cookie and the form share.
pub struct Proof(String);

impl Proof {
    /// The one that this browser has, so that a page which is still open elsewhere stays good, or a new one.
    pub fn of(headers: &HeaderMap) -> Self {
        let random = || format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        Proof(sent(headers).map_or_else(random, str::to_owned))
    }

    /// Fails unless the form has what the cookie has, and comes from our own page as far as the browser says.
    pub fn check(headers: &HeaderMap, issuer: &str, field: Option<&str>) -> Result<Self, Error> {
        let (Some(cookie), Some(field)) = (sent(headers), field) else {
            return Err(Error::ForeignForm);
        };
        let is_same = bool::from(cookie.as_bytes().ct_eq(field.as_bytes()));
        if is_same && is_own_origin(headers, issuer) {
            Ok(Proof(cookie.to_owned()))
        } else {
            Err(Error::ForeignForm)
        }
    }

    /// As the form has it.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The cookie, for the OAuth endpoints below the issuer's own path. It is set by the answer to a visit from another site,
    /// and sent only from our own.
    pub fn cookie(&self, issuer: &str) -> HeaderValue {
        let url = issuer.parse::<Uri>().unwrap_or_default();
        let path = url.path().trim_end_matches('/');
        let secure = if url.scheme_str() == Some("https") {
            "; Secure"
        } else {
            ""
        };
        let cookie = format!(
            "{NAME}={}; Path={path}/oauth; HttpOnly; SameSite=Strict{secure}",
            self.0
        );
        HeaderValue::try_from(cookie).unwrap_or(HeaderValue::from_static(""))
    }
}

/// The cookie's value, if there is one of that name and it has the form of ours.
fn sent(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    let mut ours = pairs.filter(|(name, _)| *name == NAME).map(|(_, value)| value);
    let (value, None) = (ours.next()?, ours.next()) else {
        return None;
    };
    (value.len() == LENGTH && value.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(value)
}

/// Browsers say `null` of a page with our Referrer-Policy, also to that page's own site, and older ones nothing.
fn is_own_origin(headers: &HeaderMap, issuer: &str) -> bool {
    let issuer = issuer.parse::<Uri>().unwrap_or_default();
    let own = match (issuer.scheme_str(), issuer.authority()) {
        (Some(scheme), Some(authority)) => format!("{scheme}://{authority}"),
        _ => return false,
    };
    let is_own = |origin: &HeaderValue| {
        origin == "null" || origin.to_str().is_ok_and(|origin| origin.eq_ignore_ascii_case(&own))
    };
    let fetch_site = HeaderName::from_static("sec-fetch-site");
    headers.get_all(ORIGIN).iter().all(is_own)
        && headers
            .get_all(fetch_site)
            .iter()
            .all(|site| site == "same-origin" || site == "none")
}

#[cfg(test)]
mod tests;
