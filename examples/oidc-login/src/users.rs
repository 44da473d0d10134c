//! Which provisioned user somebody is. By one attribute, which is configured for the tenant: what does not match by that is not
//! tried by another, since whoever can choose a user name or an address could then choose whom to be.

use identity_proto::identity::v1::comparison::Operator;
use identity_proto::identity::v1::value::Kind;
use identity_proto::identity::v1::{AttributePath, Filter, Value};
use serde::Deserialize;

use crate::refusal::Refusal;

/// The attribute of the user, and the claim of the ID token that must equal it.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "attribute", rename_all = "camelCase", deny_unknown_fields)]
pub enum Match {
    UserName {
        claim: String,
    },
    ExternalId {
        claim: String,
    },
    /// `email`, when the provider says that it is verified, against the addresses of the type "work".
    WorkEmail,
    /// The same against the primary address.
    PrimaryEmail,
}

impl Match {
    /// The users that the claims of a verified ID token may mean. Who calls lets in only where it is exactly one.
    pub fn filter(&self, claims: &serde_json::Value) -> Result<Filter, Refusal> {
        let path = AttributePath::core;
        match self {
            Match::UserName { claim } => Ok(Filter::eq(path("userName"), text(claims, claim)?)),
            Match::ExternalId { claim } => Ok(Filter::eq(path("externalId"), text(claims, claim)?)),
            Match::WorkEmail => email(claims, Filter::eq(path("type"), "work")),
            Match::PrimaryEmail => {
                let yes = Value {
                    kind: Some(Kind::Boolean(true)),
                };
                email(claims, Filter::compare(path("primary"), Operator::Eq, yes))
            }
        }
    }
}

/// One and the same address is of that kind and has that value.
fn email(claims: &serde_json::Value, kind: Filter) -> Result<Filter, Refusal> {
    let address = text(claims, "email")?;
    if claims["email_verified"] != true {
        return Err(Refusal::EmailUnverified);
    }
    let value = Filter::eq(AttributePath::core("value"), address);
    Ok(Filter::value_path(
        AttributePath::core("emails"),
        Filter::and(vec![kind, value]),
    ))
}

fn text<'a>(claims: &'a serde_json::Value, claim: &str) -> Result<&'a str, Refusal> {
    let value = claims[claim].as_str().filter(|value| !value.is_empty());
    value.ok_or_else(|| Refusal::ClaimMissing(claim.to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn claims_become_a_filter_or_nothing() {
        let claims = json!({
            "sub": "00u1", "preferred_username": "ann@example.com", "email": "ann@example.com", "email_verified": true,
            "oid": "", "groups": ["a"],
        });
        let check = |rule: serde_json::Value, expect: Option<&str>| {
            let rule: Match = serde_json::from_value(rule).expect("a rule");
            let filter = rule.filter(&claims).ok().map(|filter| filter.to_string());
            assert_eq!(filter.as_deref(), expect, "{rule:?}");
        };
        check(
            json!({"attribute": "userName", "claim": "preferred_username"}),
            Some(r#"userName eq "ann@example.com""#),
        );
        check(
            json!({"attribute": "externalId", "claim": "sub"}),
            Some(r#"externalId eq "00u1""#),
        );
        check(
            json!({"attribute": "workEmail"}),
            Some(r#"emails[type eq "work" and value eq "ann@example.com"]"#),
        );
        check(
            json!({"attribute": "primaryEmail"}),
            Some(r#"emails[primary eq true and value eq "ann@example.com"]"#),
        );
        for claim in ["oid", "groups", "upn"] {
            check(json!({"attribute": "externalId", "claim": claim}), None);
        }
    }

    #[test]
    fn an_address_that_is_not_verified_is_nobodys() {
        for verified in [json!(false), json!(null), json!("true"), json!(1)] {
            let claims = json!({"email": "ann@example.com", "email_verified": verified});
            let refused = Match::WorkEmail.filter(&claims);
            assert!(matches!(refused, Err(Refusal::EmailUnverified)), "{verified}");
        }
    }
}
