//! Statements as PostgreSQL's log in JSON tells of them, with `log_statement = all`.

use serde_json::Value;

/// One statement, or several that were sent as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// With `$1`, `$2` … where it has parameters.
    pub text: String,
    /// As text; `None` is null.
    pub parameters: Vec<Option<String>>,
}

/// Statements in the order in which they began, of those connections that set `marker` first and from there on: what
/// one request of a tenant sends, without what the background sends meanwhile.
pub fn after_marker(log: &str, marker: &str) -> Vec<Statement> {
    let mut marked = Vec::new();
    let entries = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let statements = entries.filter_map(|entry| {
        let (process, statement) = (entry["pid"].as_i64()?, read(&entry)?);
        if statement.text.contains(marker) {
            marked.push(process);
        }
        marked.contains(&process).then_some(statement)
    });
    statements.collect()
}

/// `statement: …` of the simple protocol, `execute <name>: …` of the extended one.
fn read(entry: &Value) -> Option<Statement> {
    let message = entry["message"].as_str()?;
    let text = match message.strip_prefix("statement: ") {
        Some(text) => text,
        None => message.strip_prefix("execute ")?.split_once(": ")?.1,
    };
    Some(Statement {
        text: text.to_owned(),
        parameters: parameters(entry["detail"].as_str().unwrap_or_default()),
    })
}

/// The values of `parameters: $1 = 'it''s', $2 = NULL`.
fn parameters(detail: &str) -> Vec<Option<String>> {
    let mut found = Vec::new();
    let mut rest = detail;
    while let Some(begin) = rest.find(&format!("${} = ", found.len() + 1)) {
        rest = &rest[begin..];
        rest = rest.split_once(" = ").map_or("", |(_, value)| value);
        let Some(quoted) = rest.strip_prefix('\'') else {
            found.push(None);
            continue;
        };
        let end = end_of(quoted);
        found.push(Some(quoted[..end].replace("''", "'")));
        rest = &quoted[end..];
    }
    found
}

/// Where a quoted text ends: two quotes are one of its characters.
fn end_of(quoted: &str) -> usize {
    let mut quotes = quoted.match_indices('\'').map(|(at, _)| at).peekable();
    while let Some(at) = quotes.next() {
        if quotes.next_if_eq(&(at + 1)).is_none() {
            return at;
        }
    }
    quoted.len()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parameters_are_read_with_quotes_and_nulls() {
        let check = |detail: &str, expect: &[Option<&str>]| {
            let expect: Vec<_> = expect.iter().map(|value| value.map(str::to_owned)).collect();
            assert_eq!(parameters(detail), expect, "{detail}");
        };
        check("", &[]);
        check("parameters: $1 = 'a', $2 = NULL, $3 = ''", &[Some("a"), None, Some("")]);
        check("Parameters: $1 = 'it''s', $2 = '''''", &[Some("it's"), Some("''")]);
        check(
            "parameters: $1 = 'x, $2 = ''y''', $2 = '{\"a\": 1}'",
            &[Some("x, $2 = 'y'"), Some("{\"a\": 1}")],
        );
    }

    #[test]
    fn a_connection_counts_from_its_marker_on() {
        let line = |pid: i64, message: &str, detail: &str| json!({"pid": pid, "message": message, "detail": detail});
        let log = [
            line(1, "statement: SET ROLE x", ""),
            line(2, "execute s1: SELECT elsewhere", ""),
            line(1, "statement: SET tenant = 't'; SET b = on", ""),
            line(2, "statement: SET tenant = 'u'", ""),
            line(1, "execute sqlx_s_1: SELECT: $1", "parameters: $1 = '7'"),
            line(1, "duration: 3 ms", ""),
        ];
        let log: String = log.iter().map(|line| format!("{line}\n")).collect();
        let statement = |text: &str, parameters: &[&str]| Statement {
            text: text.to_owned(),
            parameters: parameters.iter().map(|value| Some((*value).to_owned())).collect(),
        };
        assert_eq!(
            after_marker(&log, "tenant = 't'"),
            [
                statement("SET tenant = 't'; SET b = on", &[]),
                statement("SELECT: $1", &["7"])
            ]
        );
    }
}
