//! The guards of the fence, each with how it is taken away and with what has to notice that. A guard whose absence nothing
//! notices is no guard, or the campaign is none.

/// One guard.
#[derive(Debug)]
pub struct Guard {
    pub name: &'static str,
    pub what: &'static str,
    pub removed: Removal,
    pub caught: Caught,
}

/// How it is taken away.
#[derive(Debug)]
pub enum Removal {
    /// By its name, in a build with the feature `sabotage`.
    Named,
    /// By scripts with other lines: file, line, and what goes in its place.
    Scripts(&'static [(&'static str, &'static str, &'static str)]),
    /// By other functions in PostgreSQL.
    Database(&'static str),
}

/// What has to notice.
#[derive(Debug)]
pub enum Caught {
    /// A row of the campaign that lasts so many seconds.
    Campaign(&'static str, u64),
    /// A test of the single step, and why the campaign does not.
    Test(&'static str, &'static str),
    /// The scripts' model alone, and why the campaign does not.
    Model(&'static str),
}

/// What a script is called, and what stands in it.
pub const SCRIPTS: [(&str, &str); 7] = [
    (
        "generation.lua",
        include_str!("../../identity-core/src/access/generation.lua"),
    ),
    ("apply.lua", include_str!("../../identity-core/src/access/apply.lua")),
    ("grant.lua", include_str!("../../identity-core/src/access/grant.lua")),
    (
        "claim.lua",
        include_str!("../../session-service/src/sessions/claim.lua"),
    ),
    (
        "create.lua",
        include_str!("../../session-service/src/sessions/create.lua"),
    ),
    (
        "validate.lua",
        include_str!("../../session-service/src/sessions/validate.lua"),
    ),
    ("prune.lua", include_str!("../../session-service/src/prune/prune.lua")),
];

const WHAT_CREATION_LETS_IN: &str = "no validation lets in what this would create";

pub const GUARDS: [Guard; 21] = [
    Guard {
        name: "lease",
        what: "validation believes a register only under a lease",
        removed: Removal::Scripts(&[("validate.lua", "left > 0 and left <= tonumber(ARGV[4])", "true")]),
        caught: Caught::Campaign("relays-without-redis", 8),
    },
    Guard {
        name: "lease-order",
        what: "the relay reads Redis's clock before it asks PostgreSQL",
        removed: Removal::Named,
        caught: Caught::Campaign("grant-frozen-alone", 10),
    },
    Guard {
        name: "lease-generation",
        what: "no lease unless PostgreSQL says that the generation counts",
        removed: Removal::Named,
        caught: Caught::Campaign("redis-split", 10),
    },
    Guard {
        name: "backlog",
        what: "no lease while a change waits for more than a second",
        removed: Removal::Named,
        caught: Caught::Campaign("claims-frozen", 10),
    },
    Guard {
        name: "inherited-leases",
        what: "a lease of another Redis process is not believed",
        removed: Removal::Scripts(&[("validate.lua", "left <= tonumber(ARGV[4])", "true")]),
        // The lease that is inherited must not have lapsed meanwhile.
        caught: Caught::Campaign("redis-fail-over", 1),
    },
    Guard {
        name: "handshake",
        what: "another Redis process is another generation",
        removed: Removal::Named,
        caught: Caught::Campaign("redis-fail-over", 3),
    },
    Guard {
        name: "restore-noticed",
        what: "another PostgreSQL process is another generation",
        removed: Removal::Database(
            "CREATE OR REPLACE FUNCTION pg_incarnation() RETURNS text LANGUAGE sql STABLE AS $$ SELECT 'any' $$",
        ),
        caught: Caught::Campaign("postgresql-restored", 15),
    },
    Guard {
        name: "names-by-generation",
        what: "registers of another generation are not seen",
        removed: Removal::Scripts(&[
            ("apply.lua", "':r:' .. gen .. ':'", "':r:0:'"),
            ("create.lua", "':r:' .. gen .. ':'", "':r:0:'"),
            ("validate.lua", "':r:' .. gen .. ':'", "':r:0:'"),
            ("prune.lua", "':r:' .. gen .. ':'", "':r:0:'"),
        ]),
        caught: Caught::Campaign("redis-fail-over-unasked", 7),
    },
    Guard {
        name: "blank-asks",
        what: "a blank register is a question, not access",
        removed: Removal::Scripts(&[
            ("validate.lua", "= of_tenant ==", "= not of_tenant or of_tenant =="),
            (
                "validate.lua",
                "of_user == user_epoch .. ':a'",
                "(not of_user or of_user == user_epoch .. ':a')",
            ),
        ]),
        caught: Caught::Campaign("redis-fail-over-unasked", 7),
    },
    Guard {
        name: "mark-generation",
        what: "what went to another generation's registers is not done",
        removed: Removal::Named,
        caught: Caught::Test(
            "what_was_applied_under_an_older_generation_is_not_marked",
            "`redis-split-unnoticed` meets it in few runs: the register must have been filled just before",
        ),
    },
    Guard {
        name: "epoch-order",
        what: "a lower epoch never overwrites a higher one",
        removed: Removal::Scripts(&[("apply.lua", "wins = ahead > 0 or", "wins = true or")]),
        caught: Caught::Campaign("answers-late", 4),
    },
    Guard {
        name: "epoch-clock",
        what: "epochs follow PostgreSQL's clock",
        removed: Removal::Database(
            "CREATE OR REPLACE FUNCTION next_epoch(current bigint) RETURNS bigint LANGUAGE sql VOLATILE AS
             $$ SELECT coalesce(current, 0) + 1 $$",
        ),
        caught: Caught::Campaign("postgresql-restored", 15),
    },
    Guard {
        name: "login-check",
        what: "a login that began before a change of access is refused",
        removed: Removal::Database(
            "CREATE OR REPLACE FUNCTION is_unchanged_since(snapshot pg_snapshot, changed xid8) RETURNS boolean
             LANGUAGE sql STABLE AS $$ SELECT true $$",
        ),
        caught: Caught::Campaign("logins-race", 4),
    },
    Guard {
        name: "login-once",
        what: "a login makes one session",
        removed: Removal::Scripts(&[("create.lua", "'1', 'NX', 'PX'", "'1', 'PX'")]),
        caught: Caught::Campaign("healthy", 1),
    },
    Guard {
        name: "login-of-one-user",
        what: "a login makes no session of another user",
        removed: Removal::Scripts(&[("claim.lua", "== ARGV[2] and 1 or 0", "and 1")]),
        caught: Caught::Campaign("healthy", 1),
    },
    Guard {
        name: "prune-on-refusal",
        what: "what the core refuses is deleted at once, before the register can be believed again",
        removed: Removal::Named,
        caught: Caught::Campaign("leases-late", 8),
    },
    Guard {
        name: "create-lease",
        what: "creation believes a register only under a lease",
        removed: Removal::Scripts(&[("create.lua", "left <= 0 or left > tonumber(ARGV[10])", "false")]),
        caught: Caught::Model(WHAT_CREATION_LETS_IN),
    },
    Guard {
        name: "create-epochs",
        what: "creation compares the login's epochs with the registers",
        removed: Removal::Scripts(&[(
            "create.lua",
            "stands == epoch and state == 'a' and 'ok' or 'ended'",
            "'ok'",
        )]),
        caught: Caught::Model(WHAT_CREATION_LETS_IN),
    },
    Guard {
        name: "generation-compared",
        what: "of two relays that begin a generation one is refused",
        removed: Removal::Scripts(&[(
            "generation.lua",
            "(redis.call('GET', prefix .. ':gen') or '') ~= ARGV[1]",
            "false",
        )]),
        caught: Caught::Model("PostgreSQL has refused one before"),
    },
    Guard {
        name: "grant-generation",
        what: "no lease for another generation's registers",
        removed: Removal::Scripts(&[("grant.lua", "redis.call('GET', prefix .. ':gen') ~= ARGV[1]", "false")]),
        caught: Caught::Model("PostgreSQL was asked for the generation just before"),
    },
    Guard {
        name: "apply-generation",
        what: "no move of another generation's registers",
        removed: Removal::Scripts(&[("apply.lua", "redis.call('GET', prefix .. ':gen') ~= gen", "false")]),
        caught: Caught::Model("nobody reads a register by the name of another generation"),
    },
];

impl Guard {
    /// The scripts as they are without it: file and text. Empty, if it stands in none.
    pub fn scripts(&self) -> Vec<(&'static str, String)> {
        let Removal::Scripts(lines) = self.removed else {
            return Vec::new();
        };
        let altered = |(file, text): (&'static str, &str)| {
            let mut altered = text.to_owned();
            for (_, from, to) in lines.iter().filter(|(of, ..)| *of == file) {
                assert_eq!(
                    altered.matches(from).count(),
                    1,
                    "{}: {file} has another line for {from}",
                    self.name
                );
                altered = altered.replace(from, to);
            }
            (altered != text).then_some((file, altered))
        };
        let scripts: Vec<_> = SCRIPTS.into_iter().filter_map(altered).collect();
        assert!(!scripts.is_empty(), "{}: the scripts are as before", self.name);
        scripts
    }
}
