//! `pgbench` scripts of recorded statements, with other values where a request would have others.
//!
//! Every value stays a parameter, as the driver sends it: constants become variables that the command line defines,
//! and what varies is computed from variables that the script sets.

use serde_json::Value;
use uuid::Uuid;

use super::statement::Statement;

/// A text in the recorded values, and the SQL expression of type text that stands for it in the script.
#[derive(Clone, Debug)]
pub enum Vary {
    /// Where the text is the whole value.
    Whole(String, String),
    /// Wherever the text occurs in a value.
    Within(String, String),
}

/// A script and the variables that it needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    pub text: String,
    pub variables: Vec<(String, String)>,
}

/// Which of the recorded statements are in the script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Those with parameters: what does the work.
    Alone,
    /// All of them: also settings, BEGIN and COMMIT, with what was sent as one in one round trip.
    AsSent,
}

/// The script of `statements` after the lines of `set`.
pub fn script(set: &str, statements: &[Statement], vary: &[Vary], extent: Extent) -> Script {
    let mut script = Script {
        text: set.to_owned(),
        variables: Vec::new(),
    };
    for (number, statement) in statements.iter().enumerate() {
        if !statement.parameters.is_empty() {
            let text = with_values(number, statement, vary, &mut script.variables);
            script.text += &[&text, ";\n"].concat();
        } else if extent == Extent::AsSent {
            script.text += &in_one_round_trip(&statement.text);
        }
    }
    script
}

fn in_one_round_trip(text: &str) -> String {
    let parts: Vec<&str> = text.split(';').map(str::trim).filter(|part| !part.is_empty()).collect();
    let lines = parts.iter().flat_map(|part| [part, ";\n"]).collect::<String>();
    match parts.len() {
        0 | 1 => lines,
        _ => format!("\\startpipeline\n{lines}\\endpipeline\n"),
    }
}

/// The statement with an expression in the place of each parameter.
fn with_values(number: usize, statement: &Statement, vary: &[Vary], variables: &mut Vec<(String, String)>) -> String {
    let mut text = statement.text.trim().trim_end_matches(';').to_owned();
    // From the last, so that $1 is not found in $12.
    for (index, value) in statement.parameters.iter().enumerate().rev() {
        let parameter = format!("${}", index + 1);
        let Some(value) = value else {
            text = text.replace(&parameter, "NULL");
            continue;
        };
        let expression = expression(&format!("p{number}_{}", index + 1), value, vary, variables);
        let typed = format!("{expression}{}", cast(value));
        // Where the statement says the type itself, it is not said twice; where nothing says it, any type will do. A boolean that
        // is to be a number is a boolean first.
        let number_of_boolean = matches!(value.as_str(), "t" | "f")
            .then_some("::boolean")
            .unwrap_or_default();
        text = text
            .replace(
                &format!("{parameter}::int"),
                &format!("{expression}{number_of_boolean}::int"),
            )
            .replace(&format!("{parameter} IS "), &format!("{expression}::text IS "))
            .replace(&format!("{parameter}::"), &format!("{expression}::"))
            .replace(&parameter, &typed);
    }
    text
}

/// A value as variables, and as expressions where it varies.
fn expression(name: &str, value: &str, vary: &[Vary], variables: &mut Vec<(String, String)>) -> String {
    for one in vary {
        match one {
            Vary::Whole(text, expression) if text == value => return expression.clone(),
            Vary::Within(text, expression) if text == value => return format!("({expression})"),
            _ => {}
        }
    }
    let mut pieces = vec![Piece::Constant(value)];
    for one in vary {
        if let Vary::Within(text, expression) = one {
            pieces = pieces
                .into_iter()
                .flat_map(|piece| piece.split(text, expression))
                .collect();
        }
    }
    let varies = pieces.len() > 1;
    let mut parts = Vec::new();
    for (index, piece) in pieces.into_iter().enumerate() {
        parts.push(match piece {
            Piece::Varying(expression) => expression.to_owned(),
            Piece::Constant(constant) => {
                let variable = if varies {
                    format!("{name}_{index}")
                } else {
                    name.to_owned()
                };
                variables.push((variable.clone(), constant.to_owned()));
                if varies {
                    format!(":{variable}::text")
                } else {
                    format!(":{variable}")
                }
            }
        });
    }
    if varies {
        format!("({})", parts.join(" || "))
    } else {
        parts.concat()
    }
}

