//! Replays what an identity provider sends, as recorded in `tests/traces/*.json`, and says how the answers differ from
//! what it needs.
//!
//! A trace is `{name, idp, source, steps: [{name, request: {method, path, headers, query, body}, expect: {status,
//! headers, body: {JSON pointer: value or matcher}}, capture}]}`. Beside that: step `repeat` with `${i}`; request
//! `raw_query` (sent as it is), `query_encoding: "plus"`, `raw_body`; a header of value null is left out. Variables are
//! `${unique}`, `${base}` and what was captured. Matchers are in [`matcher`]. Bodies are not looked at on 204.

pub mod matcher;
pub mod variables;

use reqwest::header::HeaderName;
use reqwest::{Method, Url};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::scim::{self, Answer, SCIM_JSON, Scim};
use variables::Variables;

/// Replays one trace; what did not come out as it must, a line each.
pub async fn replay(client: &Scim, trace: &Value) -> Vec<String> {
    let mut run = Run {
        client,
        variables: Variables::default(),
        created: Vec::new(),
    };
    run.variables
        .set("unique", Value::from(&Uuid::new_v4().simple().to_string()[..10]));
    run.variables.set("base", Value::from(client.base()));
    let mut problems = Vec::new();
    for step in trace["steps"].as_array().into_iter().flatten() {
        for round in 1..=step["repeat"].as_u64().unwrap_or(1) {
            run.variables.set("i", Value::from(round.to_string()));
            let found = match run.step(step).await {
                Ok(found) => found,
                Err(problem) => vec![problem],
            };
            problems.extend(found.into_iter().map(|problem| format!("{}: {problem}", step["name"])));
        }
    }
    run.clean_up().await;
    problems
}

struct Run<'a> {
    client: &'a Scim,
    variables: Variables,
    created: Vec<String>,
}

impl Run<'_> {
    async fn step(&mut self, step: &Value) -> Result<Vec<String>, String> {
        let request = &step["request"];
        let method = request["method"].as_str().ok_or("no method")?;
        let path = self.variables.in_path(request["path"].as_str().ok_or("no path")?)?;
        let answer = self.send(method, &path, request).await?;
        let mut problems = self.compare(&answer, &step["expect"])?;
        for (name, pointer) in step["capture"].as_object().into_iter().flatten() {
            match captured(&answer, pointer.as_str().unwrap_or_default()) {
                Some(value) => self.variables.set(name, value),
                None => problems.push(format!("nothing to capture at {pointer}")),
            }
        }
        if method == "POST" && answer.status == 201 && answer.json["id"].is_string() {
            self.created
                .push(format!("{}/{}", path.trim_end_matches('/'), answer.id()));
        }
        Ok(problems)
    }

    async fn send(&self, method: &str, path: &str, request: &Value) -> Result<Answer, String> {
        let method = Method::from_bytes(method.as_bytes()).map_err(|error| error.to_string())?;
        let query = self.query(request)?;
        let url = Url::parse(&format!("{}{path}{query}", self.client.base())).map_err(|error| error.to_string())?;
        let body = match (&request["raw_body"], request.get("body")) {
            (Value::String(raw), _) => Some(self.variables.in_text(raw)?),
            (_, Some(body)) => Some(self.variables.in_value(body)?.to_string()),
            _ => None,
        };
        let mut headers = Map::new();
        headers.insert("accept".to_owned(), SCIM_JSON.into());
        if let Some(token) = self.client.token() {
            headers.insert("authorization".to_owned(), format!("Bearer {token}").into());
        }
        if body.is_some() {
            headers.insert("content-type".to_owned(), SCIM_JSON.into());
        }
        for (name, value) in request["headers"].as_object().into_iter().flatten() {
            headers.insert(name.to_ascii_lowercase(), value.clone());
        }
        let mut message = reqwest::Client::new().request(method, url);
        for (name, value) in &headers {
            if let Some(value) = value.as_str() {
                let name: HeaderName = name.parse().map_err(|_| format!("header {name}"))?;
                message = message.header(name, self.variables.in_text(value)?);
            }
        }
        scim::try_send(message.body(body.unwrap_or_default()))
            .await
            .map_err(|error| format!("no answer: {error}"))
    }

    fn query(&self, request: &Value) -> Result<String, String> {
        if let Some(raw) = request["raw_query"].as_str() {
            return Ok(format!("?{}", self.variables.in_path(raw)?));
        }
        let plus = request["query_encoding"] == "plus";
        let mut pairs = Vec::new();
        for (name, values) in request["query"].as_object().into_iter().flatten() {
            let values = values.as_array().cloned().unwrap_or_else(|| vec![values.clone()]);
            for value in values {
                let value = variables::text(&self.variables.in_value(&value)?);
                let pair = format!("{}={}", variables::percent(name), variables::percent(&value));
                pairs.push(if plus { pair.replace("%20", "+") } else { pair });
            }
        }
        Ok(if pairs.is_empty() {
            String::new()
        } else {
            format!("?{}", pairs.join("&"))
        })
    }

    fn compare(&self, answer: &Answer, expect: &Value) -> Result<Vec<String>, String> {
        let mut problems = Vec::new();
        let allowed = expect["status"].as_array().ok_or("no status expected")?;
        let as_expected = allowed.contains(&answer.status.into());
        if !as_expected {
            problems.push(format!(
                "status {} instead of {}: {}",
                answer.status, expect["status"], answer.text
            ));
        }
        if answer.status == 204 && !answer.text.is_empty() {
            problems.push("a body came with 204".to_owned());
        }
        if answer.status != 204 && answer.json.is_null() {
            problems.push(format!("the body is no JSON: {:?}", answer.text));
        }
        for (name, want) in expect["headers"].as_object().into_iter().flatten() {
            let got = answer
                .headers
                .contains_key(name.as_str())
                .then(|| Value::from(answer.header(name)));
            let want = match self.variables.in_value(want)? {
                Value::String(pattern) => serde_json::json!({ "$regex": pattern }),
                matcher => matcher,
            };
            if let Err(problem) = matcher::check(got.as_ref(), &want) {
                problems.push(format!("header {name}: {problem}"));
            }
        }
        if as_expected && answer.status != 204 {
            for (pointer, want) in expect["body"].as_object().into_iter().flatten() {
                let pointer = self.variables.in_text(pointer)?;
                let got = answer.json.pointer(&pointer);
                if let Err(problem) = matcher::check(got, &self.variables.in_value(want)?) {
                    problems.push(format!("body {pointer}: {problem}"));
                }
            }
        }
        Ok(problems)
    }

    /// What a trace created and left is deleted.
    async fn clean_up(&self) {
        for path in self.created.iter().rev() {
            self.client.delete(path).await;
        }
    }
}

fn captured(answer: &Answer, pointer: &str) -> Option<Value> {
    match pointer.strip_prefix("header:") {
        Some(name) => answer
            .headers
            .contains_key(name)
            .then(|| Value::from(answer.header(name))),
        None => answer.json.pointer(pointer).cloned(),
    }
}
