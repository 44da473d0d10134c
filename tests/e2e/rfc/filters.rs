//! RFC 7644 section 3.4.2.2: filters. Each is sent by GET and by a search, and must find these users and no others.

use e2e::replay::variables::percent;
use serde_json::json;

use super::*;

/// Five users: ann, bob, Éva, o"k\ and %_.
pub async fn people() -> Scim {
    let scim = client().await;
    for attributes in [
        json!({"userName": "ann", "externalId": "Ext-1", "title": "Head", "active": true,
            "name": {"givenName": "Ann", "familyName": "Able"},
            "emails": [{"value": "ann@work.test", "type": "work", "primary": true}, {"value": "ann@home.test", "type": "home"}],
            "photos": [{"value": "https://x.test/Ann", "type": "photo"}],
            ENTERPRISE: {"department": "Sales", "manager": {"value": "Boss-1"}}}),
        json!({"userName": "bob", "active": false, "title": "head",
            "emails": [{"value": "bob@home.test", "type": "work"}, {"value": "bob@work.test", "type": "home"}],
            ENTERPRISE: {"department": "Support"}}),
        json!({"userName": "Éva", "externalId": "ext-1", "emails": [{"value": "eva@x.test"}]}),
        json!({"userName": "o\"k\\"}),
        json!({"userName": "%_", "title": ""}),
    ] {
        create(&scim, &attributes).await;
    }
    scim
}

async fn finds(scim: &Scim, table: &[(&str, &[&str])]) {
    for (filter, expect) in table {
        let mut expect = expect.to_vec();
        expect.sort_unstable();
        assert_eq!(names(&scim.find(filter).await), expect, "GET {filter}");
        let search = json!({"schemas": [SEARCH], "filter": filter});
        assert_eq!(
            names(&scim.post("/Users/.search", &search).await),
            expect,
            "POST {filter}"
        );
    }
}

pub async fn refuses(scim: &Scim, filters: &[&str]) {
    for filter in filters {
        is_error(&scim.find(filter).await, &[400], "invalidFilter", filter);
        let search = json!({"schemas": [SEARCH], "filter": filter});
        is_error(
            &scim.post("/Users/.search", &search).await,
            &[400],
            "invalidFilter",
            filter,
        );
    }
}

const ALL: &[&str] = &["ann", "bob", "Éva", "o\"k\\", "%_"];
const BUT_ANN: &[&str] = &["bob", "Éva", "o\"k\\", "%_"];

/// Table 3.
#[tokio::test]
async fn every_operator_finds_what_it_says() {
    let scim = people().await;
    finds(
        &scim,
        &[
            ("userName eq \"ann\"", &["ann"]),
            ("userName ne \"ann\"", BUT_ANN),
            ("userName co \"N\"", &["ann"]),
            ("userName sw \"b\"", &["bob"]),
            ("userName ew \"b\"", &["bob"]),
            ("userName ew \"a\"", &["Éva"]),
            ("userName gt \"ann\"", &["bob", "Éva", "o\"k\\"]),
            ("userName ge \"ann\"", &["ann", "bob", "Éva", "o\"k\\"]),
            ("userName lt \"ann\"", &["%_"]),
            ("userName le \"ann\"", &["ann", "%_"]),
            ("title pr", &["ann", "bob", "%_"]),
            ("name pr", &["ann"]),
            ("name.familyName eq \"able\"", &["ann"]),
            ("userName co \"%\"", &["%_"]),
            ("userName sw \"_\"", &[]),
            ("userName co \"\"", ALL),
        ],
    )
    .await;
}

/// Figure 1: operators, keywords and names in any case.
#[tokio::test]
async fn operators_keywords_and_names_are_read_in_any_case() {
    let scim = people().await;
    finds(
        &scim,
        &[
            ("USERNAME EQ \"ann\"", &["ann"]),
            ("username Eq \"ann\" OR UserName eQ \"bob\"", &["ann", "bob"]),
            ("title PR AND NOT (userName SW \"a\")", &["bob", "%_"]),
            ("active EQ FALSE", &["bob"]),
            ("active eq False And title Pr", &["bob"]),
            ("title NE NULL", &["ann", "bob", "%_"]),
            ("EMAILS[TYPE EQ \"home\" aNd VALUE Co \"work\"]", &["bob"]),
        ],
    )
    .await;
}

