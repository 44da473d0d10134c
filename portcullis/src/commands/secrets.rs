//! `portcullis secrets`: what the containers of a system must share and no file of theirs may hold, made at random. Each
//! container gets a folder, to be mounted there and nowhere else: scim-edge finds its key, and no URL of a database.
//!
//! | folder | files |
//! |---|---|
//! | `postgres/` | `superuser-password`; `password`, of the role that owns the database |
//! | `redis/` | `password` |
//! | `core/` | `database-url`, `redis-url`, `login-key`, `service-keys` |
//! | `sessions/` | `redis-url`, `service-key`, `service-keys` |
//! | `edge/` | `service-key` |
//! | `operator/` | `service-key`, of role admin |
//!
//! What is there is never replaced, so running again changes nothing, and what an operator wrote stays.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;
use local_stack::secret;
use runtime::Secret;
use serde::Serialize;

use crate::dev::Secrets;
use crate::failure::Failure;
use crate::output::Output;

/// The role and the database that identity-core uses.
const OWNER: &str = "portcullis";
/// As many characters as the longest limit asks for, that of the login key.
const SHORTEST: usize = 32;

/// `portcullis secrets`
#[derive(Debug, Args)]
pub struct Options {
    /// Where the folders go: postgres, redis, core, sessions, edge, operator
    dir: PathBuf,
    /// PostgreSQL's host, and port if it is not 5432, for the URL
    #[arg(long, value_name = "HOST", default_value = "postgres")]
    postgres: String,
    /// Redis's host, and port if it is not 6379, for the URLs
    #[arg(long, value_name = "HOST", default_value = "redis")]
    redis: String,
}

/// One file, by its path in the folder; never with what it holds.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Shown {
    name: &'static str,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Made,
    Kept,
    /// Kept, though what it is composed of is not in it.
    Differs,
}

/// Makes what is missing.
pub(crate) fn run(options: &Options, output: Output) -> Result<(), Failure> {
    for shown in fill(options)? {
        let Shown { name, state } = shown;
        let verb = if state == State::Made { "made" } else { "kept" };
        output.answer(&shown, &format!("{verb} {name}"))?;
        if state == State::Differs {
            output.next(&format!(
                "{name} does not hold what the other files do: right if you wrote it, else remove it and run this again"
            ));
        }
    }
    Ok(())
}

fn fill(options: &Options) -> Result<Vec<Shown>> {
    let mut files = Files {
        dir: &options.dir,
        shown: Vec::new(),
    };
    files.random("postgres/superuser-password")?;
    let database_password = files.random("postgres/password")?;
    let redis_password = files.random("redis/password")?;
    let keys = Secrets {
        edge: Secret::new(files.random("edge/service-key")?),
        sessions: Secret::new(files.random("sessions/service-key")?),
        operator: Secret::new(files.random("operator/service-key")?),
        login: Secret::new(files.random("core/login-key")?),
    };
    let database_url = format!("postgres://{OWNER}:{database_password}@{}/{OWNER}", options.postgres);
    let redis_url = format!("redis://:{redis_password}@{}", options.redis);
    files.composed("core/database-url", &database_url)?;
    files.composed("core/redis-url", &redis_url)?;
    files.composed("core/service-keys", &keys.of_core_callers())?;
    files.composed("sessions/redis-url", &redis_url)?;
    files.composed("sessions/service-keys", &keys.of_sessions_callers())?;
    Ok(files.shown)
}

struct Files<'a> {
    dir: &'a Path,
    shown: Vec<Shown>,
}

impl Files<'_> {
    /// A secret of its own.
    fn random(&mut self, name: &'static str) -> Result<String> {
        let path = self.dir.join(name);
        let (text, state) = match secret::read(&path)? {
            Some(text) => (text, State::Kept),
            None => (write(&path, secret::random()?)?, State::Made),
        };
        ensure!(
            text.len() >= SHORTEST && text.bytes().all(is_plain),
            "{} must be at least {SHORTEST} of a-z, A-Z, 0-9, - and _, as it becomes part of URLs and lists: replace it, \
             or remove it to have one made",
            path.display()
        );
        self.shown.push(Shown { name, state });
        Ok(text)
    }

    /// What is made of others. More may stand in it: service keys of the platform's services are added there.
    fn composed(&mut self, name: &'static str, text: &str) -> Result<()> {
        let path = self.dir.join(name);
        let state = match secret::read(&path)? {
            Some(found) if found.contains(text) => State::Kept,
            Some(_) => State::Differs,
            None => {
                write(&path, text.to_owned())?;
                State::Made
            }
        };
        self.shown.push(Shown { name, state });
        Ok(())
    }
}

fn write(path: &Path, text: String) -> Result<String> {
    if let Some(folder) = path.parent() {
        let made = DirBuilder::new().recursive(true).mode(0o750).create(folder);
        made.with_context(|| format!("cannot make {}", folder.display()))?;
    }
    secret::write_for_group(path, &text)?;
    Ok(text)
}

