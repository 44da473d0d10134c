use identity_proto::schema::{COMMON, GROUP};

use super::*;

const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

fn check(filter: &Filter, sql: &str, expect: &[&str]) {
    check_on(&GROUPS, filter, sql, expect);
}

const HAS: &str = "g.group_id = ANY (ARRAY(SELECT m.group_id FROM member m WHERE \
    m.tenant_id = current_setting('portcullis.tenant_id')::uuid AND m.member_user_id = $1 UNION ALL \
    SELECT m.group_id FROM member m WHERE m.tenant_id = current_setting('portcullis.tenant_id')::uuid AND m.member_group_id = $2))";
const ONE: &str = "EXISTS (SELECT FROM member m WHERE m.tenant_id = g.tenant_id AND m.group_id = g.group_id";

#[test]
fn columns_answer_for_what_a_group_has() {
    check(
        &compare("displayName", Eq, json!("Sales")),
        "g.display_name_key = $1",
        &["sales"],
    );
    check(&compare("externalId", Eq, json!("AbC")), "g.external_id = $1", &["AbC"]);
    check(&compare("id", Eq, json!(ID)), "g.group_id = $1", &[ID]);
    check(&compare("meta.resourceType", Eq, json!("Group")), "true", &[]);
    check(
        &compare("schemas", Eq, json!("urn:ietf:params:scim:schemas:core:2.0:Group")),
        "(true)",
        &[],
    );
}

#[test]
fn a_member_is_looked_up_by_its_id() {
    let by_path = in_values("members", vec![compare("value", Eq, json!(ID))]);
    for filter in [compare("members.value", Eq, json!(ID)), by_path] {
        check(&filter, HAS, &[ID, ID]);
    }
    check(&compare("members.value", Eq, json!("nobody")), "false", &[]);
    let not = Filter::not(compare("members.value", Eq, json!(ID)));
    check(&not, &format!("(({ONE} AND m.member_id = $1)) IS NOT TRUE)"), &[ID]);
    let other = compare("members.value", Ne, json!(ID));
    let differs = "(m.member_id::text COLLATE \"C\") IS DISTINCT FROM $1";
    check(&other, &format!("(NOT {ONE}) OR {ONE} AND {differs}))"), &[ID]);
    let typed = in_values(
        "members",
        vec![compare("value", Eq, json!(ID)), compare("type", Eq, json!("User"))],
    );
    let of_user = "m.member_user_id IS NOT NULL";
    check(&typed, &format!("{ONE} AND (m.member_id = $1 AND {of_user}))"), &[ID]);
    check(
        &pr("members"),
        &format!("{ONE} AND (m.member_id::text COLLATE \"C\") IS NOT NULL)"),
        &[],
    );
}

#[test]
fn no_attribute_of_a_group_is_read_from_a_document() {
    for attribute in COMMON.iter().chain(GROUP.schema.attributes) {
        let subs = attribute.sub_attributes.iter();
        let names = subs.map(|sub| format!("{}.{}", attribute.name, sub.name));
        for name in std::iter::once(attribute.name.to_owned()).chain(names) {
            match compile(&GROUPS, &pr(&name)) {
                Ok(predicate) => assert!(!predicate.to_string().contains("u."), "{name}: {predicate}"),
                Err(error) => assert_eq!(error.reason, ErrorReason::InvalidFilter, "{name}"),
            }
        }
    }
}
