//! The requests, and what their answers must say.

use std::fmt::Write;

use crate::data::{self, FIRST, user_name, write_document};

/// Users on a page.
pub const PAGE: u64 = 100;

/// What the right answer is.
#[derive(Clone, Debug)]
pub struct Expected {
    pub status: u16,
    /// All of these are in the body.
    pub contains: Vec<String>,
    /// So many users are in the body.
    pub users: Option<usize>,
    /// So many members are in the body.
    pub members: Option<usize>,
}

/// A request without what all requests have.
pub struct Request {
    pub method: &'static str,
    /// Below the SCIM base.
    pub path: String,
    pub body: String,
    pub expected: Expected,
}

impl Request {
    fn new(method: &'static str, path: String, status: u16, contains: Vec<String>) -> Self {
        Request {
            method,
            path,
            body: String::new(),
            expected: Expected {
                status,
                contains,
                users: None,
                members: None,
            },
        }
    }

    /// The whole request. `head` are the lines that all have.
    pub fn write(&self, base: &str, head: &str, into: &mut String) {
        into.clear();
        let (method, path, body) = (self.method, &self.path, &self.body);
        let length = body.len();
        let written = if length == 0 {
            write!(into, "{method} {base}{path} HTTP/1.1\r\n{head}\r\n")
        } else {
            write!(
                into,
                "{method} {base}{path} HTTP/1.1\r\n{head}content-type: application/scim+json\r\ncontent-length: {length}\r\n\r\n{body}"
            )
        };
        written.expect("a string can be written to");
    }
}

impl Expected {
    pub fn is_met_by(&self, status: u16, body: &str) -> bool {
        status == self.status
            && self.contains.iter().all(|text| body.contains(text.as_str()))
            && self
                .users
                .is_none_or(|users| body.matches("\"userName\"").count() == users)
            && self
                .members
                .is_none_or(|members| body.matches("\"$ref\"").count() == members)
    }
}

pub fn get(number: u64) -> Request {
    let says = vec![
        format!("\"id\":\"{}\"", data::id(number)),
        format!("\"userName\":\"{}\"", user_name(number)),
    ];
    Request::new("GET", format!("/Users/{}", data::id(number)), 200, says)
}

pub fn filter(number: u64, hit: bool) -> Request {
    let path = format!("/Users?filter=userName%20eq%20%22{}%22", user_name(number));
    let says = if hit {
        vec![
            "\"totalResults\":1".to_owned(),
            format!("\"id\":\"{}\"", data::id(number)),
        ]
    } else {
        vec!["\"totalResults\":0".to_owned()]
    };
    Request::new("GET", path, 200, says)
}

pub fn patch(number: u64, active: bool) -> Request {
    let says = vec![
        format!("\"id\":\"{}\"", data::id(number)),
        format!("\"active\":{active}"),
    ];
    let mut request = Request::new("PATCH", format!("/Users/{}", data::id(number)), 200, says);
    request.body = patch_body(&format!(r#"{{"op":"replace","path":"active","value":{active}}}"#));
    request
}

pub fn put(number: u64, title: u64) -> Request {
    let says = vec![
        format!("\"id\":\"{}\"", data::id(number)),
        format!("\"title\":\"Engineer {title}\""),
    ];
    let mut request = Request::new("PUT", format!("/Users/{}", data::id(number)), 200, says);
    write_document(number, title, &mut request.body);
    request
}

/// Users are listed in the order of their ids, which is that of their numbers.
pub fn page(skip: u64) -> Request {
    let path = format!("/Users?startIndex={}&count={PAGE}", skip + 1);
    let says = vec![
        format!("\"id\":\"{}\"", data::id(FIRST + skip)),
        format!("\"id\":\"{}\"", data::id(FIRST + skip + PAGE - 1)),
    ];
    let mut request = Request::new("GET", path, 200, says);
    request.expected.users = Some(usize::try_from(PAGE).expect("a page fits"));
    request
}

/// Creates the user of this number.
pub fn create(number: u64) -> Request {
    let says = vec![
        format!("\"userName\":\"{}\"", user_name(number)),
        "\"id\":\"".to_owned(),
    ];
    let mut request = Request::new("POST", "/Users".to_owned(), 201, says);
    write_document(number, number, &mut request.body);
    request
}

/// Gives the user another title.
pub fn patch_title(number: u64, title: u64) -> Request {
    let says = vec![
        format!("\"id\":\"{}\"", data::id(number)),
        format!("\"title\":\"Engineer {title}\""),
    ];
    let mut request = Request::new("PATCH", format!("/Users/{}", data::id(number)), 200, says);
    request.body = patch_body(&format!(
        r#"{{"op":"replace","path":"title","value":"Engineer {title}"}}"#
    ));
    request
}

/// Creates a group with these members.
pub fn create_group(number: u64, members: &[u64]) -> Request {
    let says = vec![format!("\"displayName\":\"{}\"", group_name(number))];
    let mut request = Request::new("POST", "/Groups".to_owned(), 201, says);
    let members: Vec<String> = members
        .iter()
        .map(|member| format!(r#"{{"value":"{}"}}"#, data::id(*member)))
        .collect();
    request.expected.members = Some(members.len());
    request.body = format!(
        r#"{{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"{}","members":[{}]}}"#,
        group_name(number),
        members.join(",")
    );
    request
}

/// Adds the user to the group, or takes it out.
pub fn patch_member(group: u64, user: u64, comes: bool) -> Request {
    let mut request = Request::new("PATCH", format!("/Groups/{}", data::id(group)), 200, vec![]);
    let id = data::id(user);
    request.body = patch_body(&if comes {
        format!(r#"{{"op":"add","path":"members","value":[{{"value":"{id}"}}]}}"#)
    } else {
        format!(r#"{{"op":"remove","path":"members[value eq \"{id}\"]"}}"#)
    });
    request
}

/// A whole group of so many members, or what is left of it without them.
pub fn get_group(number: u64, members: usize, with_members: bool) -> Request {
    let query = if with_members {
        ""
    } else {
        "?excludedAttributes=members"
    };
    let says = vec![format!("\"displayName\":\"{}\"", group_name(number))];
    let path = format!("/Groups/{}{query}", data::id(number));
    let mut request = Request::new("GET", path, 200, says);
    request.expected.members = Some(if with_members { members } else { 0 });
    request
}

fn group_name(number: u64) -> String {
    format!("Team {number}")
}

fn patch_body(operation: &str) -> String {
    format!(r#"{{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{operation}]}}"#)
}
