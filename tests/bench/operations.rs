//! What is asked of the system, of which users, and how the statements of one request differ from those of another.

use clap::ValueEnum;
use e2e::fence_model::rng::Rng;
use e2e::measure::script::Vary;

use crate::data::{Data, EACH, FIRST, ID, LIMIT, NOBODY, TITLE};
use crate::groups;
use crate::limits::Variation;
use crate::requests::{PAGE, Request, create, filter, get, page, patch, put};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Operation {
    Get,
    FilterHit,
    FilterMiss,
    Page,
    ValidateSession,
    PatchActive,
    Put,
    Create,
    /// Those of groups have a part of their own.
    #[value(skip)]
    Member,
    #[value(skip)]
    MemberOfSeveral,
    #[value(skip)]
    MemberUnforeseen,
}

/// What rounds of PATCH in the copy are followed by.
const ALL_ACTIVE: &str = "UPDATE users
    SET attributes = jsonb_set(attributes, '{active}', 'true'), keys = jsonb_set(keys, '{active}', 'true')
    WHERE active IS FALSE";

/// Whose turn it is, and what for.
pub struct Turn<'a> {
    pub data: &'a Data,
    pub rng: &'a mut Rng,
    pub connection: u64,
    pub connections: u64,
    /// How many requests this connection sent before, in all rounds.
    pub count: u64,
}

impl Operation {
    /// Those that change nothing first, and the one that adds users last.
    pub const ALL: [Operation; 8] = [
        Operation::Get,
        Operation::FilterHit,
        Operation::FilterMiss,
        Operation::Page,
        Operation::ValidateSession,
        Operation::PatchActive,
        Operation::Put,
        Operation::Create,
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
            Operation::Member => "member, one group",
            Operation::MemberOfSeveral => "member, 16 groups",
            Operation::MemberUnforeseen => "member, old statistics",
        }
    }

    /// What there may be many of.
    pub fn size(self) -> &'static str {
        match self {
            Operation::Member | Operation::MemberOfSeveral | Operation::MemberUnforeseen => "members",
            _ => "users",
        }
    }

    /// The next request of a connection. PATCH has a user for each connection at a time, so that its state is known;
    /// the other changes are of the lower half, whose users stay active.
    pub fn request(self, turn: Turn) -> Request {
        let Turn { data, rng, .. } = turn;
        let half = data.users / 2;
        match self {
            Operation::Create => create(data.create()),
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
            Operation::Member | Operation::MemberOfSeveral | Operation::MemberUnforeseen => {
                groups::request(&data.changing, turn.connection, turn.count)
            }
        }
    }

    /// The request by which the statements are learnt, and how they differ from those for other users. For CREATE the id
    /// is yet to be known.
    pub fn model(self, data: &Data) -> (Request, Variation) {
        // In the lower half, whose users stay active.
        let number = FIRST + 113;
        let random = format!(
            "\\set n random({FIRST}, {})\n",
            FIRST + data.users / if self == Operation::Put { 2 } else { 1 } - 1
        );
        let of_number = |number: u64| Vary::Within(number.to_string(), ":n::text".to_owned());
        let (request, set, vary) = match self {
            Operation::Create => {
                let number = data.model();
                let set = format!("\\set i :i + 1\n\\set n {LIMIT} + :client_id * 1000000000 + :start + :i\n");
                (create(number), set, vec![of_number(number)])
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
            Operation::Member | Operation::MemberOfSeveral | Operation::MemberUnforeseen => {
                return groups::model(&data.changing);
            }
            Operation::Page => {
                let set = format!("\\set skip random(0, {})\n", data.users - PAGE);
                (page(613), set, vec![Vary::Whole("613".to_owned(), ":skip".to_owned())])
            }
        };
        let after = (self == Operation::PatchActive).then(|| ALL_ACTIVE.to_owned());
        (request, Variation { set, vary, after })
    }

    /// The statements that a created user's id is part of vary in it too.
    pub fn with_created_id(id: &str, variation: &mut Variation) {
        variation
            .vary
            .push(Vary::Within(id.to_owned(), format!("'{ID}' || :n::text")));
    }
}
