//! What goes on while something breaks: users whose access ends, one after the other, each with sessions that are validated
//! all the time and with logins that began before; and bystanders, whose sessions must live.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use e2e::Tenant;
use e2e::grpc::Grpc;
use e2e::history::{Answer, History, SUSPENDED, Subject, What};
use futures_util::StreamExt;
use identity_proto::identity::v1::SuspendTenantRequest;
use tokio::task::JoinSet;

use crate::calls::{self, Login, Session, User, Way, log_in, validate};
use crate::random::Random;
use crate::world::Clients;

/// How long an ended session is validated after the answer.
const WATCHED: Duration = Duration::from_secs(6);
/// How often a session is validated by each service.
const PROBE: Duration = Duration::from_millis(10);
/// How many validations of one session by one service may be open.
const OPEN: usize = 4;
/// After how long a refused session is settled.
const SETTLING: Duration = Duration::from_millis(300);
/// How long before the end validation begins.
const BEFORE: Duration = Duration::from_millis(80);
/// How long an identity provider waits before it tries again, and for how long it tries.
const AGAIN: Duration = Duration::from_millis(100);
const PERSISTENCE: Duration = Duration::from_secs(90);
/// How long the system may take after its start, or after a fault.
const STARTING: Duration = Duration::from_secs(15);
/// How many are prepared at a time.
const AT_ONCE: usize = 8;
const BYSTANDERS: usize = 6;

/// What a login must not do.
pub const TWO_SESSIONS: &str = "one login made two sessions";

/// How the load is made.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub users: usize,
    /// Logins that race each end and each reactivation.
    pub racers: usize,
    pub settled: Duration,
    /// Validations go to whichever session service answers: some of them are stopped in order.
    pub anywhere: bool,
}

/// A load on one tenant. Clones share it.
#[derive(Clone)]
pub struct Load {
    pub tenant: Tenant,
    pub history: History,
    pub clients: Clients,
    plan: Plan,
    random: Arc<Random>,
    numbers: Arc<AtomicUsize>,
    known: Arc<Mutex<Known>>,
}

#[derive(Default)]
struct Known {
    waiting: Vec<Prepared>,
    bystanders: Vec<(User, Session)>,
    users: Vec<User>,
    sessions: Vec<Session>,
    untold: BTreeMap<Subject, usize>,
}

/// A user with a session, and with logins that began and are not done.
struct Prepared {
    user: User,
    session: Session,
    begun: Vec<Login>,
}

impl Load {
    /// Makes the tenant, its users, their sessions and logins, while everything is well.
    pub async fn prepare(clients: Clients, seed: u64, plan: Plan) -> Result<Self> {
        let tenant = Tenant::create_at(clients.all.clone(), |token| clients.scim(token)).await;
        Load {
            tenant,
            history: History::default(),
            clients,
            plan,
            random: Arc::new(Random::new(seed)),
            numbers: Arc::default(),
            known: Arc::default(),
        }
        .filled()
        .await
        .map(Load::begun)
    }

    /// Without the history of the preparation, whose sessions and logins are known.
    fn begun(self) -> Self {
        self.history.forget_unavailable();
        self
    }

    /// A load of the same history on a tenant of its own.
    pub async fn beside(&self, users: usize) -> Result<Self> {
        let clients = self.clients.clone();
        Load {
            tenant: Tenant::create_at(clients.all.clone(), |token| clients.scim(token)).await,
            plan: Plan { users, ..self.plan },
            known: Arc::default(),
            ..self.clone()
        }
        .filled()
        .await
    }

    async fn filled(self) -> Result<Self> {
        let users = self.plan.users + BYSTANDERS;
        let mut preparing = futures_util::stream::iter(0..users)
            .map(|_| self.one())
            .buffer_unordered(AT_ONCE);
        while let Some(prepared) = preparing.next().await {
            let prepared = prepared?;
            let mut known = self.known();
            known.users.push(prepared.user.clone());
            if known.bystanders.len() < BYSTANDERS {
                known.bystanders.push((prepared.user, prepared.session));
            } else {
                known.waiting.push(prepared);
            }
        }
        drop(preparing);
        Ok(self)
    }

    async fn one(&self) -> Result<Prepared> {
        let user = calls::create(&self.tenant, self.number()).await?;
        let mut begun = Vec::new();
        for _ in 0..2 + 2 * self.plan.racers {
            begun.push(self.begin(&user).await?);
        }
        let since = Instant::now();
        loop {
            let login = self.begin(&user).await?;
            match self.session(&user, &login).await {
                Ok(session) => {
                    self.is_used_up(&login, &user).await;
                    return Ok(Prepared { user, session, begun });
                }
                // What has just started may not have its leases yet.
                Err(Answer::Unavailable) if since.elapsed() < STARTING => tokio::time::sleep(AGAIN).await,
                Err(answer) => bail!("a login while nothing is broken: {answer:?}"),
            }
        }
    }

