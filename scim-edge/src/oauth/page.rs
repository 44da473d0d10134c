//! HTML that a browser shows: no scripts, nothing from elsewhere, in no frame, in no cache.

use std::sync::LazyLock;

use axum::body::Body;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use identity_proto::credential;

use super::error::Error;

const STYLE: &str = "
:root{color-scheme:light dark;font:1rem/1.5 system-ui,sans-serif}
body{margin:0 auto;max-width:34rem;overflow-wrap:anywhere;padding:1.5rem}
h1{font-size:1.4rem;line-height:1.25}
label{display:block;font-weight:600;margin-top:1.5rem}
input{box-sizing:border-box;font:inherit;margin:.25rem 0;padding:.6rem;width:100%}
.hint{font-size:.9rem;margin-top:0}
.error{border-left:.3rem solid #c00;padding-left:.8rem}
button{border:1px solid;border-radius:.3rem;cursor:pointer;font:inherit;margin:.5rem .75rem 0 0;min-height:2.75rem;padding:.5rem 1.5rem}
.yes{background:#0b57d0;border-color:#0b57d0;color:#fff;font-weight:600}
";

/// The one style that is let through, by its hash.
static STYLE_SOURCE: LazyLock<String> =
    LazyLock::new(|| format!("'sha256-{}'", STANDARD.encode(credential::hash(STYLE))));

/// A page; `main` is HTML. Forms may be sent to `form_action`, a source list of a Content-Security-Policy, and so may what
/// answers them redirect there.
pub fn page(status: StatusCode, title: &str, main: &str, form_action: &str) -> Response {
    let title = escape(title);
    let html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n{main}</main>\n</body>\n</html>\n"
    );
    let mut response = Response::new(Body::from(html));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    guard(headers);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    let policy = format!(
        "default-src 'none'; style-src {}; form-action {form_action}; frame-ancestors 'none'; base-uri 'none'",
        *STYLE_SOURCE
    );
    let policy = HeaderValue::try_from(policy);
    let nothing = HeaderValue::from_static("default-src 'none'; form-action 'none'; frame-ancestors 'none'");
    headers.insert(CONTENT_SECURITY_POLICY, policy.unwrap_or(nothing));
    response
}

/// What every answer to a browser carries: neither it nor its URL is anybody else's business.
pub fn guard(headers: &mut HeaderMap) {
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

/// A page that tells a failure, where there is no place to send the browser to.
pub fn failure(error: &Error) -> Response {
    error.log();
    let main = format!(
        "{}<p>Nothing was allowed. Close this window, and begin again once this is mended.</p>\n",
        alert(error)
    );
    let mut response = page(error.page_status(), "This cannot be allowed", &main, "'none'");
    if let Some(seconds) = error.retry_after() {
        response.headers_mut().insert(RETRY_AFTER, seconds);
    }
    response
}

/// What is wrong, as a sentence.
pub fn alert(error: &Error) -> String {
    let text = sentence(&error.description());
    format!("<p class=\"error\" id=\"wrong\" role=\"alert\">{}</p>\n", escape(&text))
}

/// The core's messages are clauses, as is the habit of errors: a page begins them with a capital, unless they begin with a
/// name such as `redirect_uri`, and ends them.
fn sentence(clause: &str) -> String {
    let first = clause.split([' ', ',']).next().unwrap_or_default();
    let is_word = first.bytes().all(|byte| byte.is_ascii_lowercase());
    let end = if clause.ends_with(['.', '?', '!']) { "" } else { "." };
    match clause.split_at_checked(1) {
        Some((head, tail)) if is_word => format!("{}{tail}{end}", head.to_ascii_uppercase()),
        _ => format!("{clause}{end}"),
    }
}

/// Text as HTML, in an element or in a quoted attribute.
pub fn escape(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            _ => html.push(character),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        for (text, html) in [
            ("", ""),
            ("Ann & Bob", "Ann &amp; Bob"),
            ("<script>", "&lt;script&gt;"),
            ("\" onfocus='x'", "&quot; onfocus=&#39;x&#39;"),
            ("&lt;", "&amp;lt;"),
            ("\u{fc}n\u{ef}", "\u{fc}n\u{ef}"),
        ] {
            assert_eq!(escape(text), html);
        }
    }

    #[test]
    fn clauses_become_sentences() {
        for (clause, expect) in [
            ("this key cannot consent", "This key cannot consent."),
            ("This is no key.", "This is no key."),
            ("redirect_uri is missing", "redirect_uri is missing."),
            ("", "."),
        ] {
            assert_eq!(sentence(clause), expect);
        }
    }

    #[test]
    fn a_policy_that_is_none_becomes_one_that_allows_nothing() {
        let page = page(StatusCode::OK, "x", "", "https://x\n");
        let policy = page.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("form-action 'none'"), "{policy}");
    }
}
