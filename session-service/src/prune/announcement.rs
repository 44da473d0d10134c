//! An entry of a bucket's stream, as the core announces that access changed: `identity_proto::access::entry` names its fields.

use identity_proto::access::entry;
use redis::streams::StreamId;
use uuid::Uuid;

/// What the entry says. Ids and epoch are as Redis has them in its keys.
pub(super) struct Announcement {
    pub(super) tenant: String,
    /// Empty: the whole tenant.
    pub(super) user: String,
    pub(super) epoch: String,
    pub(super) request: String,
    pub(super) trace: String,
}

impl Announcement {
    /// Reads an entry, or says what is wrong with it. Strictly: what pruning would not find is not taken for pruned.
    pub(super) fn read(id: &StreamId) -> Result<Self, String> {
        let field = |name: &str| id.get::<String>(name);
        let needed = |name: &str, is_right: fn(&str) -> bool, what: &str| match field(name) {
            Some(value) if is_right(&value) => Ok(value),
            Some(_) => Err(format!("the field {name} is not {what}")),
            None => Err(format!("the field {name} is missing or is no text")),
        };
        Ok(Announcement {
            tenant: needed(entry::TENANT, is_id, "an id of 32 hex digits")?,
            user: needed(
                entry::USER,
                |user| user.is_empty() || is_id(user),
                "an id of 32 hex digits, or empty",
            )?,
            epoch: needed(entry::EPOCH, is_epoch, "a number above 0")?,
            request: field(entry::REQUEST).unwrap_or_default(),
            trace: field(entry::TRACE).unwrap_or_default(),
        })
    }
}

fn is_id(text: &str) -> bool {
    Uuid::try_parse(text).is_ok_and(|id| id.simple().to_string() == text)
}

fn is_epoch(text: &str) -> bool {
    text.parse::<i64>()
        .is_ok_and(|epoch| epoch > 0 && epoch.to_string() == text)
}

#[cfg(test)]
mod tests {
    use redis::Value;

    use super::*;

    const ID: &str = "00000000000000000000000000000001";

    fn entry(fields: &[(&str, &str)]) -> StreamId {
        let value = |value: &str| Value::BulkString(value.as_bytes().to_vec());
        StreamId {
            id: "1-0".to_owned(),
            map: fields
                .iter()
                .map(|(name, text)| ((*name).to_owned(), value(text)))
                .collect(),
            ..StreamId::default()
        }
    }

    #[test]
    fn an_entry_is_read_or_it_is_said_what_is_wrong() {
        let check = |tenant: &str, user: &str, epoch: &str, expect: Option<&str>| {
            let read = Announcement::read(&entry(&[("tenant", tenant), ("user", user), ("epoch", epoch)]));
            let wrong = read.err();
            assert_eq!(wrong.is_some(), expect.is_some(), "{tenant} {user} {epoch}: {wrong:?}");
            let (said, field) = (wrong.unwrap_or_default(), expect.unwrap_or_default());
            assert!(said.contains(field), "{tenant} {user} {epoch}: {said}");
        };
        check(ID, ID, "1790000000000000", None);
        check(ID, "", "1", None);
        check("x", ID, "1", Some("tenant"));
        check("", ID, "1", Some("tenant"));
        check("00000000-0000-0000-0000-000000000001", ID, "1", Some("tenant"));
        check(&ID.replace('1', "A"), ID, "1", Some("tenant"));
        check(ID, "nobody", "1", Some("user"));
        for wrong in ["", "0", "-1", "+1", "01", "1.5", "9223372036854775808", "x"] {
            check(ID, ID, wrong, Some("epoch"));
        }
    }

    #[test]
    fn what_is_missing_is_named_and_what_is_new_does_no_harm() {
        let check = |fields: &[(&str, &str)], expect: Option<&str>| {
            let wrong = Announcement::read(&entry(fields)).err();
            assert_eq!(wrong.is_some(), expect.is_some(), "{fields:?}");
            assert!(
                wrong.unwrap_or_default().contains(expect.unwrap_or_default()),
                "{fields:?}"
            );
        };
        check(&[], Some("tenant"));
        check(&[("tenant", ID), ("epoch", "1")], Some("user"));
        check(&[("tenant", ID), ("user", ID)], Some("epoch"));
        check(
            &[("tenant", ID), ("user", ID), ("epoch", "1"), ("of-tomorrow", "x")],
            None,
        );
    }
}