/// Means nothing in a URL, in a list of keys, in SQL, or in Redis's configuration.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::settings;

    struct Scratch(Options);

    impl Scratch {
        fn new(name: &str) -> Self {
            let dir = std::env::temp_dir().join(format!("secrets-{name}-{}", std::process::id()));
            let (postgres, redis) = ("db:5433".to_owned(), "cache".to_owned());
            Scratch(Options { dir, postgres, redis })
        }

        fn fill(&self) -> BTreeMap<&'static str, State> {
            let shown = fill(&self.0).unwrap();
            shown.into_iter().map(|shown| (shown.name, shown.state)).collect()
        }

        fn read(&self, name: &str) -> String {
            fs::read_to_string(self.0.dir.join(name)).unwrap()
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0.dir);
        }
    }

    #[test]
    fn each_container_gets_what_it_needs_and_a_second_run_changes_nothing() {
        let scratch = Scratch::new("twice");
        let first = scratch.fill();
        assert_eq!(first.len(), 12);
        assert!(first.values().all(|state| *state == State::Made), "{first:?}");
        let texts = || first.keys().map(|name| scratch.read(name)).collect::<Vec<_>>();
        let before = texts();
        assert!(scratch.fill().values().all(|state| *state == State::Kept));
        assert_eq!(texts(), before);

        let of = |name: &str| scratch.read(name);
        let password = of("postgres/password");
        assert_ne!(password, of("postgres/superuser-password"));
        assert_eq!(
            of("core/database-url"),
            format!("postgres://portcullis:{password}@db:5433/portcullis")
        );
        assert_eq!(of("core/redis-url"), format!("redis://:{}@cache", of("redis/password")));
        assert_eq!(of("sessions/redis-url"), of("core/redis-url"));
        let [edge, sessions, operator] = ["edge", "sessions", "operator"].map(|who| of(&format!("{who}/service-key")));
        assert_eq!(
            of("core/service-keys"),
            format!("edge:edge:{edge},sessions:sessions:{sessions},operator:admin:{operator}")
        );
        assert_eq!(of("sessions/service-keys"), format!("operator:admin:{operator}"));
        for (name, state) in &first {
            let mode = fs::metadata(scratch.0.dir.join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o027, 0, "{name} {state:?} {mode:o}");
        }
    }

    #[test]
    fn what_an_operator_wrote_stays() {
        let scratch = Scratch::new("written");
        scratch.fill();
        let write = |name: &str, text: &str| fs::write(scratch.0.dir.join(name), text).unwrap();
        write("core/database-url", "postgres://me:mine@elsewhere/db");
        let keys = format!(
            "{},billing:platform:0123456789abcdef\n",
            scratch.read("core/service-keys")
        );
        write("core/service-keys", &keys);
        fs::remove_file(scratch.0.dir.join("edge/service-key")).unwrap();
        fs::remove_file(scratch.0.dir.join("core/redis-url")).unwrap();
        let second = scratch.fill();
        let check = |name, state| assert_eq!(second[name], state, "{name}");
        check("core/database-url", State::Differs);
        check("core/redis-url", State::Made);
        check("edge/service-key", State::Made);
        check("core/service-keys", State::Differs); // the edge's new key is not in it
        assert_eq!(scratch.read("core/database-url"), "postgres://me:mine@elsewhere/db");
        assert_eq!(scratch.read("core/service-keys"), keys);
        assert_eq!(scratch.read("core/redis-url"), scratch.read("sessions/redis-url"));
    }

    /// Bringing the containers up takes a machine with Docker; that the names agree is seen without.
    #[test]
    fn the_compose_file_names_secrets_and_settings_that_exist() {
        let made = Scratch::new("compose").fill();
        let compose = include_str!("../../../docker-compose.yml");
        let name = |text: &str| -> String {
            let is_part = |c: &char| c.is_alphanumeric() || "-_".contains(*c);
            text.chars().take_while(is_part).collect()
        };
        let mut mounted = Vec::new();
        for container in compose.replace("\n    ", "\t").split('\n') {
            let Some((before, _)) = container.split_once(":/run/secrets:ro") else {
                continue;
            };
            let folder = before.rsplit_once("secrets-").unwrap().1.to_owned();
            for file in container.split("/run/secrets/").skip(1).map(name) {
                assert!(
                    made.contains_key(format!("{folder}/{file}").as_str()),
                    "{folder}/{file}"
                );
            }
            mounted.push(folder);
        }
        mounted.sort_unstable();
        assert_eq!(mounted, ["core", "edge", "operator", "postgres", "redis", "sessions"]);

        let settings = compose.split(settings::PREFIX).skip(1);
        let settings = settings.map(|rest| settings::PREFIX.to_owned() + &name(rest));
        assert_eq!(settings::unknown(settings), Vec::<String>::new());
    }

    #[test]
    fn a_secret_that_would_break_what_it_becomes_part_of_is_named() {
        let scratch = Scratch::new("wrong");
        scratch.fill();
        for wrong in ["short", "0123456789abcdef0123456789abcdef@elsewhere/"] {
            fs::write(scratch.0.dir.join("redis/password"), wrong).unwrap();
            let error = fill(&scratch.0).unwrap_err().to_string();
            assert!(
                error.contains("redis/password must be") && !error.contains(wrong),
                "{error}"
            );
        }
    }
}
