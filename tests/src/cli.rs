//! The command line as a person or a script uses it.

use std::path::Path;

use serde_json::Value;
use tokio::process::Command;

/// What a command did.
#[derive(Debug)]
pub struct Outcome {
    /// 0 done, 1 refused, 2 wrong usage, 3 the system cannot be reached.
    pub exit: i32,
    /// The objects that it answered, one a line.
    pub json: Vec<Value>,
    /// What it told the person.
    pub stderr: String,
}

impl Outcome {
    pub(crate) async fn of(binary: &str, data_dir: &Path, arguments: &[&str]) -> Self {
        let output = Command::new(binary)
            .args(arguments)
            .arg("--json")
            .arg("--data-dir")
            .arg(data_dir)
            .env_remove("PORTCULLIS_CORE_URL")
            .env_remove("PORTCULLIS_SESSION_URL")
            .env_remove("PORTCULLIS_SERVICE_KEY")
            .env_remove("PORTCULLIS_SERVICE_KEY_FILE")
            .output()
            .await
            .expect("the binary under test can be started");
        let stdout = String::from_utf8(output.stdout).expect("answers are UTF-8");
        let line = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line:?}"));
        Outcome {
            exit: output.status.code().unwrap_or(-1),
            json: stdout.lines().map(line).collect(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The one object of a command that was done.
    pub fn done(self) -> Value {
        assert_eq!((self.exit, self.json.len()), (0, 1), "{self:?}");
        self.json.into_iter().next().unwrap_or_default()
    }

    /// A text field of the one object of a command that was done.
    pub fn text(self, field: &str) -> String {
        let answer = self.done();
        let text = answer[field].as_str();
        text.unwrap_or_else(|| panic!("no {field} in {answer}")).to_owned()
    }
}
