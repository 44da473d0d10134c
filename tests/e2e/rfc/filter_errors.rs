//! RFC 7644 section 3.4.2.2: what is refused as a filter, and what the refusal names.

use super::filters::{people, refuses};
use super::*;

/// Table 3: an operator that a type does not have, and a value of another type.
#[tokio::test]
async fn a_comparison_that_means_nothing_is_refused() {
    let scim = people().await;
    refuses(
        &scim,
        &[
            "active gt true",
            "active ge false",
            "active lt true",
            "active le false",
            "active co \"t\"",
            "active sw true",
            "x509Certificates.value gt \"a\"",
            "x509Certificates.value le \"a\"",
            "emails[primary gt false]",
            "name eq \"x\"",
            "name.givenName eq 5",
            "meta gt \"2020-01-01T00:00:00Z\"",
            "addresses eq \"x\"",
            "userName eq 5",
            "userName eq true",
            "active eq \"perhaps\"",
            "active eq 1",
            "externalId eq 1.5",
        ],
    )
    .await;
    refuses(&strict().await, &["active eq \"true\"", "emails[primary eq \"True\"]"]).await;
}

/// Figure 1: what is not in the grammar.
#[tokio::test]
async fn what_is_no_filter_is_refused() {
    let scim = people().await;
    refuses(
        &scim,
        &[
            "",
            " ",
            "userName",
            "userName eq",
            "eq \"x\"",
            "userName eq \"ann",
            "userName eq ann",
            "userName eq 'ann'",
            "userName is \"ann\"",
            "userName eq \"ann\" and",
            "and userName pr",
            "userName pr or or title pr",
            "(userName pr",
            "userName pr)",
            "emails[type pr",
            "emails type pr]",
            "userName eq \"ann\" \"bob\"",
            "userName eq \"a\\x\"",
            "userName eq \"\\ud800\"",
            "1user eq \"ann\"",
            "true eq \"x\"",
            "not eq \"x\"",
            "userName pr userName pr",
            "userName == \"ann\"",
            "userName eq \"ann\"; drop",
            "userName eq -",
            "userName.eq \"x\"",
            ".userName pr",
            "user-Name. pr",
        ],
    )
    .await;
}

/// Section 3.4.2.2 leaves it open: an attribute that does not exist is refused, so that no typing error finds nothing.
#[tokio::test]
async fn an_unknown_attribute_is_named() {
    let scim = people().await;
    for filter in [
        "favourite eq \"x\"",
        "name.nick eq \"x\"",
        "emails.verified eq true",
        "emails[verified eq true]",
        "department eq \"x\"",
    ] {
        let answer = scim.find(filter).await;
        is_error(&answer, &[400], "invalidFilter", filter);
        let name = filter
            .split([' ', '[', ']', '.'])
            .find(|word| ["favourite", "nick", "verified", "department"].contains(word));
        assert!(
            answer.json["detail"]
                .as_str()
                .unwrap_or_default()
                .contains(name.expect("a name")),
            "{answer:?}"
        );
    }
}

/// RFC 7643 section 7: `returned: never`, and what is computed.
#[tokio::test]
async fn what_is_never_returned_is_not_filtered_on() {
    refuses(
        &people().await,
        &[
            "password eq \"x\"",
            "password pr",
            "not (password pr)",
            &format!("{USER}:password ne \"x\""),
        ],
    )
    .await;
}
