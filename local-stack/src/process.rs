//! A child process that ends when we end.
//!
//! Each child is the head of its own process group, so a Ctrl-C at the terminal reaches us alone and we stop the
//! children in order. If we are killed, the kernel signals them: `PR_SET_PDEATHSIG`, set by util-linux's `setpriv`
//! because `unsafe` is forbidden here. That signal is sent when the *thread* that spawned the child ends, so every
//! child is spawned by one thread that lives as long as the process.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{LazyLock, OnceLock, mpsc};
use std::time::{Duration, Instant};
use std::{fmt, thread};

use anyhow::{Context, Result, anyhow};
use rustix::process::{Pid, kill_process, kill_process_group};

pub use rustix::process::Signal;

/// How often waiting looks again.
const POLL: Duration = Duration::from_millis(10);
/// How long a child that was told to stop may take before it is killed.
const PATIENCE: Duration = Duration::from_secs(25);

/// Variables of a child's environment.
pub type Environment = Vec<(&'static str, String)>;

/// A running child and its log.
pub struct Process {
    name: String,
    child: Child,
    stop: Signal,
    log: PathBuf,
    log_start: u64,
}

impl Process {
    /// Starts `command` with its output appended to `log`. `stop` is the signal that asks it to end. Standard input is
    /// the caller's to set.
    pub fn spawn(name: &str, mut command: Command, stop: Signal, log: &Path) -> Result<Self> {
        let file = open_log(log).with_context(|| format!("cannot write {}", log.display()))?;
        let log_start = file.metadata()?.len();
        command.stdout(file.try_clone()?).stderr(file).process_group(0);
        let child = keep(command).with_context(|| format!("cannot start {name}"))?;
        Ok(Process {
            name: name.to_owned(),
            child,
            stop,
            log: log.to_owned(),
            log_start,
        })
    }

    /// What it was started as, for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Sends a signal; nothing happens when it has ended.
    pub fn signal(&mut self, signal: Signal) -> io::Result<()> {
        if self.ended()?.is_some() {
            return Ok(());
        }
        match raw_pid(self.pid()) {
            Some(pid) => Ok(kill_process(pid, signal)?),
            None => Ok(()),
        }
    }

    /// Asks it to end and waits; kills it when it does not obey in time.
    pub fn stop(&mut self) -> io::Result<ExitStatus> {
        self.signal(self.stop)?;
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            thread::sleep(POLL);
        }
        self.kill()
    }

    /// Kills it and its process group, as a crash would.
    pub fn kill(&mut self) -> io::Result<ExitStatus> {
        if let (None, Some(pid)) = (self.ended()?, raw_pid(self.pid())) {
            kill_process_group(pid, Signal::KILL)?;
        }
        self.child.wait()
    }

    /// Waits until `ready` answers yes. Fails with the end of the log when the process ends or the time is over.
    pub fn wait_until(&mut self, limit: Duration, mut ready: impl FnMut() -> bool) -> Result<()> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.ended()? {
                return Err(self.failure(&format!("ended with {status}")));
            }
            if ready() {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(self.failure(&format!("was not ready after {} s", limit.as_secs())));
            }
            thread::sleep(POLL);
        }
    }

    /// An error that says what happened to this process, with the last lines of its log.
    pub fn failure(&self, what: &str) -> anyhow::Error {
        let lines = self.last_lines(12);
        let log = self.log.display();
        if lines.is_empty() {
            return anyhow!("{} {what}; its log {log} is empty", self.name);
        }
        anyhow!("{} {what}; the end of its log {log}:\n{lines}", self.name)
    }

    /// The last lines that it logged since it was started.
    pub fn last_lines(&self, count: usize) -> String {
        let text = self.logged().unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(count)..].join("\n")
    }

    /// All that it logged since it was started, but no more than the last 64 KiB.
    fn logged(&self) -> io::Result<String> {
        const MOST: u64 = 64 * 1024;
        let mut file = File::open(&self.log)?;
        let start = self.log_start.max(file.metadata()?.len().saturating_sub(MOST));
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {})", self.name, self.pid())
    }
}

impl Drop for Process {
    /// Not stopped in order: the way out of an error or a panic. Its data survive, as they do in a crash.
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            tracing::warn!(process = self.name, %error, "cannot end a child");
        }
    }
}

/// A command for `program` that gets `signal` when we die. Without a fitting `setpriv` it is the bare program.
pub fn dies_with_us(program: &Path, signal: Signal) -> Command {
    let mut command = match setpriv() {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", name(signal), "--"]).arg(program);
            command
        }
        None => Command::new(program),
    };
    command.stdin(Stdio::null());
    command
}

/// `setpriv` knows signals by name only.
fn name(signal: Signal) -> &'static str {
    match signal {
        Signal::INT => "INT",
        Signal::TERM => "TERM",
        Signal::QUIT => "QUIT",
        _ => "KILL",
    }
}

/// `setpriv` if it is there and knows the option; busybox's does not.
fn setpriv() -> Option<&'static OsStr> {
    static FOUND: OnceLock<bool> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let help = Command::new("setpriv").arg("--help").stdin(Stdio::null()).output();
        help.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("--pdeathsig"))
    });
    found.then_some(OsStr::new("setpriv"))
}

/// Spawns on the thread that lives as long as the process.
fn keep(mut command: Command) -> io::Result<Child> {
    type Job = Box<dyn FnOnce() + Send>;
    static KEEPER: LazyLock<mpsc::Sender<Job>> = LazyLock::new(|| {
        let (sender, jobs) = mpsc::channel::<Job>();
        thread::spawn(move || jobs.iter().for_each(|job| job()));
        sender
    });
    let gone = || io::Error::other("the thread that starts children is gone");
    let (answer, child) = mpsc::channel();
    let job: Job = Box::new(move || {
        // The receiver waits below; if it is gone, so is the caller.
        let _ = answer.send(command.spawn());
    });
    KEEPER.send(job).map_err(|_| gone())?;
    child.recv().map_err(|_| gone())?
}

fn open_log(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

pub(crate) fn raw_pid(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}
