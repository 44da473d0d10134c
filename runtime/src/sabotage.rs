//! What only a build with the feature `sabotage` has: guards that can be taken away, and places where the process can be
//! frozen or killed. The fault campaign has to catch the one and to survive the other. In any other build all of this is
//! nothing, and in a release build it cannot be.

#[cfg(all(feature = "sabotage", not(debug_assertions)))]
compile_error!("the feature `sabotage` takes guards away: it is for the fault campaign and never for a release");

#[cfg(feature = "sabotage")]
pub use armed::{SETTINGS, failpoint, is_removed, script};
#[cfg(not(feature = "sabotage"))]
pub use disarmed::{SETTINGS, failpoint, is_removed, script};

#[cfg(not(feature = "sabotage"))]
mod disarmed {
    /// What is set for it.
    pub const SETTINGS: [&str; 0] = [];

    /// Whether this guard is taken away.
    pub const fn is_removed(_guard: &str) -> bool {
        false
    }

    /// A Lua script, or what is put in its place.
    pub const fn script(_file: &str, text: &'static str) -> &'static str {
        text
    }

    /// Freezes or kills the process here, if that was asked for.
    pub const fn failpoint(_name: &str) {}
}

#[cfg(feature = "sabotage")]
mod armed {
    use std::path::Path;
    use std::time::{Duration, Instant};
    use std::{env, fs};

    use rustix::process::{Signal, getpid, kill_process};

    const REMOVED: &str = "PORTCULLIS_SABOTAGE";
    const SCRIPTS: &str = "PORTCULLIS_SABOTAGE_SCRIPTS";
    const FAILPOINTS: &str = "PORTCULLIS_FAILPOINTS";
    /// What is set for it: the guard that is taken away; a folder of scripts that go in the place of ours; a file with a
    /// line for each failpoint that is armed, such as `relay::claimed=freeze:10000` (ms) or `relay::claimed=kill`.
    pub const SETTINGS: [&str; 3] = [REMOVED, SCRIPTS, FAILPOINTS];
    /// How soon what is frozen sees that it is not any more.
    const THAW: Duration = Duration::from_millis(10);

    /// Whether this guard is taken away.
    pub fn is_removed(guard: &str) -> bool {
        env::var(REMOVED).is_ok_and(|removed| removed == guard)
    }

    /// A Lua script, or what is put in its place.
    pub fn script(file: &str, text: &'static str) -> &'static str {
        let other = env::var_os(SCRIPTS).and_then(|folder| fs::read_to_string(Path::new(&folder).join(file)).ok());
        other.map_or(text, |text| text.leak())
    }

    /// Freezes or kills the process here, if that was asked for. A freeze is as one of the whole process for the task that
    /// comes by, and for nobody else: what is waited for with it does not time out meanwhile. It ends early with what armed it.
    pub fn failpoint(name: &str) {
        let Some(what) = armed(name) else { return };
        match (what.as_str(), what.strip_prefix("freeze:").map(str::parse)) {
            (_, Some(Ok(millis))) => {
                tracing::warn!(name, millis, "frozen at a failpoint");
                let until = Instant::now() + Duration::from_millis(millis);
                tokio::task::block_in_place(|| {
                    while Instant::now() < until && armed(name).is_some() {
                        std::thread::sleep(THAW);
                    }
                });
            }
            ("kill", _) => {
                let _ = kill_process(getpid(), Signal::KILL);
                std::thread::sleep(Duration::from_secs(1));
            }
            (what, _) => tracing::error!(name, what, "no such action at a failpoint"),
        }
    }

    /// What is to be done at this failpoint.
    fn armed(name: &str) -> Option<String> {
        let lines = fs::read_to_string(env::var_os(FAILPOINTS)?).ok()?;
        let what = |line: &str| line.strip_prefix(name)?.strip_prefix('=').map(str::to_owned);
        lines.lines().find_map(what)
    }
}