/// Section 3.4.2.2: grouping, then not, then and, then or.
#[tokio::test]
async fn grouping_binds_before_not_before_and_before_or() {
    let scim = people().await;
    let deep = format!("{}userName eq \"ann\"{}", "(".repeat(31), ")".repeat(31));
    finds(
        &scim,
        &[
            (
                "userName eq \"ann\" or userName eq \"bob\" and active eq false",
                &["ann", "bob"],
            ),
            (
                "(userName eq \"ann\" or userName eq \"bob\") and active eq false",
                &["bob"],
            ),
            (
                "userName eq \"ann\" and active eq false or userName eq \"bob\"",
                &["bob"],
            ),
            ("not (userName eq \"ann\") and active eq false", &["bob"]),
            ("not (userName eq \"ann\" and active eq false)", ALL),
            (
                "not (userName eq \"ann\" or userName eq \"bob\")",
                &["Éva", "o\"k\\", "%_"],
            ),
            ("not (not (userName eq \"ann\"))", &["ann"]),
            ("not(userName eq \"ann\")and(active eq false)", &["bob"]),
            ("  userName   eq  \"ann\"  ", &["ann"]),
            ("((userName eq \"ann\"))", &["ann"]),
            (&deep, &["ann"]),
        ],
    )
    .await;
    refuses(&scim, &["not userName eq \"ann\"", "not not (userName pr)", "not"]).await;
    for depth in [33, 100, 400] {
        refuses(
            &scim,
            &[&format!("{}userName pr{}", "(".repeat(depth), ")".repeat(depth))],
        )
        .await;
    }
}

/// Table 3 and RFC 7643 section 2.5. What is absent is not equal to anything, and equal to null.
#[tokio::test]
async fn an_absent_attribute_is_not_equal_and_is_null() {
    let scim = people().await;
    finds(
        &scim,
        &[
            ("title ne \"head\"", &["Éva", "o\"k\\", "%_"]),
            ("title eq null", &["Éva", "o\"k\\"]),
            ("title ne null", &["ann", "bob", "%_"]),
            ("not (title pr)", &["Éva", "o\"k\\"]),
            ("not (title eq \"head\")", &["Éva", "o\"k\\", "%_"]),
            ("title co \"x\"", &[]),
            ("not (title gt \"a\")", &["Éva", "o\"k\\", "%_"]),
            (&format!("{ENTERPRISE}:manager.value eq null"), BUT_ANN),
        ],
    )
    .await;
    refuses(&scim, &["title gt null", "title co null"]).await;
}

/// Section 3.4.2.2: a filter on sub-attributes holds if any value matches; brackets ask it of one value.
#[tokio::test]
async fn a_value_path_must_match_within_one_value() {
    let scim = people().await;
    finds(
        &scim,
        &[
            ("emails eq \"ANN@home.test\"", &["ann"]),
            ("emails co \"work\"", &["ann", "bob"]),
            ("emails.value ew \"home.test\"", &["ann", "bob"]),
            ("emails.type eq \"work\" and emails.value co \"@work\"", &["ann", "bob"]),
            ("emails[type eq \"work\" and value co \"@work\"]", &["ann"]),
            (
                "emails[type eq \"work\"] and emails[value co \"@home\"]",
                &["ann", "bob"],
            ),
            ("emails[type eq \"work\" or value co \"eva\"]", &["ann", "bob", "Éva"]),
            ("emails[not (type pr)]", &["Éva"]),
            ("emails[not (type eq \"work\") and value co \"@work\"]", &["bob"]),
            (
                "emails[(type eq \"work\" or type eq \"home\") and primary eq true]",
                &["ann"],
            ),
            ("not (emails[type eq \"work\"])", &["Éva", "o\"k\\", "%_"]),
            (
                "emails[type eq \"work\" and value co \"@work\"] or userName eq \"%_\"",
                &["ann", "%_"],
            ),
            ("emails pr", &["ann", "bob", "Éva"]),
            ("emails.type pr", &["ann", "bob"]),
        ],
    )
    .await;
    refuses(
        &scim,
        &[
            "emails[emails[type eq \"work\"]]",
            "emails[]",
            "name[givenName eq \"Ann\"]",
            "userName[value eq \"x\"]",
            "emails.value[type eq \"x\"]",
        ],
    )
    .await;
}

/// The grammar has no condition behind a value filter; Entra ID sends it, see condition-behind-value-filter.
#[tokio::test]
async fn a_condition_behind_a_value_filter_is_a_deviation() {
    finds(
        &people().await,
        &[
            ("emails[type eq \"work\"].value eq \"ann@work.test\"", &["ann"]),
            ("emails[type eq \"home\"].value eq \"ann@work.test\"", &[]),
        ],
    )
    .await;
    refuses(
        &strict().await,
        &["emails[type eq \"work\"].value eq \"ann@work.test\""],
    )
    .await;
}