enum Piece<'a> {
    Constant(&'a str),
    Varying(&'a str),
}

impl<'a> Piece<'a> {
    fn split(self, text: &str, expression: &'a str) -> Vec<Piece<'a>> {
        let Piece::Constant(constant) = self else {
            return vec![self];
        };
        let mut pieces = Vec::new();
        for (index, part) in constant.split(text).enumerate() {
            if index > 0 {
                pieces.push(Piece::Varying(expression));
            }
            if !part.is_empty() {
                pieces.push(Piece::Constant(part));
            }
        }
        pieces
    }
}

/// The type, where its text tells it: `pgbench` sends all values untyped, and PostgreSQL cannot infer every type.
fn cast(value: &str) -> &'static str {
    if Uuid::parse_str(value).is_ok() {
        "::uuid"
    } else if value.starts_with("\\x") {
        "::bytea"
    } else if ["t", "f"].contains(&value) {
        "::boolean"
    } else if value.starts_with('{') && serde_json::from_str::<Value>(value).is_ok() {
        "::jsonb"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01900000-0000-7000-8000-100000000613";

    fn statement(text: &str, parameters: &[Option<&str>]) -> Statement {
        Statement {
            text: text.to_owned(),
            parameters: parameters.iter().map(|value| value.map(str::to_owned)).collect(),
        }
    }

    fn check(statement: Statement, vary: &[Vary], text: &str, variables: &[(&str, &str)]) {
        let script = script("", &[statement], vary, Extent::Alone);
        let variables: Vec<_> = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        assert_eq!((script.text.as_str(), script.variables), (text, variables));
    }

    #[test]
    fn constants_become_variables_of_their_type() {
        check(
            statement(
                "SELECT $1, $2, $3, $4::text[], $5",
                &[Some(ID), Some("t"), None, Some("{}"), Some("{\"a\": 1}")],
            ),
            &[],
            "SELECT :p0_1::uuid, :p0_2::boolean, NULL, :p0_4::text[], :p0_5::jsonb;\n",
            &[("p0_5", "{\"a\": 1}"), ("p0_4", "{}"), ("p0_2", "t"), ("p0_1", ID)],
        );
    }

    #[test]
    fn a_test_for_null_says_no_type() {
        check(
            statement("SELECT $1 WHERE $1 IS NOT NULL", &[Some("7")]),
            &[],
            "SELECT :p0_1 WHERE :p0_1::text IS NOT NULL;\n",
            &[("p0_1", "7")],
        );
    }

    #[test]
    fn what_varies_is_computed() {
        let number = Vary::Within("100000000613".to_owned(), ":n::text".to_owned());
        check(
            statement("SELECT $1, $2", &[Some(ID), Some("100000000613")]),
            std::slice::from_ref(&number),
            "SELECT (:p0_1_0::text || :n::text)::uuid, (:n::text);\n",
            &[("p0_1_0", "01900000-0000-7000-8000-")],
        );
        let whole = Vary::Whole("13".to_owned(), ":skip".to_owned());
        check(
            statement("SELECT $1 OFFSET $2", &[Some("x13"), Some("13")]),
            &[whole],
            "SELECT :p0_1 OFFSET :skip;\n",
            &[("p0_1", "x13")],
        );
    }

    #[test]
    fn settings_are_left_out_or_sent_together() {
        let statements = [
            statement("SET a = 'b'; BEGIN", &[]),
            statement("SELECT $1", &[Some("x")]),
            statement("COMMIT", &[]),
        ];
        let text = |extent| script("\\set n 1\n", &statements, &[], extent).text;
        assert_eq!(text(Extent::Alone), "\\set n 1\nSELECT :p1_1;\n");
        assert_eq!(
            text(Extent::AsSent),
            "\\set n 1\n\\startpipeline\nSET a = 'b';\nBEGIN;\n\\endpipeline\nSELECT :p1_1;\nCOMMIT;\n"
        );
    }
}
