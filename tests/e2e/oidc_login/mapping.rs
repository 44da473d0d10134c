//! Which user somebody is: by one attribute, never by guess.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{Browser, Portal};

/// Creates an active user of acme with these attributes, and a name that nobody else has.
async fn create(portal: &Portal, attributes: Value) -> String {
    let mut user = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": format!("{}@example.test", Uuid::new_v4().simple()),
        "active": true,
    });
    for (name, value) in attributes.as_object().expect("attributes") {
        user[name] = value.clone();
    }
    let answer = portal.acme.scim.post("/Users", &user).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    user["userName"].as_str().expect("a name").to_owned()
}

/// Who comes in when the provider says this.
async fn comes_in(portal: &Portal, claims: Value, user_name: &str) {
    portal.provider.says(claims.clone());
    let shown = Browser::new().open(&portal.page("login")).await;
    assert_eq!(shown.status, 200, "{claims}: {shown:?}");
    assert!(shown.text.contains(&format!("You are {user_name}.")), "{shown:?}");
}

/// That nobody comes in when the provider says this.
async fn stays_out(portal: &Portal, claims: Value, says: &str) {
    portal.provider.says(claims);
    let mut browser = Browser::new();
    let shown = browser.open(&portal.page("login")).await;
    browser.is_refused(portal, shown, 403, says).await;
}

#[tokio::test]
async fn a_user_name_is_compared_as_scim_does() {
    let portal = Portal::start(super::by_user_name()).await;
    let user = create(&portal, json!({"externalId": "00u1"})).await;
    comes_in(&portal, json!({"sub": "1", "preferred_username": user}), &user).await;
    comes_in(
        &portal,
        json!({"sub": "1", "preferred_username": user.to_uppercase()}),
        &user,
    )
    .await;

    let nobody =
        json!({"sub": "00u1", "preferred_username": "nobody@example.test", "email": user, "email_verified": true});
    stays_out(&portal, nobody, "You are not provisioned. Ask your administrator.").await;
    stays_out(&portal, json!({"sub": user}), "preferred_username").await;
    // Somebody of the other tenant is nobody here.
    let theirs = format!("{}@example.test", Uuid::new_v4().simple());
    portal.globex.scim.create_user(&theirs).await;
    stays_out(
        &portal,
        json!({"sub": "1", "preferred_username": theirs}),
        "not provisioned",
    )
    .await;
}

#[tokio::test]
async fn an_external_id_is_the_claim_that_the_tenant_says() {
    let portal = Portal::start(json!({"attribute": "externalId", "claim": "oid"})).await;
    let user = create(&portal, json!({"externalId": "3F2504E0"})).await;
    comes_in(&portal, json!({"sub": "pairwise", "oid": "3F2504E0"}), &user).await;
    // The same subject with another object, or with none, is not known by its name.
    stays_out(
        &portal,
        json!({"sub": "3F2504E0", "oid": "3f2504e0", "preferred_username": user}),
        "not provisioned",
    )
    .await;
    stays_out(
        &portal,
        json!({"sub": "3F2504E0", "preferred_username": user}),
        "the claim \"oid\" is missing",
    )
    .await;
    stays_out(&portal, json!({"sub": "1", "oid": ""}), "the claim \"oid\" is missing").await;

    // Two users of one external id, as identity providers leave behind.
    create(&portal, json!({"externalId": "twice"})).await;
    create(&portal, json!({"externalId": "twice", "active": false})).await;
    stays_out(
        &portal,
        json!({"sub": "1", "oid": "twice"}),
        "More than one user matches you",
    )
    .await;
}

#[tokio::test]
async fn an_address_counts_when_it_is_verified_and_one_users() {
    let portal = Portal::start(json!({"attribute": "workEmail"})).await;
    let email = |value: &str, kind: &str| json!({"emails": [{"value": value, "type": kind}]});
    let says = |address: &str, verified: Value| json!({"sub": "1", "email": address, "email_verified": verified});
    let user = create(&portal, email("ann@example.test", "work")).await;
    comes_in(&portal, says("ann@example.test", true.into()), &user).await;
    for verified in [Value::Null, false.into()] {
        stays_out(
            &portal,
            says("ann@example.test", verified),
            "does not say that your e-mail address is yours",
        )
        .await;
    }
    create(&portal, email("ben@example.test", "home")).await;
    stays_out(&portal, says("ben@example.test", true.into()), "not provisioned").await;
    create(&portal, email("ann@example.test", "work")).await;
    stays_out(
        &portal,
        says("ann@example.test", true.into()),
        "More than one user matches you",
    )
    .await;
}

#[tokio::test]
async fn a_primary_address_is_the_one_that_is_marked() {
    let portal = Portal::start(json!({"attribute": "primaryEmail"})).await;
    let emails = json!({"emails": [
        {"value": "first@example.test", "type": "work"},
        {"value": "second@example.test", "type": "home", "primary": true},
    ]});
    let user = create(&portal, emails).await;
    let says = |address: &str| json!({"sub": "1", "email": address, "email_verified": true});
    comes_in(&portal, says("second@example.test"), &user).await;
    stays_out(&portal, says("first@example.test"), "not provisioned").await;
}
