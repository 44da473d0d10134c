//! The Lua files against their twins in the model: the same calls in the same order must give the same answers.
//!
//! Every process of a history becomes a prefix of its own in one Redis. The model counts ticks, the scripts ask Redis
//! for the time. So a tick is put on a clock in the far future, where no lease ends by itself; when the model's time
//! passes a lease, its key is deleted here, as Redis would have done. A deadline that the model holds to be past is put
//! in the real past.

use std::collections::BTreeSet;

use e2e::fence_model::rng::Rng;
use e2e::fence_model::script::{Answer, Call, Contents, Register, Session};
use e2e::fence_model::{Event, Subject, run_recorded};
use e2e::guards::{GUARDS, SCRIPTS};
use identity_proto::access::LEASE_MS;
use local_stack::test::Redis;
use redis::{Commands, Connection, RedisResult, Script, Value};

/// Histories that are played to the scripts.
const HISTORIES: u64 = 5;
/// Calls without a history behind them, for what the protocol never does.
const WILD_CALLS: u32 = 20_000;
/// Tick 0, in ms since 1970: in the year 2096.
const FUTURE_MS: u64 = 4_000_000_000_000;
const TICK_MS: u64 = 50;
/// Epochs are as large as real ones, microseconds since 1970: Lua's numbers must hold them.
const EPOCH_BASE: u64 = 1_790_000_000_000_000;
/// Longer than any lease on that clock has left.
const ANY_LEASE_MS: u64 = FUTURE_MS;
const TENANT: &str = "00000000000000000000000000000001";

#[test]
fn the_scripts_answer_as_the_model_does() {
    let mut bench = Bench::new(&[]);
    for seed in 0..HISTORIES {
        assert_eq!(difference_in_history(&mut bench, seed), None);
    }
}

/// The first call of a history that the scripts answer otherwise than the model.
fn difference_in_history(bench: &mut Bench, seed: u64) -> Option<String> {
    let events = run_recorded(seed).events;
    let needed: BTreeSet<u64> = events.iter().filter_map(snapshot_of).collect();
    bench.clear(&format!("{{h{seed}"));
    bench.history = seed;
    for (position, event) in events.iter().enumerate() {
        match *event {
            Event::Tick { tick, master } if needed.contains(&tick) => {
                bench.copy(&bench.node(master), &bench.snapshot(tick));
            }
            Event::Tick { .. } => {}
            Event::Began { node, tick } => {
                let from = tick.map(|tick| bench.snapshot(tick));
                if let Some(from) = from {
                    bench.copy(&from, &bench.node(node));
                }
            }
            Event::Flushed { node } => bench.clear(&bench.node(node)),
            Event::Script {
                node,
                now,
                call,
                answer,
            } => {
                let got = bench.call(&bench.node(node), now, call);
                if got != answer {
                    return Some(format!(
                        "history {seed}, event {position}, tick {now}, node {node}: {call:?} is {got:?}, not {answer:?}"
                    ));
                }
            }
        }
    }
    None
}

#[test]
fn the_scripts_answer_as_the_model_does_to_calls_that_no_history_makes() {
    assert_eq!(first_difference(&mut Bench::new(&[])), None);
}

