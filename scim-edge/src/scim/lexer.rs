//! The tokens of filters and PATCH paths: RFC 7644 sections 3.4.2.2 and 3.5.2, each with its byte offset.

use serde_json::Value as Json;

/// One token. Operators and keywords are words: only their place tells them from attribute names.
#[derive(Clone, Debug, PartialEq)]
pub enum Token<'a> {
    Open,
    Close,
    OpenBracket,
    CloseBracket,
    /// A dot that begins a token, as in `emails[…].value`.
    Dot,
    /// An attribute path, an operator or a keyword, as written.
    Word(&'a str),
    /// A JSON string or number.
    Literal(Json),
}

/// What is wrong, and at which byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub offset: usize,
    pub what: String,
}

/// Cuts text into tokens.
pub struct Lexer<'a> {
    text: &'a str,
    position: usize,
}

impl<'a> Lexer<'a> {
    /// Starts at the first byte.
    pub fn new(text: &'a str) -> Self {
        Lexer { text, position: 0 }
    }

    /// The next token and its offset; `None` at the end.
    pub fn token(&mut self) -> Result<Option<(usize, Token<'a>)>, Fault> {
        let rest = self.text[self.position..].trim_start_matches([' ', '\t']);
        let offset = self.text.len() - rest.len();
        let Some(first) = rest.chars().next() else {
            self.position = offset;
            return Ok(None);
        };
        let (token, length) = match first {
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            '[' => (Token::OpenBracket, 1),
            ']' => (Token::CloseBracket, 1),
            '.' => (Token::Dot, 1),
            '"' => string(rest, offset)?,
            '-' | '0'..='9' => number(rest, offset)?,
            first if is_word(first) => {
                let length = rest.find(|next| !is_word(next)).unwrap_or(rest.len());
                (Token::Word(&rest[..length]), length)
            }
            '\'' => return fault(offset, "text is put in double quotes, not in single ones"),
            other => return fault(offset, format!("the character {other:?} means nothing here")),
        };
        self.position = offset + length;
        Ok(Some((offset, token)))
    }

    /// How long the text is.
    pub fn end(&self) -> usize {
        self.text.len()
    }
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '$' | ':' | '.')
}

fn string(rest: &str, offset: usize) -> Result<(Token<'_>, usize), Fault> {
    let mut escaped = false;
    let end = rest.bytes().skip(1).position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    });
    let Some(end) = end else {
        return fault(offset, "the text that begins here has no closing quote");
    };
    let length = end + 2;
    match serde_json::from_str::<String>(&rest[..length]) {
        Ok(text) if text.contains('\0') => fault(offset, "the text holds the character U+0000"),
        Ok(text) => Ok((Token::Literal(Json::String(text)), length)),
        Err(_) => fault(
            offset,
            "the text is no JSON string: check its escapes and control characters",
        ),
    }
}

fn number(rest: &str, offset: usize) -> Result<(Token<'_>, usize), Fault> {
    let length = rest
        .find(|next: char| !(next.is_ascii_alphanumeric() || matches!(next, '+' | '-' | '.')))
        .unwrap_or(rest.len());
    match serde_json::from_str::<serde_json::Number>(&rest[..length]) {
        Ok(number) => Ok((Token::Literal(Json::Number(number)), length)),
        Err(_) => fault(offset, format!("{} is no number", &rest[..length])),
    }
}

fn fault<T>(offset: usize, what: impl Into<String>) -> Result<T, Fault> {
    Err(Fault {
        offset,
        what: what.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Result<Vec<(usize, Token<'_>)>, Fault> {
        let mut lexer = Lexer::new(text);
        std::iter::from_fn(|| lexer.token().transpose()).collect()
    }

    #[test]
    fn every_kind_of_token_has_its_offset() {
        let expected = vec![
            (0, Token::Word("emails")),
            (6, Token::OpenBracket),
            (7, Token::Word("type")),
            (12, Token::Word("eq")),
            (15, Token::Literal("a\"é\\".into())),
            (24, Token::CloseBracket),
            (25, Token::Dot),
            (26, Token::Word("value")),
            (32, Token::Word("gt")),
            (35, Token::Literal((-5).into())),
            (38, Token::Open),
            (39, Token::Close),
            (41, Token::Word("urn:x:2.0:$ref")),
        ];
        assert_eq!(
            tokens(r#"emails[type eq "a\"é\\"].value gt -5 () urn:x:2.0:$ref"#),
            Ok(expected)
        );
        assert_eq!(tokens("  \t "), Ok(vec![]));
        assert_eq!(tokens(r#""\u0041\/""#), Ok(vec![(0, Token::Literal("A/".into()))]));
    }

    #[test]
    fn what_is_no_token_is_named_with_its_offset() {
        for (text, offset, what) in [
            ("a eq 'x'", 5, "double quotes"),
            ("a eq \"x", 5, "no closing quote"),
            (r#"a eq "\x""#, 5, "escapes"),
            (r#"a eq "\ud800""#, 5, "escapes"),
            (r#"a eq "\u0000""#, 5, "U+0000"),
            ("a eq 1x", 5, "no number"),
            ("a eq 01", 5, "no number"),
            ("a = 1", 2, "'='"),
            ("é", 0, "'é'"),
        ] {
            let fault = tokens(text).unwrap_err();
            assert_eq!(fault.offset, offset, "{text}");
            assert!(fault.what.contains(what), "{text}: {}", fault.what);
        }
    }
}
