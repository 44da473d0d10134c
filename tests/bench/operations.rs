//! What is asked of the system, and what its answer must say.

use std::fmt::Write;

use clap::ValueEnum;
use e2e::fence_model::rng::Rng;
use e2e::measure::script::Vary;

use crate::data::{self, Data, EACH, FIRST, ID, LIMIT, NOBODY, TITLE, user_name, write_document};
use crate::limits::Variation;

/// Users on a page.
pub const PAGE: u64 = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Operation {
    Create,
    Get,
    FilterHit,
    FilterMiss,
    PatchActive,
    Put,
    Page,
    ValidateSession,
}

/// Whose turn it is, and what for.
pub struct Turn<'a> {
    pub data: &'a Data,
    pub rng: &'a mut Rng,
    pub connection: u64,
    pub connections: u64,
    /// How many requests this connection sent before, in all rounds.
    pub count: u64,
}

/// What the right answer is.
#[derive(Clone, Debug)]
pub struct Expected {
    pub status: u16,
    /// All of these are in the body.
    pub contains: Vec<String>,
    /// So many users are in the body.
    pub users: Option<usize>,
}

/// A request without what all requests have.
pub struct Request {
    pub method: &'static str,
    /// Below the SCIM base.
    pub path: String,
    pub body: String,
    pub expected: Expected,
}

impl Operation {
    pub const ALL: [Operation; 8] = [
        Operation::Create,
        Operation::Get,
        Operation::FilterHit,
        Operation::FilterMiss,
        Operation::PatchActive,
        Operation::Put,
        Operation::Page,
        Operation::ValidateSession,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Operation::Create => "create",
            Operation::Get => "GET by id",
            Operation::FilterHit => "userName eq, hit",
            Operation::FilterMiss => "userName eq, miss",
            Operation::PatchActive => "PATCH active",
            Operation::Put => "PUT",
            Operation::Page => "page of 100",
            Operation::ValidateSession => "ValidateSession",
        }
    }

    /// The next request of a connection. PATCH has a user for each connection at a time, so that its state is known;
    /// the other changes are of the lower half, whose users stay active.
    pub fn request(self, turn: Turn) -> Request {
        let Turn { data, rng, .. } = turn;
        let half = data.users / 2;
        match self {
            Operation::Create => Operation::create(data.create()),
            Operation::Get | Operation::ValidateSession => get(FIRST + rng.below(data.users)),
            Operation::FilterHit => filter(FIRST + rng.below(data.users), true),
            Operation::FilterMiss => filter(NOBODY + rng.below(EACH), false),
            Operation::PatchActive => {
                let each = half / turn.connections;
                let number = FIRST + half + turn.connection + turn.connections * (turn.count % each);
                patch(number, data.turn(number))
            }
            Operation::Put => put(FIRST + rng.below(half), data.title()),
            Operation::Page => page(rng.below(data.users - PAGE + 1)),
        }
    }

    /// The request by which the statements are learnt, and how they differ from those for other users. For CREATE the id
    /// is yet to be known.
    pub fn model(self, data: &Data) -> (Request, Variation) {
        let number = FIRST + 613;
        let random = format!(
            "\\set n random({FIRST}, {})\n",
            FIRST + data.users / if self == Operation::Put { 2 } else { 1 } - 1
        );
        let of_number = |number: u64| Vary::Within(number.to_string(), ":n::text".to_owned());
        let (request, set, vary) = match self {
            Operation::Create => {
                let number = data.model();
                let set = format!("\\set i :i + 1\n\\set n {LIMIT} + :client_id * 1000000000 + :start + :i\n");
                (Operation::create(number), set, vec![of_number(number)])
            }
            Operation::Get | Operation::ValidateSession => (get(number), random, vec![of_number(number)]),
            Operation::FilterHit => (filter(number, true), random, vec![of_number(number)]),
            Operation::FilterMiss => {
                let set = format!("\\set n random({NOBODY}, {})\n", NOBODY + EACH - 1);
                (filter(NOBODY, false), set, vec![of_number(NOBODY)])
            }
            Operation::PatchActive => {
                let half = data.users / 2;
                let number = FIRST + half;
                let set = format!(
                    "\\set each {half} / :clients\n\\set i :i + 1\n\
                     \\set n {} + :client_id + :clients * mod(:i, :each)\n\\set active mod(:i / :each, 2) = 1\n",
                    FIRST + half
                );
                let vary = vec![
                    of_number(number),
                    Vary::Whole("f".to_owned(), ":active".to_owned()),
                    Vary::Whole(
                        "inactive".to_owned(),
                        "(CASE WHEN :active::boolean THEN 'active' ELSE 'inactive' END)".to_owned(),
                    ),
                ];
                (patch(number, data.turn(number)), set, vary)
            }
            Operation::Put => {
                let title = data.title();
                let set = format!("{random}\\set title random({TITLE}, {})\n", TITLE + EACH - 1);
                let vary = vec![
                    of_number(number),
                    Vary::Within(title.to_string(), ":title::text".to_owned()),
                ];
                (put(number, title), set, vary)
            }
            Operation::Page => {
                let set = format!("\\set skip random(0, {})\n", data.users - PAGE);
                (page(613), set, vec![Vary::Whole("613".to_owned(), ":skip".to_owned())])
            }
        };
        (request, Variation { set, vary })
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

    /// The statements that a created user's id is part of vary in it too.
    pub fn with_created_id(id: &str, variation: &mut Variation) {
        variation
            .vary
            .push(Vary::Within(id.to_owned(), format!("'{ID}' || :n::text")));
    }
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
    }
}

fn get(number: u64) -> Request {
    let says = vec![
        format!("\"id\":\"{}\"", data::id(number)),
        format!("\"userName\":\"{}\"", user_name(number)),
    ];
    Request::new("GET", format!("/Users/{}", data::id(number)), 200, says)
}

fn filter(number: u64, hit: bool) -> Request {
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

fn patch(number: u64, active: bool) -> Request {
    let says = vec![
        format!("\"id\":\"{}\"", data::id(number)),
        format!("\"active\":{active}"),
    ];
    let mut request = Request::new("PATCH", format!("/Users/{}", data::id(number)), 200, says);
    request.body = format!(
        r#"{{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{{"op":"replace","path":"active","value":{active}}}]}}"#
    );
    request
}

fn put(number: u64, title: u64) -> Request {
    let says = vec![
        format!("\"id\":\"{}\"", data::id(number)),
        format!("\"title\":\"Engineer {title}\""),
    ];
    let mut request = Request::new("PUT", format!("/Users/{}", data::id(number)), 200, says);
    write_document(number, title, &mut request.body);
    request
}

/// Users are listed in the order of their ids, which is that of their numbers.
fn page(skip: u64) -> Request {
    let path = format!("/Users?startIndex={}&count={PAGE}", skip + 1);
    let says = vec![
        format!("\"id\":\"{}\"", data::id(FIRST + skip)),
        format!("\"id\":\"{}\"", data::id(FIRST + skip + PAGE - 1)),
    ];
    let mut request = Request::new("GET", path, 200, says);
    request.expected.users = Some(usize::try_from(PAGE).expect("a page fits"));
    request
}
