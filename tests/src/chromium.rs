//! A real browser without a window, steered by the W3C's WebDriver protocol through chromedriver. It has a profile of its own, and
//! dies with the test.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use local_stack::Process;
use local_stack::process::{self, Signal};
use local_stack::programs;
use reqwest::Method;
use serde_json::{Value, json};

use crate::system::{Place, remove, sweep};

/// How long the driver may take for anything.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long a page may take, less than the driver may.
const PAGE: Duration = Duration::from_secs(40);
const LOOK: Duration = Duration::from_millis(20);
/// By which WebDriver's answers name an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A running browser with one window.
pub struct Chromium {
    http: reqwest::Client,
    session: String,
    // Before its folder is removed.
    driver: Option<Process>,
    folder: PathBuf,
}

impl Chromium {
    /// Starts one; installed now if it is missing and that is possible without asking.
    pub async fn start(place: Place) -> Chromium {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
        sweep(Path::new(place.scratch));
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = Path::new(place.scratch).join(format!("dev-{}-chromium-{number}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder for the browser can be made");
        // Asked once: a package that is half installed may have its program in PATH already.
        let program = PROGRAM.get_or_init(|| programs::chromedriver().expect("a browser to test with"));
        let mut command = process::dies_with_us(program, Signal::KILL);
        command.arg("--port=0").env("HOME", &folder);
        let log = folder.join("chromedriver.log");
        let mut driver = Process::spawn("chromedriver", command, Signal::TERM, &log).expect("chromedriver starts");
        let ready = driver.wait_until(PATIENCE, || port(&log).is_some());
        ready.expect("chromedriver says where it listens");
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE);
        let mut browser = Chromium {
            http: http.build().expect("an HTTP client can be made"),
            session: format!("http://127.0.0.1:{}/session", port(&log).expect("a port")),
            driver: Some(driver),
            folder,
        };
        let profile = format!("--user-data-dir={}", browser.folder.join("profile").display());
        // Through a pipe, so that the browser ends when the driver does, however that ends.
        let mut arguments = vec![
            "--headless=new",
            "--remote-debugging-pipe",
            "--disable-dev-shm-usage",
            &profile,
        ];
        // Chromium does not start as root otherwise.
        if rustix::process::geteuid().is_root() {
            arguments.push("--no-sandbox");
        }
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
            "timeouts": {"pageLoad": milliseconds(PAGE), "script": milliseconds(PAGE)},
        }}});
        let answer = browser.post("", &capabilities).await;
        let id = answer["sessionId"].as_str().expect("a session has an id");
        browser.session = format!("{}/{id}", browser.session);
        browser
    }

    /// Opens a URL, and waits until all of the page is there.
    pub async fn open(&self, url: &str) {
        self.post("/url", &json!({ "url": url })).await;
    }

    /// Makes the window's inside a phone's of this width, in CSS pixels.
    pub async fn narrow(&self, width: u32) {
        let screen = json!({"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": true});
        let command = json!({"cmd": "Emulation.setDeviceMetricsOverride", "params": screen});
        self.post("/goog/cdp/execute", &command).await;
    }

    /// The URL of the page that is shown.
    pub async fn url(&self) -> String {
        text_of(&self.get("/url").await)
    }

    /// The page as it stands there.
    pub async fn source(&self) -> String {
        text_of(&self.get("/source").await)
    }

    /// What a person reads in the first element that a CSS selector finds.
    pub async fn text(&self, selector: &str) -> String {
        let element = self.find(selector).await;
        text_of(&self.get(&format!("{element}/text")).await)
    }

    /// What it is called by those who do not see it.
    pub async fn label(&self, selector: &str) -> String {
        let element = self.find(selector).await;
        text_of(&self.get(&format!("{element}/computedlabel")).await)
    }

    /// Types on the keyboard into an element.
    pub async fn type_into(&self, selector: &str, text: &str) {
        let element = self.find(selector).await;
        self.post(&format!("{element}/value"), &json!({ "text": text })).await;
    }

    /// Clicks what leads to another page, and waits until that is there.
    pub async fn leave_by(&self, selector: &str) {
        let before = self.run("return performance.timeOrigin").await;
        let element = self.find(selector).await;
        self.post(&format!("{element}/click"), &json!({})).await;
        let deadline = Instant::now() + PAGE;
        // Between two pages there is none, and the driver says so.
        let now = "return document.readyState === 'complete' && performance.timeOrigin";
        let script = json!({"script": now, "args": []});
        loop {
            let now = self.ask(Method::POST, "/execute/sync", Some(&script)).await;
            if now.is_ok_and(|now| now.is_number() && now != before) {
                return;
            }
            let in_time = Instant::now() < deadline;
            assert!(in_time, "{selector} leads nowhere: {:?}", self.console().await);
            tokio::time::sleep(LOOK).await;
        }
    }

    /// What a script of these statements returns, run in the page.
    pub async fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({"script": script, "args": []})).await
    }

    /// Goes on inside of a frame, until a page is opened.
    pub async fn enter(&self, selector: &str) {
        let element = self.find(selector).await;
        let id = element.trim_start_matches("/element/");
        self.post("/frame", &json!({"id": {ELEMENT: id}})).await;
    }

    /// What was written to the console since it was asked for.
    pub async fn console(&self) -> Vec<String> {
        let entries = self.post("/se/log", &json!({"type": "browser"})).await;
        let entries = entries.as_array().expect("a list of entries").iter();
        entries.map(|entry| text_of(&entry["message"])).collect()
    }

    /// The path of the first element that a CSS selector finds.
    async fn find(&self, selector: &str) -> String {
        let search = json!({"using": "css selector", "value": selector});
        let element = self.post("/element", &search).await;
        format!("/element/{}", text_of(&element[ELEMENT]))
    }

    async fn get(&self, path: &str) -> Value {
        self.ask(Method::GET, path, None).await.expect("the browser obeys")
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let answer = self.ask(Method::POST, path, Some(body)).await;
        answer.expect("the browser obeys")
    }

    /// A command, and what it answered, or what was asked and what went wrong.
    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, String> {
        let asked = format!("{method} {path} {}", body.unwrap_or(&Value::Null));
        let request = self.http.request(method, format!("{}{path}", self.session));
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let failed = |error: reqwest::Error| format!("{asked}: {error:?}");
        let answer = request.send().await.map_err(failed)?;
        let is_good = answer.status().is_success();
        let mut answer: Value = answer.json().await.map_err(failed)?;
        let value = answer["value"].take();
        if is_good {
            Ok(value)
        } else {
            Err(format!("{asked}: {} ({})", value["message"], value["error"]))
        }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        drop(self.driver.take());
        remove(&self.folder);
    }
}

/// Where the driver says that it listens.
fn port(log: &Path) -> Option<u16> {
    let text = fs::read_to_string(log).ok()?;
    let (_, rest) = text.split_once("started successfully on port ")?;
    rest.split_once('.')?.0.parse().ok()
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn milliseconds(time: Duration) -> u64 {
    time.as_secs() * 1_000
}
