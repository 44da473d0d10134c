//! Query parameters: RFC 7644 sections 3.4.2 and 3.9. Unknown ones are ignored, as identity providers put their own
//! flags there.

use identity_proto::schema::ResourceType;

use super::projection::Projection;
use super::{Refusal, Result};

/// How many resources a page holds when the client does not say.
pub const DEFAULT_COUNT: i32 = 100;
/// How many resources a page holds at most.
pub const MAX_COUNT: i32 = 1_000;
/// The largest number that JSON carries exactly everywhere.
const MAX_START: i64 = 9_007_199_254_740_991;

/// The parameters that mean something here, decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    pub filter: Option<String>,
    pub(super) start_index: Option<String>,
    pub(super) count: Option<String>,
    pub(super) attributes: Option<String>,
    pub(super) excluded_attributes: Option<String>,
}

/// Which part of the results is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// 1 or more.
    pub start_index: i64,
    /// 0 to [`MAX_COUNT`]; 0 asks for the number of results alone.
    pub count: i32,
}

impl Query {
    /// Reads a query string, without its question mark.
    pub fn parse(text: &str) -> Result<Self> {
        let mut query = Query::default();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            let slot = match name.to_ascii_lowercase().as_str() {
                "filter" => &mut query.filter,
                "startindex" => &mut query.start_index,
                "count" => &mut query.count,
                "attributes" => &mut query.attributes,
                "excludedattributes" => &mut query.excluded_attributes,
                _ => continue,
            };
            if slot.replace(value).is_some() {
                return Err(Refusal::value(format!(
                    "The query parameter {name} is given twice: keep one."
                )));
            }
        }
        Ok(query)
    }

    /// The page that is asked for; numbers out of range are moved into it, as the RFC says.
    pub fn page(&self) -> Result<Page> {
        let start_index = integer("startIndex", self.start_index.as_deref(), 1)?.clamp(1, MAX_START);
        let count = integer("count", self.count.as_deref(), DEFAULT_COUNT.into())?.clamp(0, MAX_COUNT.into());
        Ok(Page {
            start_index,
            count: i32::try_from(count).unwrap_or(MAX_COUNT),
        })
    }

    /// The attributes that are asked for.
    pub fn projection(&self, resource: &'static ResourceType) -> Result<Projection> {
        Projection::parse(
            resource,
            self.attributes.as_deref(),
            self.excluded_attributes.as_deref(),
        )
    }
}

/// The value of an integer; a number beyond 64 bits is the largest or smallest of them.
fn integer(name: &str, text: Option<&str>, default: i64) -> Result<i64> {
    let Some(text) = text.map(str::trim) else {
        return Ok(default);
    };
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::value(format!("{name} must be an integer, not {text:?}.")));
    }
    Ok(text
        .parse()
        .unwrap_or(if text.starts_with('-') { i64::MIN } else { i64::MAX }))
}

/// Percent-decoding as in forms: `+` is a space.
fn decode(text: &str) -> Result<String> {
    let malformed = || Refusal::syntax(format!("The query string is not percent-encoded correctly: {text:?}."));
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16));
                let (high, low) = (digit().ok_or_else(malformed)?, digit().ok_or_else(malformed)?);
                u8::try_from(high << 4 | low).map_err(|_| malformed())?
            }
            other => other,
        });
    }
    String::from_utf8(decoded).map_err(|_| malformed())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(text: &str) -> std::result::Result<(i64, i32), String> {
        let page = Query::parse(text).and_then(|query| query.page());
        page.map(|page| (page.start_index, page.count))
            .map_err(|refusal| refusal.detail)
    }

    #[test]
    fn pages_are_moved_into_range() {
        for (text, expect) in [
            ("", (1, 100)),
            ("startIndex=0&count=-1", (1, 0)),
            ("startIndex=-5&count=0", (1, 0)),
            ("startIndex=6&count=5", (6, 5)),
            ("STARTINDEX=6&Count=1001", (6, 1_000)),
            ("count=2147483648", (1, 1_000)),
            ("count=99999999999999999999999", (1, 1_000)),
            ("startIndex=99999999999999999999999", (MAX_START, 100)),
            ("startIndex=-99999999999999999999999", (1, 100)),
            ("aadOptscim062020&x=y", (1, 100)),
        ] {
            assert_eq!(page(text), Ok(expect), "{text}");
        }
        for text in [
            "count=x",
            "count=",
            "startIndex=1e3",
            "count=1.5",
            "count=-",
            "startIndex=0x10",
        ] {
            assert!(page(text).unwrap_err().contains("must be an integer"), "{text}");
        }
    }

    #[test]
    fn values_are_decoded_as_in_forms() {
        for (text, filter) in [
            ("filter=userName+eq+%22a%40b%22&", Some("userName eq \"a@b\"")),
            ("&&filter=a%2Bb", Some("a+b")),
            ("filter=%C3%A9%F0%9F%99%82", Some("é\u{1F642}")),
            ("filter=a=b=c", Some("a=b=c")),
            ("filter", Some("")),
            ("filte=x", None),
        ] {
            assert_eq!(Query::parse(text).unwrap().filter.as_deref(), filter, "{text}");
        }
        for text in [
            "filter=%",
            "filter=%2",
            "filter=%zz",
            "filter=%ff",
            "x=%C3",
            "%zz=x",
            "filter=%+1",
        ] {
            assert!(Query::parse(text).is_err(), "{text}");
        }
        assert!(Query::parse("filter=a&filter=b").is_err());
        assert!(Query::parse("x=a&x=b").is_ok());
    }
}