/// Section 3.10.
#[tokio::test]
async fn names_may_be_qualified_by_their_schema() {
    let scim = people().await;
    finds(
        &scim,
        &[
            (&format!("{USER}:userName eq \"ann\""), &["ann"]),
            (&format!("{USER}:name.familyName sw \"a\""), &["ann"]),
            (
                &format!("{USER}:emails[type eq \"work\" and value co \"@work\"]"),
                &["ann"],
            ),
            (&format!("{ENTERPRISE}:department eq \"SALES\""), &["ann"]),
            (&format!("{ENTERPRISE}:manager.value eq \"Boss-1\""), &["ann"]),
            (&format!("{ENTERPRISE}:manager.value eq \"boss-1\""), &[]),
            (
                &format!("{ENTERPRISE}:department pr and {USER}:active eq true"),
                &["ann"],
            ),
        ],
    )
    .await;
    refuses(
        &scim,
        &[
            "urn:x:y:userName eq \"ann\"",
            &format!("{USER}.userName eq \"ann\""),
            &format!("{ENTERPRISE}:userName eq \"ann\""),
            &format!("{ENTERPRISE} pr"),
        ],
    )
    .await;
}

/// RFC 7643 section 2.2: caseExact, in and out of brackets.
#[tokio::test]
async fn case_counts_where_the_schema_says_so() {
    let scim = people().await;
    let id = scim.find("userName eq \"ann\"").await.json["Resources"][0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    finds(
        &scim,
        &[
            ("userName eq \"ANN\"", &["ann"]),
            ("userName eq \"éVA\"", &["Éva"]),
            ("userName sw \"É\"", &["Éva"]),
            ("name.givenName eq \"aNN\"", &["ann"]),
            ("externalId eq \"Ext-1\"", &["ann"]),
            ("externalId sw \"ext\"", &["Éva"]),
            ("externalId ne \"Ext-1\"", BUT_ANN),
            ("externalId ew \"T-1\"", &[]),
            ("photos.value co \"Ann\"", &["ann"]),
            ("photos[value co \"ann\"]", &[]),
            ("emails[value eq \"ANN@WORK.TEST\"]", &["ann"]),
            ("meta.resourceType sw \"u\"", &[]),
            ("meta.resourceType ne \"user\"", ALL),
            (&format!("id eq \"{id}\""), &["ann"]),
            (&format!("id eq \"{}\"", id.to_uppercase()), &[]),
            (&format!("id ne \"{id}\""), BUT_ANN),
        ],
    )
    .await;
}

/// RFC 7643 section 2.3.5: instants, whatever their zone.
#[tokio::test]
async fn dates_are_compared_as_instants() {
    let scim = client().await;
    let created = create(&scim, &json!({"userName": "ann"})).await;
    let time = created.json["meta"]["created"].as_str().expect("a time");
    let same_instant = format!("{}+00:00", time.trim_end_matches('Z'));
    finds(
        &scim,
        &[
            (&format!("meta.created eq \"{time}\""), &["ann"]),
            (&format!("meta.created eq \"{same_instant}\""), &["ann"]),
            (&format!("meta.created ne \"{time}\""), &[]),
            (&format!("meta.lastModified ge \"{time}\""), &["ann"]),
            (&format!("meta.lastModified gt \"{time}\""), &[]),
            // An hour later by the clock, an hour earlier as an instant.
            ("meta.created gt \"2020-01-01T00:00:00.5-01:00\"", &["ann"]),
            ("meta.created lt \"2999-12-31T23:59:59+14:00\"", &["ann"]),
            ("meta.created gt \"2020-01-01T00:00:00\"", &["ann"]),
        ],
    )
    .await;
    refuses(
        &scim,
        &[
            "meta.created gt \"2020-01-01\"",
            "meta.created gt \"13:00\"",
            "meta.created gt \"2020-13-01T00:00:00Z\"",
            "meta.created gt 5",
            "meta.created co \"2020\"",
        ],
    )
    .await;
}

/// RFC 8259 section 7, RFC 3986, and forms: values are JSON, the query is percent-encoded, `+` is a space.
#[tokio::test]
async fn values_are_unescaped_as_json_and_the_query_as_a_url() {
    let scim = people().await;
    finds(
        &scim,
        &[
            ("userName eq \"o\\\"k\\\\\"", &["o\"k\\"]),
            ("userName eq \"\\u0061nn\"", &["ann"]),
            ("userName eq \"\\u00C9va\"", &["Éva"]),
            ("photos.value co \"x.test\\/A\"", &["ann"]),
        ],
    )
    .await;
    for query in [
        "userName+eq+%22ann%22",
        "userName%20eq%20%22ann%22",
        "%75serName%20eq%20%22%61nn%22",
        &percent("userName eq \"ann\""),
    ] {
        assert_eq!(
            names(&scim.get(&format!("/Users?filter={query}")).await),
            ["ann"],
            "{query}"
        );
    }
}