    /// A login that made a session makes no other one, of this user or another.
    async fn is_used_up(&self, login: &Login, user: &User) {
        let another = self.known().users.first().cloned();
        for user in std::iter::once(user.clone()).chain(another) {
            let called = self.history.now();
            if self.session(&user, login).await.is_ok() {
                let twice = Answer::Wrong(TWO_SESSIONS.to_owned());
                self.history
                    .add(user.subject, What::Other("login"), None, called, twice);
            }
        }
    }

    async fn begin(&self, user: &User) -> Result<Login> {
        let since = Instant::now();
        loop {
            match calls::begin(&self.history, &self.tenant, &self.clients.all, user.subject).await {
                Ok(login) => return Ok(login),
                Err(Answer::Unavailable) if since.elapsed() < STARTING => tokio::time::sleep(AGAIN).await,
                Err(answer) => bail!("the beginning of a login while nothing is broken: {answer:?}"),
            }
        }
    }

    /// A login becomes a session, which is remembered.
    pub async fn session(&self, user: &User, login: &Login) -> Result<Session, Answer> {
        let session = log_in(&self.history, &self.clients.all, user, login, self.number()).await;
        match &session {
            Ok(session) => self.known().sessions.push(session.clone()),
            // It may have been made, and its token been lost on the way.
            Err(Answer::Unavailable | Answer::Wrong(_)) => {
                *self.known().untold.entry(user.subject).or_default() += 1;
            }
            Err(_) => {}
        }
        session
    }

    /// How many sessions of this user there may be that nobody was told of.
    pub fn untold(&self, subject: Subject) -> usize {
        self.known().untold.get(&subject).copied().unwrap_or_default()
    }

    /// Ends access of one user after the other until the plan is done, and answers when all of them have been watched.
    pub async fn run(self, every: Duration) {
        let mut lives = JoinSet::new();
        let mut tick = tokio::time::interval(every);
        for number in 0.. {
            tick.tick().await;
            let Some(next) = self.known().waiting.pop() else { break };
            let way = Way::ALL[(number + usize::from(self.random.below(2) == 0)) % Way::ALL.len()];
            lives.spawn(self.clone().life(next, way));
        }
        while let Some(lived) = lives.join_next().await {
            if let Err(error) = lived {
                eprintln!("a life: {error}");
            }
        }
    }

    async fn life(self, prepared: Prepared, way: Way) {
        let Prepared {
            user,
            session,
            mut begun,
        } = prepared;
        let mut watch = Watch::new(&self);
        watch.session(&session);
        tokio::time::sleep(BEFORE).await;
        self.race(&mut watch, &user, &mut begun);
        if self
            .until_done(|| calls::end(&self.history, &self.tenant, &self.clients.all, &user, way))
            .await
        {
            watch.ends();
            self.attempt(&mut watch, &user, begun.last()).await;
            if !way.deletes() && self.random.below(3) == 0 {
                self.come_back(&mut watch, &user, begun, way).await;
            }
        } else {
            watch.ends();
        }
        watch.end().await;
    }

