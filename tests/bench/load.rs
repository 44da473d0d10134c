//! The load: some connections, each of which sends its next request when it has the answer to the last one. One thread,
//! so that it takes little from the processors that the system needs.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use e2e::fence_model::rng::Rng;
use e2e::measure::figures::Latencies;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use identity_proto::session::v1::ValidateSessionResponse;
use prost::Message;

use crate::data::Data;
use crate::grpc;
use crate::http::Connection;
use crate::operations::{Operation, Turn};
use crate::requests::{Expected, Request};
use crate::stage::Target;

const VALIDATE: &str = "/session.v1.SessionService/ValidateSession";

/// What came of a round.
#[derive(Debug, Default)]
pub struct Round {
    pub latencies: Latencies,
    /// No answer, or one that says that the system failed.
    pub errors: u64,
    /// An answer that is not the right one.
    pub wrong: u64,
    /// One of those, to be shown.
    pub example: Option<String>,
    pub took: Duration,
}

/// A client that keeps its connections from round to round.
pub struct Load<'a> {
    operation: Operation,
    target: &'a Target,
    data: &'a Data,
    clients: Vec<Client>,
}

struct Client {
    number: u64,
    of: u64,
    count: u64,
    rng: Rng,
    way: Way,
}

enum Way {
    Http(Option<Connection>),
    Grpc(Option<grpc::Connection>),
}

impl<'a> Load<'a> {
    pub fn new(operation: Operation, target: &'a Target, data: &'a Data, connections: u32) -> Self {
        let of = u64::from(connections);
        let clients = (0..of).map(|number| Client {
            number,
            of,
            count: 0,
            rng: Rng::new(number),
            way: match operation {
                Operation::ValidateSession => Way::Grpc(None),
                _ => Way::Http(None),
            },
        });
        Load {
            operation,
            target,
            data,
            clients: clients.collect(),
        }
    }

    /// Sends until the time is over, and waits for the last answers.
    pub async fn run(&mut self, duration: Duration) -> Round {
        let (operation, target, data) = (self.operation, self.target, self.data);
        let begun = Instant::now();
        let until = begun + duration;
        let clients = self.clients.iter_mut();
        let mut running: FuturesUnordered<_> = clients
            .map(|client| client.run(operation, target, data, until))
            .collect();
        let mut all = Round::default();
        while let Some(round) = running.next().await {
            all.latencies.append(round.latencies);
            all.errors += round.errors;
            all.wrong += round.wrong;
            all.example = all.example.or(round.example);
        }
        all.took = begun.elapsed();
        all
    }
}

impl Client {
    async fn run(&mut self, operation: Operation, target: &Target, data: &Data, until: Instant) -> Round {
        let mut round = Round::default();
        let mut text = String::with_capacity(1 << 12);
        while Instant::now() < until {
            let outcome = match &mut self.way {
                Way::Grpc(connection) => validate(connection, target, data, &mut self.rng, &mut round.latencies).await,
                Way::Http(connection) => {
                    let turn = Turn {
                        data,
                        rng: &mut self.rng,
                        connection: self.number,
                        connections: self.of,
                        count: self.count,
                    };
                    let request = operation.request(turn);
                    request.write(&target.base, &target.head, &mut text);
                    ask(connection, target, &text, &request.expected, &mut round.latencies).await
                }
            };
            self.count += 1;
            match outcome {
                Outcome::Right => {}
                Outcome::Wrong(example) => {
                    round.wrong += 1;
                    round.example = Some(example);
                }
                Outcome::Failed(example) => {
                    round.errors += 1;
                    round.example = Some(example);
                    // What fails at once must not fill the round.
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
        }
        round
    }
}

/// What one request came to.
enum Outcome {
    Right,
    Wrong(String),
    Failed(String),
}

async fn ask(
    kept: &mut Option<Connection>,
    target: &Target,
    request: &str,
    expected: &Expected,
    latencies: &mut Latencies,
) -> Outcome {
    let mut connection = match kept.take() {
        Some(connection) => connection,
        None => match Connection::open(&target.host).await {
            Ok(connection) => connection,
            Err(error) => return Outcome::Failed(error.to_string()),
        },
    };
    let asked = Instant::now();
    let outcome = match connection.ask(request.as_bytes()).await {
        Err(error) => return Outcome::Failed(error.to_string()),
        Ok(answer) if expected.is_met_by(answer.status, answer.body) => Outcome::Right,
        Ok(answer) => {
            let example = format!("{} {}", answer.status, answer.body);
            match answer.status {
                429 | 500.. => Outcome::Failed(example),
                _ => Outcome::Wrong(example),
            }
        }
    };
    latencies.push(asked.elapsed());
    *kept = Some(connection);
    outcome
}

async fn validate(
    kept: &mut Option<grpc::Connection>,
    target: &Target,
    data: &Data,
    rng: &mut Rng,
    latencies: &mut Latencies,
) -> Outcome {
    let session = &data.sessions[usize::try_from(rng.bits()).unwrap_or(0) % data.sessions.len()];
    let mut connection = match kept.take() {
        Some(connection) => connection,
        None => match grpc::Connection::open(&target.sessions, VALIDATE, &target.service_key).await {
            Ok(connection) => connection,
            Err(error) => return Outcome::Failed(error.to_string()),
        },
    };
    let asked = Instant::now();
    let answer = match connection.ask(&session.request).await {
        Ok(answer) => answer,
        Err(error) => return Outcome::Failed(error.to_string()),
    };
    latencies.push(asked.elapsed());
    let outcome = match ValidateSessionResponse::decode(answer) {
        Ok(answer) if answer.valid && answer.user_id == session.user => Outcome::Right,
        answer => Outcome::Wrong(format!("{answer:?}")),
    };
    *kept = Some(connection);
    outcome
}

/// One request outside of any round: the body of the right answer.
pub async fn once(target: &Target, request: &Request) -> Result<String> {
    let mut text = String::new();
    request.write(&target.base, &target.head, &mut text);
    let mut connection = Connection::open(&target.host).await?;
    let answer = connection.ask(text.as_bytes()).await?;
    ensure!(
        request.expected.is_met_by(answer.status, answer.body),
        "{text}\nwas answered: {} {}",
        answer.status,
        answer.body
    );
    Ok(answer.body.to_owned())
}
