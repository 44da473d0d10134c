//! The page on which an administrator allows a client what it asks for, or does not.

use axum::response::Response;
use http::header::{RETRY_AFTER, SET_COOKIE};
use http::{StatusCode, Uri};

use super::csrf::Proof;
use super::error::Error;
use super::page::{alert, escape, page};
use super::parameters::Parameters;
use super::request::Authorizing;

/// What the form adds to the parameters of the request, which go along unchanged and are checked again.
pub const FIELDS: [&str; 3] = [PROOF, KEY, DECISION];
pub const PROOF: &str = "proof";
pub const KEY: &str = "key";
pub const DECISION: &str = "decision";
pub const ALLOW: &str = "allow";
pub const DENY: &str = "deny";

/// The page, and the cookie that goes with it. `error` is what was wrong with the key the last time; the key itself never
/// comes back.
pub fn show(asked: &Authorizing, parameters: &Parameters, proof: &Proof, error: Option<&Error>) -> Response {
    let client = escape(&asked.authorization.client_name);
    let tenant = escape(&asked.authorization.tenant_name);
    let destination = &asked.back.uri;
    let scopes = asked.authorization.scopes.iter();
    let scopes: Vec<_> = scopes.map(|scope| format!("<li>{}</li>\n", in_words(scope))).collect();
    let hidden: Vec<_> = parameters
        .sent()
        .chain([(PROOF, proof.text())])
        .map(|(name, value)| {
            let value = escape(value);
            format!("<input type=\"hidden\" name=\"{name}\" value=\"{value}\">\n")
        })
        .collect();
    let alert = error.map(alert);
    let described = if alert.is_some() { "wrong hint" } else { "hint" };
    let main = format!(
        "<p><strong>{client}</strong> asks for access to the directory of <strong>{tenant}</strong>. It could:</p>\n\
         <ul>\n{scopes}</ul>\n\
         <p>If you allow it, you are sent back to <strong>{host}</strong>.</p>\n\
         {alert}<form method=\"post\" action=\"authorize\">\n{hidden}\
         <label for=\"key\">SCIM secret key of {tenant}</label>\n\
         <input id=\"key\" name=\"{KEY}\" type=\"password\" autocomplete=\"off\" spellcheck=\"false\" required autofocus \
         aria-describedby=\"{described}\">\n\
         <p class=\"hint\" id=\"hint\">The token with which SCIM is called, made by <code>portcullis token create</code>. It shows \
         that you may decide this, and is not handed on.</p>\n\
         <button class=\"yes\" name=\"{DECISION}\" value=\"{ALLOW}\">Allow</button>\n\
         <button name=\"{DECISION}\" value=\"{DENY}\" formnovalidate>Deny</button>\n</form>\n",
        scopes = scopes.concat(),
        hidden = hidden.concat(),
        host = escape(&host(destination)),
        alert = alert.unwrap_or_default(),
    );
    let title = format!("Allow {} access?", asked.authorization.client_name);
    let status = error.map_or(StatusCode::OK, Error::page_status);
    let mut response = page(status, &title, &main, form_action(destination));
    let headers = response.headers_mut();
    headers.insert(SET_COOKIE, proof.cookie(&asked.back.issuer));
    if let Some(seconds) = error.and_then(Error::retry_after) {
        headers.insert(RETRY_AFTER, seconds);
    }
    if let Some(error) = error {
        error.log();
    }
    response
}

fn in_words(scope: &str) -> String {
    match scope {
        "scim.read" => "read users and groups".to_owned(),
        "scim.write" => "create, change, deactivate and delete users and groups".to_owned(),
        other => escape(other),
    }
}

/// Who gets the code, as people know them.
fn host(uri: &str) -> String {
    let parsed = uri.parse::<Uri>().ok();
    let authority = parsed.as_ref().and_then(Uri::authority);
    authority.map_or_else(|| uri.to_owned(), ToString::to_string)
}

/// Where the form may lead, as a Content-Security-Policy says it: here, and to the client. Chrome holds every redirect that
/// follows a form to this, and clients redirect on from their own URI to hosts that nobody registered; so any https is let
/// through, and any http where the client's own URI is plain.
fn form_action(uri: &str) -> &'static str {
    if uri.starts_with("http:") {
        "'self' https: http:"
    } else {
        "'self' https:"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_may_lead_to_the_client() {
        for (uri, expect) in [
            ("https://app.example:8443/cb?x=1", ""),
            ("http://127.0.0.1:1802/cb", " http:"),
            ("http://a;script-src/cb", " http:"),
            ("x; script-src *:/cb", ""),
        ] {
            assert_eq!(form_action(uri), format!("'self' https:{expect}"), "{uri}");
        }
    }

    #[test]
    fn the_destination_is_named() {
        assert_eq!(host("https://app.example:8443/cb?x=1"), "app.example:8443");
        assert_eq!(host("com.example.app:/cb"), "com.example.app:/cb");
    }
}
