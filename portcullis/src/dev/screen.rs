//! The screen that a start ends with: what a person can do now, in lines that work as they are printed.

use std::env;
use std::path::Path;

use super::demo::{self, Demo};
use super::description::Description;

/// The screen. `command` is how this program is called here.
pub(super) fn text(running: &Description, demo: &Demo, data_dir: &Path, took: &str, command: &str) -> String {
    let Description {
        scim_url,
        scim_token,
        tenant_id,
        ..
    } = running;
    let (tenant, user, data_dir) = (demo::TENANT, &demo.user_name, data_dir.display());
    let curl = format!("curl -sS -H 'Authorization: Bearer {scim_token}' -H 'Content-Type: application/scim+json'");
    format!(
        r#"
Portcullis runs (ready in {took}). Ctrl-C stops it; its data stay in {data_dir}, logs in {data_dir}/logs.

  SCIM base URL   {scim_url}
  Bearer token    {scim_token}
  Tenant          {tenant} ({tenant_id})

Try it in another terminal, in this folder. An identity provider creates a user:

  {curl} {scim_url}/Users -d '{{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"{user}","active":true}}'

The user logs in to one of your applications, which holds a session:

  LOGIN=$({command} login begin --tenant {tenant})
  SESSION=$({command} session create --login "$LOGIN" {user})
  {command} session validate "$SESSION"

The identity provider deactivates the user:

  {curl} -X PATCH {scim_url}/Users/$({command} user id --tenant {tenant} {user}) -d '{{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{{"op":"replace","path":"active","value":false}}]}}'

And the session is refused:

  {command} session validate "$SESSION"
"#
    )
}

/// How this program was called, so that printed lines can be pasted: by cargo, or by its path.
pub(super) fn invocation(data_dir: &Path) -> String {
    let by_cargo = env::var("CARGO_PKG_NAME").is_ok_and(|name| name == env!("CARGO_PKG_NAME"));
    let released = env::current_exe().is_ok_and(|path| path.parent().is_some_and(|folder| folder.ends_with("release")));
    let called = env::args().next();
    let command = match (by_cargo, released) {
        (true, true) => "cargo run -q --release --".to_owned(),
        (true, false) => "cargo run -q --".to_owned(),
        (false, _) => quoted(called.as_deref().unwrap_or(env!("CARGO_PKG_NAME"))),
    };
    if data_dir == Path::new(".local") {
        return command;
    }
    format!("{command} --data-dir {}", quoted(&data_dir.display().to_string()))
}

/// As a shell takes it for one word.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_the_shell() {
        let check = |word: &str, expect: &str| assert_eq!(quoted(word), expect);
        check("target/debug/portcullis", "target/debug/portcullis");
        check("my folder/x", "'my folder/x'");
        check("it's", r"'it'\''s'");
        check("$(id)", "'$(id)'");
    }
}
