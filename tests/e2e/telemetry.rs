//! What the processes tell: one request id and one trace from the HTTP answer to the prune, metrics, health that is true.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use e2e::collector::{Collector, Span};
use e2e::{System, Tenant, scim};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{PLACE, system};

/// Within which what is told in the background must have been told.
const SOON: Duration = Duration::from_secs(20);

async fn eventually<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let deadline = Instant::now() + SOON;
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(Instant::now() < deadline, "{what} was not seen");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn read(url: &str) -> (u16, String) {
    let answer = reqwest::get(url).await.expect("the admin listener answers");
    (answer.status().as_u16(), answer.text().await.expect("text"))
}

/// A user's session is ended by a PATCH that carries this request id; the answer's.
async fn end_access(tenant: &Tenant, request_id: &str) -> String {
    let id = tenant.user().await;
    tenant.log_in(&id).await.expect("a session");
    let off = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "replace", "path": "active", "value": false}],
    });
    let path = format!("/Users/{id}");
    let request = tenant.scim.request(Method::PATCH, &path).json(&off);
    let answer = scim::send(request.header("x-request-id", request_id)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.header("x-request-id").to_owned()
}

#[tokio::test]
async fn one_trace_and_one_request_id_lead_from_the_answer_to_the_prune() {
    let (collector, url) = Collector::start().await;
    let settings = vec![
        ("OTEL_EXPORTER_OTLP_ENDPOINT", url),
        ("OTEL_BSP_SCHEDULE_DELAY", "100".to_owned()),
        ("PORTCULLIS_LOG_FORMAT", "json".to_owned()),
    ];
    let system = tokio::task::spawn_blocking(|| System::start_with(PLACE, settings));
    let system = system.await.expect("a system");
    let tenant = Tenant::create(&system).await;
    let request_id = "walk-7f3a.B_c";
    assert_eq!(end_access(&tenant, request_id).await, request_id);

    let root = eventually("the request's span", async || {
        let of_request = |span: &Span| span.name == "http" && span.request_id == request_id;
        collector.spans().into_iter().find(of_request)
    });
    let root = root.await;
    assert_eq!(
        (root.service.as_str(), root.parent.as_str()),
        ("scim-edge", ""),
        "{root:?}"
    );
    let steps = [
        ("identity-core", "grpc"),
        ("identity-core", "postgresql"),
        ("identity-core", "apply"),
        ("session-service", "prune"),
    ];
    let trace = eventually("the whole trace", async || {
        let spans = collector.spans().into_iter().filter(|span| span.trace == root.trace);
        let spans: Vec<Span> = spans.collect();
        let is_there = |&(service, name): &(&str, &str)| {
            spans
                .iter()
                .any(|span| (&*span.service, &*span.name) == (service, name))
        };
        steps.iter().all(is_there).then_some(spans)
    });
    let trace = trace.await;
    let by_id: HashMap<&str, &Span> = trace.iter().map(|span| (&*span.id, span)).collect();
    for span in trace.iter().filter(|span| span.id != root.id) {
        assert!(
            by_id.contains_key(&*span.parent),
            "{span:?} hangs nowhere in {trace:#?}"
        );
    }
    for name in ["grpc", "apply", "prune"] {
        let wrong = trace
            .iter()
            .find(|span| span.name == name && span.request_id != request_id);
        assert!(wrong.is_none(), "{wrong:?}");
    }

    // The same walk in the logs, for those who have no collector.
    eventually("the request's lines", async || {
        let log = system.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let said: BTreeSet<String> = lines
            .filter(|line| {
                line["spans"]
                    .as_array()
                    .is_some_and(|spans| spans.iter().any(|span| span["request.id"] == request_id))
            })
            .map(|line| line["fields"]["message"].as_str().unwrap_or_default().to_owned())
            .collect();
        ["answered", "the register moved", "pruned"]
            .iter()
            .all(|message| said.contains(*message))
            .then_some(())
    })
    .await;
}

/// The value of a metric, summed over the series that hold all of `labels`.
fn value(metrics: &str, name: &str, labels: &[&str]) -> f64 {
    let is_series = |line: &&str| {
        line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']))
            && labels.iter().all(|label| line.contains(label))
    };
    let value = |line: &str| {
        line.rsplit(' ')
            .next()
            .and_then(|value| value.parse::<f64>().ok())
            .unwrap_or(0.0)
    };
    metrics.lines().filter(is_series).map(value).sum()
}