#[test]
fn a_lease_that_has_longer_left_than_any_is_granted_for_is_not_believed() {
    let mut bench = Bench::new(&[]);
    bench.longest_lease_ms = LEASE_MS;
    let active = Register { epoch: 1, active: true };
    let (generation, user) = (1, 0);
    let session = Session {
        user,
        tenant_epoch: 1,
        user_epoch: 1,
    };
    let created = |id| Call::Create {
        id,
        session,
        login: id,
        cap: 5,
    };
    bench.clear("{clock}");
    bench.call(
        "{clock}",
        0,
        Call::Adopt {
            stood: None,
            generation,
        },
    );
    for subject in [Subject::Tenant, Subject::User(user)] {
        let to = active;
        bench.call(
            "{clock}",
            0,
            Call::Apply {
                generation,
                subject,
                to,
            },
        );
    }
    let ask = Answer::Ask {
        tenant_epoch: 1,
        user_epoch: 1,
    };
    for (number, (left_ms, create, validate)) in (1..).zip([
        (LEASE_MS, Answer::Done, Answer::Valid),
        (LEASE_MS + 60_000, Answer::Later, ask),
    ]) {
        bench
            .redis
            .pset_ex::<_, _, ()>("{clock}:lease", FUTURE_MS + 1, left_ms)
            .expect("a lease");
        assert_eq!(bench.call("{clock}", 0, created(number)), create, "{left_ms}");
        assert_eq!(
            bench.call("{clock}", 0, Call::Validate { id: 1, user }),
            validate,
            "{left_ms}"
        );
    }
}

/// Guards outside of what the model has: which process granted a lease, and whose login it is.
const NOT_IN_THE_MODEL: [&str; 2] = ["inherited-leases", "login-of-one-user"];

#[test]
fn a_script_without_one_of_its_guards_is_noticed() {
    for guard in &GUARDS {
        let scripts = guard.scripts();
        if !scripts.is_empty() && !NOT_IN_THE_MODEL.contains(&guard.name) {
            let mut bench = Bench::new(&scripts);
            let seen = first_difference(&mut bench);
            let seen = seen.unwrap_or_else(|| panic!("{}: no call is answered otherwise", guard.name));
            println!("{}: {seen}", guard.name);
        }
    }
}

/// The first of many calls that the scripts answer otherwise than the model.
fn first_difference(bench: &mut Bench) -> Option<String> {
    let mut rng = Rng::new(1);
    let mut twin = Contents::default();
    bench.clear("{wild}");
    for number in 0..WILD_CALLS {
        let now = u64::from(number / 20);
        let call = wild(&mut rng, now, number, &twin);
        let expect = twin.call(now, call, None);
        let got = bench.call("{wild}", now, call);
        if got != expect {
            return Some(format!(
                "call {number}, tick {now}: {call:?} is {got:?}, not {expect:?}"
            ));
        }
    }
    None
}

fn snapshot_of(event: &Event) -> Option<u64> {
    match event {
        Event::Began { tick, .. } => *tick,
        _ => None,
    }
}

/// Any call, with so few different values that they meet.
fn wild(rng: &mut Rng, now: u64, number: u32, twin: &Contents) -> Call {
    let generation = 1 + rng.below(3);
    let user = rng.pick(&[0, 1]);
    let subject = rng.pick(&[Subject::Tenant, Subject::User(0), Subject::User(1)]);
    let epoch = 1 + rng.below(4) + now / 100;
    let recent = number.saturating_sub(u32::try_from(rng.below(200)).unwrap_or(0));
    match rng.below(100) {
        0..2 => Call::Adopt {
            stood: rng.pick(&[None, twin.generation, twin.generation, Some(generation)]),
            // One that was before, or a new one, whose registers are blank.
            generation: rng.pick(&[generation, 10 + u64::from(number)]),
        },
        2..20 => Call::Apply {
            generation: twin.generation.unwrap_or(generation),
            subject,
            to: Register {
                epoch,
                active: rng.chance(8_000),
            },
        },
        20..22 => Call::Apply {
            generation,
            subject,
            to: Register { epoch, active: true },
        },
        22..30 => Call::Grant {
            generation: rng.pick(&[twin.generation.unwrap_or(1), generation]),
            until: (now + rng.below(12)).saturating_sub(2),
        },
        30..60 => Call::Create {
            id: number,
            session: Session {
                user,
                tenant_epoch: register_epoch(twin, Subject::Tenant, epoch),
                user_epoch: register_epoch(twin, Subject::User(user), epoch),
            },
            login: recent,
            cap: 5,
        },
        60..97 => Call::Validate {
            id: twin
                .sessions
                .keys()
                .copied()
                .nth(rng.pick(&[0, 1, 2, 3]))
                .unwrap_or(recent),
            user,
        },
        _ => Call::Prune {
            user,
            user_epoch: rng.chance(5_000).then_some(epoch),
            tenant_epoch: rng.chance(3_000).then_some(epoch),
        },
    }
}

