//! Somebody else's site on this machine: it shows pages, sends browsers on, and keeps who came. Under the name `localhost` it is
//! another site than the edge's, under `127.0.0.1` the same site at another origin.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Redirect, Response};
use oauth2::url::{Url, form_urlencoded};
use reqwest::StatusCode;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// A site for as long as it lives.
pub struct Site {
    port: u16,
    shared: Arc<Mutex<Shared>>,
    _serving: JoinSet<()>,
}

#[derive(Default)]
struct Shared {
    answers: HashMap<String, Answer>,
    visits: Vec<(String, Query)>,
}

/// What the query of a visit said.
pub type Query = HashMap<String, String>;

#[derive(Clone)]
enum Answer {
    Page(String),
    Onward(String),
}

impl Site {
    /// One without pages.
    pub async fn start() -> Site {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("it is bound").port();
        let shared = Arc::default();
        let app = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, app).await.expect("it serves") });
        Site {
            port,
            shared,
            _serving: serving,
        }
    }

    /// A page of it, by this name of the host.
    pub fn at(&self, host: &str, path: &str) -> String {
        format!("http://{host}:{}{path}", self.port)
    }

    /// Shows this HTML at a path from now on.
    pub fn show(&self, path: &str, body: &str) {
        let page = format!("<!DOCTYPE html><title>A site</title><body>{body}</body>");
        self.answer(path, Answer::Page(page));
    }

    /// Sends whoever comes to a path on to this URL, with the query that they brought.
    pub fn send_on(&self, path: &str, url: &str) {
        self.answer(path, Answer::Onward(url.to_owned()));
    }

    /// With what queries a path was visited.
    pub fn visits(&self, path: &str) -> Vec<Query> {
        let shared = self.shared.lock().expect("the visits");
        let visits = shared.visits.iter().filter(|(visited, _)| visited == path);
        visits.map(|(_, query)| query.clone()).collect()
    }

    fn answer(&self, path: &str, answer: Answer) {
        let mut shared = self.shared.lock().expect("the pages");
        shared.answers.insert(path.to_owned(), answer);
    }
}

async fn answer(State(shared): State<Arc<Mutex<Shared>>>, uri: axum::http::Uri) -> Response {
    let mut shared = shared.lock().expect("the pages");
    let query = uri.query().unwrap_or_default();
    let pairs = form_urlencoded::parse(query.as_bytes()).into_owned();
    shared.visits.push((uri.path().to_owned(), pairs.collect()));
    match shared.answers.get(uri.path()) {
        None => StatusCode::NOT_FOUND.into_response(),
        Some(Answer::Page(html)) => Html(html.clone()).into_response(),
        Some(Answer::Onward(url)) => {
            let mut url = Url::parse(url).expect("a URL");
            url.set_query(Some(query));
            (StatusCode::FOUND, Redirect::to(url.as_str())).into_response()
        }
    }
}