#[tokio::test]
async fn metrics_count_what_happened() {
    let admin = &system().description().admin;
    let tenant = Tenant::create(system()).await;
    let urls = [&admin.scim_edge, &admin.identity_core, &admin.session_service].map(|url| format!("{url}/metrics"));
    let scrape = async || {
        let mut all = String::new();
        for url in &urls {
            let (status, text) = read(url).await;
            assert_eq!(status, 200, "{url}");
            all.push_str(&text);
        }
        all
    };
    let before = scrape().await;
    end_access(&tenant, "metrics").await;
    assert_eq!(tenant.scim.get("/Users/nobody").await.status, 404);
    assert_eq!(tenant.scim.get("/Nowhere").await.status, 404);
    let validated = tenant.validate("nonsense").await.expect("an answer");
    assert!(!validated.valid);

    let grew: [(&str, &[&str]); 12] = [
        (
            "portcullis_http_requests_total",
            &["method=\"PATCH\"", "route=\"/scim/v2/Users/{id}\"", "status=\"200\""],
        ),
        (
            "portcullis_http_requests_total",
            &["route=\"/scim/v2/Users/{id}\"", "status=\"404\""],
        ),
        ("portcullis_http_requests_total", &["route=\"none\"", "status=\"404\""]),
        ("portcullis_http_request_duration_seconds_count", &["method=\"PATCH\""]),
        (
            "portcullis_grpc_requests_total",
            &["method=\"/identity.v1.UserService/PatchUser\"", "code=\"OK\""],
        ),
        ("portcullis_grpc_request_duration_seconds_count", &["ValidateSession"]),
        ("portcullis_database_wait_seconds_count", &["lane=\"tenants\""]),
        ("portcullis_access_end_seconds_count", &[]),
        ("portcullis_events_numbered_total", &[]),
        ("portcullis_sessions_created_total", &[]),
        ("portcullis_sessions_pruned_total", &[]),
        ("portcullis_session_validations_total", &["result=\"unknown\""]),
    ];
    eventually("growth", async || {
        let after = scrape().await;
        grew.iter()
            .all(|(name, labels)| value(&after, name, labels) > value(&before, name, labels))
            .then_some(())
    })
    .await;
    // Looked at every few seconds.
    let now = eventually("an idle connection", async || {
        let now = scrape().await;
        let state = ["lane=\"tenants\"", "state=\"idle\""];
        (value(&now, "portcullis_database_connections", &state) > 0.0).then_some(now)
    });
    let now = now.await;
    assert!(value(&now, "portcullis_access_linked", &[]) > 0.0, "{now}");
    for looked_at in [
        "portcullis_events_unnumbered",
        "portcullis_events_unnumbered_seconds",
        "portcullis_event_consumer_lag_seconds",
    ] {
        assert!(value(&now, looked_at, &[]) >= 0.0, "{looked_at}: {now}");
    }
    assert!(value(&now, "portcullis_generations_total", &[]) > 0.0, "{now}");
    assert!(value(&now, "portcullis_lease_age_seconds", &[]) < 3.0, "{now}");
    for asked in [
        "portcullis_outbox_waiting",
        "portcullis_events_unnumbered",
        "portcullis_events_unnumbered_seconds",
    ] {
        assert!(
            now.contains(asked) && value(&now, asked, &[]) >= 0.0,
            "{asked} is unknown: {now}"
        );
    }
    assert!(
        !now.contains(&tenant.id) && !now.contains(&tenant.name),
        "a label names a tenant: {now}"
    );
}

/// What the code can tell and what the document for operators lists are the same names.
#[tokio::test]
async fn the_metrics_that_are_documented_are_those_that_there_are() {
    let pattern = regex::Regex::new(r"portcullis_[a-z_]+").expect("a pattern");
    let names = |text: &str| {
        pattern
            .find_iter(text)
            .map(|name| name.as_str().to_owned())
            .collect::<BTreeSet<_>>()
    };
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut declared = BTreeSet::new();
    for file in [
        "identity-core/src/metrics.rs",
        "session-service/src/metrics.rs",
        "scim-edge/src/observe.rs",
        "runtime/src/observe.rs",
        "runtime/src/telemetry.rs",
    ] {
        declared.extend(names(&std::fs::read_to_string(root.join(file)).expect(file)));
    }
    let document = std::fs::read_to_string(root.join("docs/operations.md")).expect("docs/operations.md");
    let table = document.lines().filter(|line| line.starts_with("| `portcullis_"));
    let documented: BTreeSet<String> = table
        .flat_map(|line| names(line.split('|').nth(1).unwrap_or_default()))
        .collect();
    assert_eq!(documented, declared);

    let alerts = std::fs::read_to_string(root.join("deploy/prometheus/alerts.yml")).expect("the alerts");
    let expressions = alerts.lines().filter(|line| !line.trim().starts_with('#'));
    for name in expressions.flat_map(names) {
        let series = ["_bucket", "_count", "_sum"]
            .iter()
            .find_map(|suffix| name.strip_suffix(suffix));
        assert!(declared.contains(series.unwrap_or(&name)), "an alert asks for {name}");
    }
    let alert = regex::Regex::new(r"alert: (\w+)").expect("a pattern");
    let missing: Vec<_> = alert
        .captures_iter(&alerts)
        .map(|found| found[1].trim_start_matches("Portcullis").to_owned())
        .filter(|name| !document.contains(name))
        .collect();
    assert!(
        missing.is_empty(),
        "docs/operations.md does not name the alerts {missing:?}"
    );
}

#[tokio::test]
async fn health_is_told_on_every_service() {
    let admin = &system().description().admin;
    for url in [&admin.scim_edge, &admin.identity_core, &admin.session_service] {
        assert_eq!(read(&format!("{url}/healthz")).await, (200, "ok\n".to_owned()), "{url}");
        let (status, said) = read(&format!("{url}/readyz")).await;
        assert_eq!((status, said.as_str()), (200, "ready\n"), "{url}");
        let asked = system().cli(&["health", &format!("{url}/readyz")]).await;
        assert_eq!(asked.done(), json!({"healthy": true, "says": "ready"}));
        assert_eq!(system().cli(&["health", &format!("{url}/nothing")]).await.exit, 1);
    }
    assert_eq!(system().cli(&["health", "http://127.0.0.1:1/readyz"]).await.exit, 3);
    assert_eq!(system().cli(&["health", "127.0.0.1:1"]).await.exit, 2);
}