/// What the register says, mostly, so that creations succeed too.
fn register_epoch(twin: &Contents, subject: Subject, otherwise: u64) -> u64 {
    let generation = twin.generation.unwrap_or(0);
    let known = twin
        .registers
        .get(&(generation, subject))
        .map(|register| register.epoch);
    known.filter(|_| !otherwise.is_multiple_of(7)).unwrap_or(otherwise)
}

/// The scripts and a Redis to run them in.
struct Bench {
    redis: Connection,
    history: u64,
    longest_lease_ms: u64,
    adopt: Script,
    apply: Script,
    grant: Script,
    create: Script,
    validate: Script,
    prune: Script,
}

impl Bench {
    /// With these scripts in the place of ours.
    fn new(altered: &[(&str, String)]) -> Self {
        let script = |file: &str| {
            let ours = SCRIPTS.iter().map(|(name, text)| (*name, *text));
            let others = altered.iter().map(|(name, text)| (*name, text.as_str()));
            let (_, text) = others.chain(ours).find(|(name, _)| *name == file).expect("a script");
            Script::new(text)
        };
        let redis = redis::Client::open(Redis::shared().database()).and_then(|client| client.get_connection());
        Bench {
            redis: redis.expect("the test's Redis answers"),
            history: 0,
            longest_lease_ms: ANY_LEASE_MS,
            adopt: script("generation.lua"),
            apply: script("apply.lua"),
            grant: script("grant.lua"),
            create: script("create.lua"),
            validate: script("validate.lua"),
            prune: script("prune.lua"),
        }
    }

    fn node(&self, node: usize) -> String {
        format!("{{h{}n{node}}}", self.history)
    }

    fn snapshot(&self, tick: u64) -> String {
        format!("{{h{}t{tick}}}", self.history)
    }

    fn keys(&mut self, prefix: &str) -> Vec<String> {
        self.redis
            .scan_match(format!("{prefix}*"))
            .expect("scan")
            .map(|key| key.expect("a key"))
            .collect()
    }

    fn clear(&mut self, prefix: &str) {
        for key in self.keys(prefix) {
            self.redis.del::<_, ()>(key).expect("del");
        }
    }

    fn copy(&mut self, from: &str, to: &str) {
        self.clear(to);
        for key in self.keys(from) {
            let target = key.replacen(from, to, 1);
            redis::cmd("COPY")
                .arg(key)
                .arg(target)
                .query::<()>(&mut self.redis)
                .expect("copy");
        }
    }

    /// Runs the script of a call as its service would, and reads the answer.
    fn call(&mut self, prefix: &str, now: u64, call: Call) -> Answer {
        self.expire_lease(prefix, now);
        self.run(prefix, now, call)
            .unwrap_or_else(|error| panic!("{call:?}: {error}"))
    }

