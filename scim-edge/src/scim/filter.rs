//! Filters: RFC 7644 section 3.4.2.2, text to AST by recursive descent. `not` binds tighter than `and`, `and` tighter
//! than `or`; keywords, operators and names in any case. Names are resolved and values checked as they are read, so the
//! AST is canonical. Nesting is counted: the stack never grows with the input.

use identity_proto::filter::{MAX_DEPTH, MAX_NODES, MAX_TEXT};
use identity_proto::identity::v1::Quirk;
use identity_proto::identity::v1::filter::Expression;
use identity_proto::identity::v1::{AttributePath, ErrorReason, Filter};
use identity_proto::schema::{Attribute, ENTERPRISE_URN, ResourceType, Target};
use serde_json::Value as Json;

use super::comparison::{self, Name};
use super::lexer::{Fault, Lexer, Token};
use super::path;
use super::quirks::Quirks;
use super::{Refusal, Result};

/// Parses a filter on resources of this type.
pub fn parse(resource: &'static ResourceType, text: &str, quirks: Quirks) -> Result<Filter> {
    let parser = Parser::new(resource, text, quirks, ErrorReason::InvalidFilter)?;
    parser.whole_filter()
}

/// Parses a filter on resources of two types into what it asks of the first: RFC 7644 section 3.4.2.1. An attribute that
/// only the second has is known and its conditions are checked, but it is absent.
pub fn parse_among(
    resource: &'static ResourceType,
    other: &'static ResourceType,
    text: &str,
    quirks: Quirks,
) -> Result<Filter> {
    let mut parser = Parser::new(resource, text, quirks, ErrorReason::InvalidFilter)?;
    parser.other = Some(other);
    parser.whole_filter()
}

/// Where names are looked up.
#[derive(Clone, Copy)]
enum Scope {
    Resource,
    /// Inside the brackets of a multi-valued attribute.
    Element(&'static Attribute),
}

/// A parser of filters and, for [`path`], of what holds filters.
pub struct Parser<'a> {
    resource: &'static ResourceType,
    /// The type whose attributes are known too, and absent.
    other: Option<&'static ResourceType>,
    quirks: Quirks,
    reason: ErrorReason,
    lexer: Lexer<'a>,
    peeked: Option<(usize, Token<'a>)>,
    depth: usize,
}

impl<'a> Parser<'a> {
    /// Starts on text of at most [`MAX_TEXT`] bytes; faults are refused for `reason`.
    pub fn new(resource: &'static ResourceType, text: &'a str, quirks: Quirks, reason: ErrorReason) -> Result<Self> {
        if text.len() > MAX_TEXT {
            let detail = format!("The {} is longer than {MAX_TEXT} bytes: shorten it.", subject(reason));
            return Err(Refusal::new(reason, detail));
        }
        let mut parser = Parser {
            resource,
            other: None,
            quirks,
            reason,
            lexer: Lexer::new(text),
            peeked: None,
            depth: 0,
        };
        parser.advance()?;
        Ok(parser)
    }

    fn whole_filter(mut self) -> Result<Filter> {
        let filter = self.disjunction(Scope::Resource)?;
        self.finish()?;
        within_limits(filter)
    }

    fn disjunction(&mut self, scope: Scope) -> Result<Filter> {
        let mut filters = vec![self.conjunction(scope)?];
        while self.keyword("or")? {
            filters.push(self.conjunction(scope)?);
        }
        Ok(Filter::or(filters))
    }

    fn conjunction(&mut self, scope: Scope) -> Result<Filter> {
        let mut filters = vec![self.term(scope)?];
        while self.keyword("and")? {
            filters.push(self.term(scope)?);
        }
        Ok(Filter::and(filters))
    }

    fn term(&mut self, scope: Scope) -> Result<Filter> {
        if self.keyword("not")? {
            if !self.take(&Token::Open)? {
                return Err(self.expected("an opening parenthesis after \"not\""));
            }
            return Ok(Filter::not(self.group(scope)?));
        }
        if self.take(&Token::Open)? {
            return self.group(scope);
        }
        let (offset, word) = self.word("an attribute name")?;
        let name = self.name(offset, word, scope)?;
        if self.take(&Token::OpenBracket)? {
            return self.value_path(offset, &name, scope);
        }
        self.condition(&name)
    }

