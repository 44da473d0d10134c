//! The users: one document for all, that differs in a number of twelve digits. Everything of a user follows from its
//! number, so any answer can be checked and any statement can be made for any user.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::fmt::Write;

/// Users that are there before the first round are numbered from here.
pub const FIRST: u64 = 100_000_000_000;
/// Users that limits create.
pub const LIMIT: u64 = 200_000_000_000;
/// Users that the system is asked to create; at most as many as lie between.
const CREATED: u64 = 300_000_000_000;
/// Titles that a replaced user gets.
pub const TITLE: u64 = 400_000_000_000;
/// Nobody has these numbers.
pub const NOBODY: u64 = 500_000_000_000;
/// How many numbers each of these kinds has.
pub const EACH: u64 = 100_000_000_000;
/// Groups.
pub const GROUP: u64 = 600_000_000_000;
/// Users by which statements and forms are learnt.
const MODEL: u64 = 900_000_000_000;

/// The ids of users that are there before the first round, before their number.
pub const ID: &str = "01900000-0000-7000-8000-";

/// What the rounds need to know, and what they count.
pub struct Data {
    /// How many users there are from [`FIRST`] on.
    pub users: u64,
    pub sessions: Vec<Session>,
    /// Whether the users of the upper half are active: rounds of PATCH turn that.
    active: RefCell<Vec<bool>>,
    created: Cell<u64>,
    titles: Cell<u64>,
    models: Cell<u64>,
    pub changing: Changing,
}

/// The groups whose members change now, and who comes and goes.
#[derive(Default)]
pub struct Changing {
    /// Their numbers: connections take them in turn.
    pub groups: Vec<u64>,
    /// The first user who is in no group at the beginning.
    pub first: u64,
    /// Who of those is in which group.
    members: RefCell<HashSet<(u64, u64)>>,
    /// How many changes were asked for.
    pub count: Cell<u64>,
    models: Cell<u64>,
}

/// A session, and whose it is.
#[derive(Clone, Debug)]
pub struct Session {
    pub token: String,
    pub user: String,
    /// The message that asks whether it is valid.
    pub request: Vec<u8>,
}

impl Data {
    /// As they are when nothing was measured yet.
    pub fn new() -> Self {
        Data {
            users: 0,
            sessions: Vec::new(),
            active: RefCell::default(),
            created: Cell::new(CREATED),
            titles: Cell::new(TITLE),
            models: Cell::new(MODEL),
            changing: Changing::default(),
        }
    }

    /// There are so many users now.
    pub fn grow(&mut self, users: u64) {
        // The upper half begins elsewhere now; the caller makes all active.
        self.users = users;
        let half = usize::try_from(users / 2).expect("a number of users fits");
        self.active = RefCell::new(vec![true; half]);
    }

    /// The number of a user that is yet to be created.
    pub fn create(&self) -> u64 {
        self.created.replace(self.created.get() + 1)
    }

    /// The number of a title that nobody has.
    pub fn title(&self) -> u64 {
        self.titles.replace(self.titles.get() + 1)
    }

    /// The first of so many numbers of titles that nobody has.
    pub fn titles(&self, count: u64) -> u64 {
        self.titles.replace(self.titles.get() + count)
    }

    /// The number of a model.
    pub fn model(&self) -> u64 {
        self.models.replace(self.models.get() + 1)
    }

    /// Turns whether this user of the upper half is active, and says what it is to be.
    pub fn turn(&self, number: u64) -> bool {
        let index = usize::try_from(number - FIRST - self.users / 2).expect("a number of users fits");
        let mut active = self.active.borrow_mut();
        active[index] = !active[index];
        active[index]
    }
}

impl Changing {
    /// How many users each connection has to come and go.
    pub const EACH: u64 = 4;
    /// How many users are in no group at the beginning: enough for 256 connections, and for models.
    pub const USERS: u64 = 256 * Self::EACH + Self::MODELS;
    const MODELS: u64 = 256;

    /// The number of a user by whom statements are learnt: one who never came before.
    pub fn model(&self) -> u64 {
        let model = self.models.replace(self.models.get() + 1);
        assert!(model < Self::MODELS, "there are models for all measurements");
        self.first + Self::USERS - Self::MODELS + model
    }

    /// Turns whether this user is in the group, and says what it is to be.
    pub fn turn(&self, group: u64, user: u64) -> bool {
        self.count.set(self.count.get() + 1);
        let mut members = self.members.borrow_mut();
        let comes = !members.remove(&(group, user));
        if comes {
            members.insert((group, user));
        }
        comes
    }

    /// How many of those who come and go are in this group.
    pub fn members_of(&self, group: u64) -> usize {
        self.members.borrow().iter().filter(|member| member.0 == group).count()
    }
}

pub fn id(number: u64) -> String {
    format!("{ID}{number}")
}

pub fn user_name(number: u64) -> String {
    format!("user{number}@example.com")
}

/// What an identity provider sends of a user.
pub fn write_document(number: u64, title: u64, into: &mut String) {
    let written = write!(
        into,
        r#"{{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"user{number}@example.com","externalId":"00u{number}","active":true,"name":{{"givenName":"Given{number}","familyName":"Family"}},"displayName":"Given{number} Family","title":"Engineer {title}","locale":"en-US","emails":[{{"value":"user{number}@example.com","type":"work","primary":true}}]}}"#
    );
    written.expect("a string can be written to");
}