    /// The user gets access back, and logs in anew; logins from before get nothing.
    async fn come_back(&self, watch: &mut Watch, user: &User, mut begun: Vec<Login>, way: Way) {
        tokio::time::sleep(self.random.millis(100, 800)).await;
        if way.is_scim() {
            self.race(watch, user, &mut begun);
            self.until_done(|| calls::reactivate(&self.history, &self.tenant, user))
                .await;
        }
        self.attempt(watch, user, begun.last()).await;
        let since = Instant::now();
        while since.elapsed() < PERSISTENCE {
            let begun = calls::begin(&self.history, &self.tenant, &self.clients.all, user.subject).await;
            if let Ok(begun) = begun
                && self.session(user, &begun).await.is_ok()
            {
                return;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Logins from before, around the instant of what comes now.
    fn race(&self, watch: &mut Watch, user: &User, begun: &mut Vec<Login>) {
        for _ in 0..self.plan.racers {
            let (Some(login), load, user) = (begun.pop(), self.clone(), user.clone()) else {
                return;
            };
            let (pause, until) = (self.random.millis(0, 60), watch.until.clone());
            watch.tasks.spawn(async move {
                tokio::time::sleep(pause).await;
                if let Ok(session) = load.session(&user, &login).await {
                    let (at, via) = load.service(session.number % load.clients.each.len());
                    load.probe(at, via, &session, &until).await;
                }
            });
        }
    }

    /// Tries a login from before.
    async fn attempt(&self, watch: &mut Watch, user: &User, begun: Option<&Login>) {
        if let Some(begun) = begun
            && let Ok(session) = self.session(user, begun).await
        {
            watch.session(&session);
        }
    }

    async fn until_done<F: Future<Output = Answer>>(&self, what: impl Fn() -> F) -> bool {
        let since = Instant::now();
        while since.elapsed() < PERSISTENCE {
            if what().await == Answer::Yes {
                return true;
            }
            tokio::time::sleep(AGAIN).await;
        }
        false
    }

    /// Validates the bystanders' sessions until it is dropped.
    pub async fn stand_by(self) {
        let mut tick = tokio::time::interval(Duration::from_millis(100));
        let bystanders = self.bystanders();
        for turn in 0.. {
            tick.tick().await;
            let (_, session) = &bystanders[turn % bystanders.len()];
            let (at, via) = self.service(turn % self.clients.each.len());
            let (history, at, session) = (self.history.clone(), at.clone(), session.clone());
            tokio::spawn(async move { validate(&history, &at, via, &session, false).await });
        }
    }

    /// Ends the access of the whole tenant.
    pub async fn suspend(self) {
        let mut watch = Watch::new(&self);
        let prepared: Vec<_> = self.known().waiting.drain(..).collect();
        let bystanders = self.bystanders();
        let sessions = prepared
            .iter()
            .map(|one| &one.session)
            .chain(bystanders.iter().map(|(_, session)| session));
        sessions.for_each(|session| watch.session(session));
        let users = self.known().users.clone();
        let done = self.until_done(|| async {
            let called = self.history.now();
            let tenant = self.tenant.name.clone();
            let answer = calls::told(
                self.clients
                    .all
                    .tenants()
                    .suspend_tenant(SuspendTenantRequest { tenant })
                    .await,
            );
            for user in &users {
                self.history
                    .add(user.subject, What::End(SUSPENDED), None, called, answer.clone());
            }
            answer
        });
        done.await;
        watch.ends();
        for one in &prepared {
            self.attempt(&mut watch, &one.user, one.begun.last()).await;
        }
        watch.end().await;
    }

    pub fn bystanders(&self) -> Vec<(User, Session)> {
        self.known().bystanders.clone()
    }

    pub fn users(&self) -> Vec<User> {
        self.known().users.clone()
    }

    pub fn sessions(&self) -> Vec<Session> {
        self.known().sessions.clone()
    }

    fn number(&self) -> usize {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// The interface of one session service, and its number for the history.
    pub fn service(&self, number: usize) -> (&Grpc, Option<usize>) {
        if self.plan.anywhere {
            return (&self.clients.all, None);
        }
        (&self.clients.each[number], Some(number))
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Validates the sessions of one user until some time after access ended.
struct Watch {
    load: Load,
    until: Arc<AtomicU64>,
    tasks: JoinSet<()>,
}

impl Watch {
    fn new(load: &Load) -> Self {
        Watch {
            load: load.clone(),
            until: Arc::new(AtomicU64::new(u64::MAX)),
            tasks: JoinSet::new(),
        }
    }

    /// From now on, by both services.
    fn session(&mut self, session: &Session) {
        for number in 0..self.load.clients.each.len() {
            let (at, via) = self.load.service(number);
            let (load, at, session, until) = (self.load.clone(), at.clone(), session.clone(), self.until.clone());
            self.tasks
                .spawn(async move { load.probe(&at, via, &session, &until).await });
        }
    }

    /// Access has ended just now.
    fn ends(&mut self) {
        let watched = u64::try_from(WATCHED.as_micros()).unwrap_or(u64::MAX);
        self.until.store(self.load.history.now() + watched, Ordering::Relaxed);
    }

    /// Once all has been watched.
    async fn end(mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

impl Load {
    async fn probe(&self, at: &Grpc, via: Option<usize>, session: &Session, until: &AtomicU64) {
        let mut open: JoinSet<Answer> = JoinSet::new();
        let (mut refused, mut unavailable): (Option<Instant>, bool) = (None, false);
        let mut next = tokio::time::Instant::now();
        while self.history.now() < until.load(Ordering::Relaxed) {
            if open.len() < OPEN {
                let (history, at, session) = (self.history.clone(), at.clone(), session.clone());
                open.spawn(async move { validate(&history, &at, via, &session, false).await });
            }
            let settled = unavailable || refused.is_some_and(|since| since.elapsed() > SETTLING);
            next += if settled { self.plan.settled } else { PROBE };
            next = next.max(tokio::time::Instant::now());
            tokio::time::sleep_until(next).await;
            while let Some(answer) = open.try_join_next() {
                unavailable = matches!(answer, Ok(Answer::Unavailable));
                refused = match answer {
                    Ok(Answer::No) => refused.or_else(|| Some(Instant::now())),
                    _ => None,
                };
            }
        }
        open.join_all().await;
    }
}
