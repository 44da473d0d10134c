//! The three services as processes of this binary. Each gets its socket bound, as standard input, and its settings as
//! environment; none gets the secrets of another.

use std::env;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use local_stack::Process;
use local_stack::process::Signal;
use runtime::Shutdown;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::children::Children;
use super::description::{Admin, Pids};
use super::home::{Home, SERVICES};
use super::secrets::Secrets;
use super::steps::Steps;
use crate::failure::Failure;
use crate::serve::PARENT_PID;
use crate::{health, settings};

const HEALTHY_WITHIN: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(20);
const ASK_LIMIT: Duration = Duration::from_secs(2);

type Settings = Vec<(&'static str, String)>;

/// The services, ready to be started.
pub(super) struct Services<'a> {
    home: &'a Home,
    core: Service,
    sessions: Service,
    edge: Service,
}

struct Service {
    listener: TcpListener,
    address: SocketAddr,
    admin: SocketAddr,
    /// Keeps the admin port from everybody else until the service starts, which binds it by itself.
    held: TcpListener,
    settings: Settings,
}

/// Where they will answer.
pub(super) struct Addresses {
    pub edge: String,
    pub core: String,
    pub sessions: String,
    pub admin: Admin,
}

impl Addresses {
    /// The SCIM base URL.
    pub fn scim(&self) -> String {
        format!("{}/scim/v2", self.edge)
    }
}

impl<'a> Services<'a> {
    /// `listeners` are those of edge, core and sessions.
    pub fn new(
        home: &'a Home,
        secrets: &Secrets,
        database_url: &str,
        redis_url: &str,
        [edge, core, sessions]: [TcpListener; 3],
    ) -> Result<Self> {
        let core_url = url(core.local_addr()?);
        Ok(Services {
            home,
            core: Service::new(
                core,
                vec![
                    ("DATABASE_URL", database_url.to_owned()),
                    ("REDIS_URL", redis_url.to_owned()),
                    ("PORTCULLIS_SERVICE_KEYS", secrets.of_core_callers()),
                    ("PORTCULLIS_LOGIN_KEY", secrets.login.expose().to_owned()),
                ],
            )?,
            sessions: Service::new(
                sessions,
                vec![
                    ("REDIS_URL", redis_url.to_owned()),
                    ("PORTCULLIS_CORE_URL", core_url.clone()),
                    ("PORTCULLIS_SERVICE_KEY", secrets.sessions.expose().to_owned()),
                    ("PORTCULLIS_SERVICE_KEYS", secrets.of_sessions_callers()),
                ],
            )?,
            edge: Service::new(
                edge,
                vec![
                    ("PORTCULLIS_CORE_URL", core_url),
                    ("PORTCULLIS_SERVICE_KEY", secrets.edge.expose().to_owned()),
                ],
            )?,
        })
    }

    pub fn addresses(&self) -> Addresses {
        Addresses {
            edge: url(self.edge.address),
            core: url(self.core.address),
            sessions: url(self.sessions.address),
            admin: Admin {
                scim_edge: url(self.edge.admin),
                identity_core: url(self.core.admin),
                session_service: url(self.sessions.admin),
            },
        }
    }

    /// Starts one after the other, each when the one before is healthy.
    pub async fn start(self, children: &mut Children, steps: &Steps, shutdown: &Shutdown) -> Result<Pids, Failure> {
        let Services {
            home,
            core,
            sessions,
            edge,
        } = self;
        let [core_name, sessions_name, edge_name] = SERVICES;
        let mut pids = Pids::default();
        let services = [
            (core_name, "starting identity-core", core, &mut pids.identity_core),
            (
                sessions_name,
                "starting session-service",
                sessions,
                &mut pids.session_service,
            ),
            (edge_name, "starting scim-edge", edge, &mut pids.scim_edge),
        ];
        for (name, step, service, pid) in services {
            let address = service.address;
            let starting = async {
                let mut process = service.spawn(name, home)?;
                home.note(name, &process)?;
                *pid = process.pid();
                let healthy = wait(&mut process, shutdown, async || {
                    if name == edge_name {
                        ready_over_http(address).await
                    } else {
                        serving_over_grpc(address).await
                    }
                });
                let outcome = healthy.await;
                children.services.push(process);
                outcome
            };
            steps.step(step, starting).await?;
        }
        Ok(pids)
    }
}

impl Service {
    fn new(listener: TcpListener, settings: Settings) -> Result<Self> {
        let address = listener.local_addr()?;
        let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        Ok(Service {
            listener,
            address,
            admin: held.local_addr()?,
            held,
            settings,
        })
    }

    /// The data folder in its command line is the mark by which a left-over process is recognised.
    fn spawn(self, name: &str, home: &Home) -> Result<Process> {
        let mut command = Command::new(env::current_exe().context("cannot find this program's own file")?);
        command
            .args(["serve", name, "--listen", "stdin", "--admin-listen"])
            .arg(self.admin.to_string())
            .arg("--data-dir")
            .arg(home.path());
        // What is set for something else than the services would be refused by them.
        for name in settings::unknown(env::vars_os().filter_map(|(name, _)| name.into_string().ok())) {
            command.env_remove(name);
        }
        for (setting, value) in self.settings {
            command.env(setting, value).env_remove(format!("{setting}_FILE"));
        }
        command
            .env(PARENT_PID, std::process::id().to_string())
            .env("NO_COLOR", "1")
            .stdin(OwnedFd::from(self.listener));
        drop(self.held);
        Process::spawn(name, command, Signal::TERM, &home.log(name)?)
    }
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}

/// Until `healthy` answers yes, the process ends, the stop is asked for, or the time is over.
async fn wait(process: &mut Process, shutdown: &Shutdown, healthy: impl AsyncFn() -> bool) -> Result<()> {
    let deadline = Instant::now() + HEALTHY_WITHIN;
    loop {
        if let Some(status) = process.ended()? {
            return Err(process.failure(&format!("ended with {status}")));
        }
        if tokio::time::timeout(ASK_LIMIT, healthy()).await.unwrap_or(false) {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(process.failure(&format!("was not healthy after {} s", HEALTHY_WITHIN.as_secs())));
        }
        tokio::select! {
            () = shutdown.requested() => anyhow::bail!("stopped before the system was ready: start again"),
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

async fn serving_over_grpc(address: SocketAddr) -> bool {
    let Ok(channel) = runtime::grpc::channel(&url(address)) else {
        return false;
    };
    let answer = HealthClient::new(channel).check(HealthCheckRequest::default()).await;
    answer.is_ok_and(|answer| answer.into_inner().status() == ServingStatus::Serving)
}

async fn ready_over_http(address: SocketAddr) -> bool {
    let answer = health::get(&format!("{}/readyz", url(address))).await;
    answer.is_ok_and(|(status, _)| status == 200)
}
