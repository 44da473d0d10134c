//! Two cookies: of a login under way, and of a session. No script reads them, and no other site's form sends them.

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};

/// Names what waits for the provider's answer.
pub const LOGIN: &str = "login";
/// The session token.
pub const SESSION: &str = "session";

/// The value of a cookie that the browser sent.
pub fn get<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers
        .get_all(COOKIE)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    let mut pairs = all
        .flat_map(|text| text.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs.find_map(|(key, value)| (key == name).then_some(value))
}

/// What a `Set-Cookie` header says: `max_age` in seconds, 0 to remove it, `None` for as long as the browser runs. The session
/// service decides how long a session lasts.
pub fn set(name: &str, value: &str, path: &str, max_age: Option<u64>, secure: bool) -> anyhow::Result<HeaderValue> {
    let age = max_age.map(|age| format!("; Max-Age={age}")).unwrap_or_default();
    let secure = if secure { "; Secure" } else { "" };
    // Lax and not Strict: the browser comes back from the provider by a link of another site.
    let text = format!("{name}={value}; Path={path}; HttpOnly; SameSite=Lax{age}{secure}");
    Ok(HeaderValue::from_str(&text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("xsession=no; login=; session=a=b"));
        assert_eq!(get(&headers, "session"), Some("a=b"));
        assert_eq!(get(&headers, "login"), Some(""));
        assert_eq!(get(&headers, "sess"), None);
    }
}