    /// What follows an opening parenthesis.
    fn group(&mut self, scope: Scope) -> Result<Filter> {
        self.enter()?;
        let filter = self.disjunction(scope)?;
        self.depth -= 1;
        if self.take(&Token::Close)? {
            Ok(filter)
        } else {
            Err(self.expected("\"and\", \"or\" or a closing parenthesis"))
        }
    }

    fn value_path(&mut self, offset: usize, name: &Name, scope: Scope) -> Result<Filter> {
        if let Scope::Element(_) = scope {
            return Err(self.wrong(offset, "a value filter cannot stand inside another"));
        }
        if !name.path.sub_attribute.is_empty() {
            return Err(self.wrong(
                offset,
                format!("{} is a sub-attribute and takes no value filter", name.text),
            ));
        }
        let inner = self.value_filter(name.attribute, &name.text)?;
        let inner = if self.take(&Token::Dot)? {
            self.with_condition_behind(inner, name)?
        } else {
            inner
        };
        if name.is_absent {
            return Ok(comparison::constant(false));
        }
        Ok(Filter::value_path(name.path.clone(), inner))
    }

    /// `emails[type eq "work"].value eq "x"` means `emails[type eq "work" and value eq "x"]`.
    fn with_condition_behind(&mut self, inner: Filter, name: &Name) -> Result<Filter> {
        let (offset, sub) = self.word("a sub-attribute name")?;
        if !self.quirks.has(Quirk::ConditionBehindValueFilter) {
            let what = format!("a condition on .{sub} belongs inside the brackets: [… and {sub} …]");
            return Err(self.wrong(offset, what));
        }
        let sub = self.name(offset, sub, Scope::Element(name.attribute))?;
        let condition = self.condition(&sub)?;
        Ok(match inner.expression {
            Some(Expression::And(mut list)) => {
                list.filters.push(condition);
                Filter::and(list.filters)
            }
            _ => Filter::and(vec![inner, condition]),
        })
    }

    /// What follows an opening bracket behind `attribute`, with the closing one.
    pub fn value_filter(&mut self, attribute: &'static Attribute, name: &str) -> Result<Filter> {
        if !attribute.multi_valued || attribute.sub_attributes.is_empty() {
            let detail = format!("{name} is not multi-valued and takes no value filter: write {name}.sub-attribute.");
            return Err(Refusal::new(self.reason, detail));
        }
        let reason = std::mem::replace(&mut self.reason, ErrorReason::InvalidFilter);
        self.enter()?;
        let filter = self.disjunction(Scope::Element(attribute))?;
        self.depth -= 1;
        if !self.take(&Token::CloseBracket)? {
            return Err(self.expected("\"and\", \"or\" or a closing bracket"));
        }
        self.reason = reason;
        within_limits(filter)
    }

    /// The operator, and the value unless it is `pr`.
    fn condition(&mut self, name: &Name) -> Result<Filter> {
        let (offset, word) = self.word("an operator")?;
        if word.eq_ignore_ascii_case("pr") {
            return comparison::present(name);
        }
        let Some(operator) = comparison::operator(word) else {
            let what = format!("{word:?} is no operator: use eq, ne, co, sw, ew, gt, ge, lt, le or pr");
            return Err(self.wrong(offset, what));
        };
        let value = match self.peeked.take() {
            Some((_, Token::Literal(value))) => value,
            Some((_, Token::Word(word))) if word.eq_ignore_ascii_case("true") => Json::Bool(true),
            Some((_, Token::Word(word))) if word.eq_ignore_ascii_case("false") => Json::Bool(false),
            Some((_, Token::Word(word))) if word.eq_ignore_ascii_case("null") => Json::Null,
            other => {
                self.peeked = other;
                return Err(self.expected("a value: text in double quotes, a number, true, false or null"));
            }
        };
        self.advance()?;
        comparison::compare(name, operator, value, self.quirks)
    }