    fn run(&mut self, prefix: &str, now: u64, call: Call) -> RedisResult<Answer> {
        let redis = &mut self.redis;
        match call {
            Call::Adopt { stood, generation } => {
                let begun: i64 = self
                    .adopt
                    .key(prefix)
                    .arg(or_empty(stood))
                    .arg(generation)
                    .invoke(redis)?;
                Ok(if begun == 1 { Answer::Done } else { Answer::Refused })
            }
            Call::Apply {
                generation,
                subject,
                to,
            } => {
                let state = if to.active { "a" } else { "i" };
                let mut script = self.apply.key(prefix);
                script
                    .arg(generation)
                    .arg(TENANT)
                    .arg(of(subject))
                    .arg(EPOCH_BASE + to.epoch)
                    .arg(state)
                    .arg(0)
                    .arg("")
                    .arg("");
                Ok(match script.invoke::<i64>(redis)? {
                    -1 => Answer::OtherGeneration,
                    moved => Answer::Moved(moved == 1),
                })
            }
            Call::Grant { generation, until } => {
                let until = if until > now { FUTURE_MS + until * TICK_MS } else { 1 };
                Ok(
                    match self.grant.key(prefix).arg(generation).arg(until).invoke::<i64>(redis)? {
                        -1 => Answer::OtherGeneration,
                        0 => Answer::Refused,
                        _ => Answer::Done,
                    },
                )
            }
            Call::Create {
                id,
                session,
                login,
                cap,
            } => {
                let mut script = self.create.key(prefix);
                script.arg(TENANT).arg(user_id(session.user)).arg(session_id(id));
                script
                    .arg(EPOCH_BASE + session.tenant_epoch)
                    .arg(EPOCH_BASE + session.user_epoch);
                script
                    .arg(login)
                    .arg(3_600_000)
                    .arg(3_600_000)
                    .arg(cap)
                    .arg(self.longest_lease_ms);
                Ok(read(&script.invoke::<Vec<Value>>(redis)?))
            }
            Call::Validate { id, user } => {
                let mut script = self.validate.key(prefix);
                script
                    .arg(TENANT)
                    .arg(user_id(user))
                    .arg(session_id(id))
                    .arg(self.longest_lease_ms);
                Ok(read_validation(&script.invoke::<Value>(redis)?))
            }
            Call::Prune {
                user,
                user_epoch,
                tenant_epoch,
            } => {
                let [user_epoch, tenant_epoch] =
                    [user_epoch, tenant_epoch].map(|epoch| or_empty(epoch.map(|epoch| EPOCH_BASE + epoch)));
                let mut script = self.prune.key(prefix);
                script.arg(TENANT).arg(user_id(user)).arg(user_epoch).arg(tenant_epoch);
                Ok(Answer::Pruned(script.invoke(redis)?))
            }
        }
    }

    fn expire_lease(&mut self, prefix: &str, now: u64) {
        let key = format!("{prefix}:lease");
        let until: Option<u64> = self.redis.get(&key).expect("get");
        if until.is_some_and(|until| until <= FUTURE_MS + now * TICK_MS) {
            self.redis.del::<_, ()>(&key).expect("del");
        }
    }
}

/// A validation is answered with a number, or with words.
fn read_validation(answer: &Value) -> Answer {
    let text: String = redis::from_redis_value(answer.clone()).expect("a number or words");
    let words: Vec<&str> = text.split(' ').collect();
    let epoch = |at: usize| words[at].parse::<u64>().expect("a number") - EPOCH_BASE;
    match words[0] {
        "unknown" => Answer::Unknown,
        "ended" | "pruned-ended" => Answer::Ended,
        "tenant" | "pruned-tenant" => Answer::TenantEnded,
        "ask" => Answer::Ask {
            tenant_epoch: epoch(1),
            user_epoch: epoch(2),
        },
        number if number.parse::<i64>().is_ok() => Answer::Valid,
        other => panic!("no such answer: {other}"),
    }
}

/// The script that creates a session answers with a word, then numbers.
fn read(answer: &[Value]) -> Answer {
    let word: String = redis::from_redis_value(answer[0].clone()).expect("a word");
    match word.as_str() {
        "ok" => Answer::Done,
        "later" => Answer::Later,
        "used" => Answer::Used,
        "ended" => Answer::Ended,
        other => panic!("no such answer: {other}"),
    }
}

fn or_empty(number: Option<u64>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

fn of(subject: Subject) -> String {
    match subject {
        Subject::Tenant => String::new(),
        Subject::User(number) => user_id(number),
    }
}

fn user_id(number: u8) -> String {
    format!("{:032x}", 0x100 + u32::from(number))
}

/// Of one length, so that Redis orders sessions of one millisecond as they were made.
fn session_id(id: u32) -> String {
    format!("{id:010}")
}