    fn name(&self, offset: usize, word: &str, scope: Scope) -> Result<Name> {
        let found = match scope {
            Scope::Element(attribute) => attribute
                .sub_attribute(word)
                .map(|sub| (AttributePath::core(sub.name), Target::Attribute(sub, None))),
            Scope::Resource => self.resolve(self.resource, word),
        };
        let is_absent = found.is_none();
        let found = found.or_else(|| match (scope, self.other) {
            (Scope::Resource, Some(other)) => self.resolve(other, word),
            _ => None,
        });
        match found {
            Some((path, Target::Attribute(attribute, sub))) => Ok(Name {
                path,
                attribute,
                leaf: sub.unwrap_or(attribute),
                is_absent,
                text: word.to_owned(),
            }),
            Some((_, Target::Extension(_))) => {
                Err(self.wrong(offset, format!("{word} is a schema: name one of its attributes")))
            }
            None => Err(self.wrong(offset, format!("{word:?} is no known attribute"))),
        }
    }

    fn resolve(&self, resource: &'static ResourceType, word: &str) -> Option<(AttributePath, Target)> {
        let is_bare_manager = || self.quirks.has(Quirk::ManagerForms) && word.eq_ignore_ascii_case("manager");
        path::resolve(resource, word).or_else(|| {
            let manager = is_bare_manager().then(|| resource.resolve(ENTERPRISE_URN, word, ""));
            manager.flatten()
        })
    }

    fn enter(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(too_large());
        }
        Ok(())
    }

    /// Takes a keyword if it comes next and something that a keyword can stand before follows.
    fn keyword(&mut self, keyword: &str) -> Result<bool> {
        match &self.peeked {
            Some((_, Token::Word(word))) if word.eq_ignore_ascii_case(keyword) => self.advance().map(|()| true),
            _ => Ok(false),
        }
    }

    /// Takes this token if it comes next.
    pub fn take(&mut self, token: &Token<'_>) -> Result<bool> {
        match &self.peeked {
            Some((_, next)) if next == token => self.advance().map(|()| true),
            _ => Ok(false),
        }
    }

    /// Takes a word, or says that `what` was expected.
    pub fn word(&mut self, what: &str) -> Result<(usize, &'a str)> {
        let Some((offset, Token::Word(word))) = self.peeked else {
            return Err(self.expected(what));
        };
        self.advance()?;
        Ok((offset, word))
    }

    /// Refuses anything that is left over.
    pub fn finish(&self) -> Result<()> {
        match self.peeked {
            None => Ok(()),
            Some(_) => Err(self.expected("the end")),
        }
    }

    fn advance(&mut self) -> Result<()> {
        self.peeked = match self.lexer.token() {
            Ok(token) => token,
            Err(Fault { offset, what }) => return Err(self.wrong(offset, what)),
        };
        Ok(())
    }

    fn expected(&self, what: &str) -> Refusal {
        let offset = self.peeked.as_ref().map_or(self.lexer.end(), |(offset, _)| *offset);
        self.wrong(offset, format!("{what} is expected there"))
    }

    fn wrong(&self, offset: usize, what: impl AsRef<str>) -> Refusal {
        let subject = subject(self.reason);
        Refusal::new(
            self.reason,
            format!("The {subject} is wrong at byte {offset}: {}.", what.as_ref()),
        )
    }
}

fn subject(reason: ErrorReason) -> &'static str {
    match reason {
        ErrorReason::InvalidPath => "path",
        _ => "filter",
    }
}

fn within_limits(filter: Filter) -> Result<Filter> {
    if filter.within_limits() {
        Ok(filter)
    } else {
        Err(too_large())
    }
}

fn too_large() -> Refusal {
    Refusal::filter(format!(
        "The filter is nested deeper than {MAX_DEPTH} levels or has more than {MAX_NODES} expressions: simplify it."
    ))
}

#[cfg(test)]
mod tests;
