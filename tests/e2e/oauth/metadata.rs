//! What a client can find out by itself: RFC 8414.

use e2e::scim;

use super::Customer;

#[tokio::test]
async fn the_server_says_where_everything_is() {
    let customer = Customer::create().await;
    let edge = &customer.edge;
    let url = format!("{edge}/.well-known/oauth-authorization-server");
    let answer = scim::send(reqwest::Client::new().get(&url)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.json["issuer"], *edge);
    for (name, path) in [
        ("authorization_endpoint", "authorize"),
        ("token_endpoint", "token"),
        ("revocation_endpoint", "revoke"),
        ("introspection_endpoint", "introspect"),
    ] {
        assert_eq!(answer.json[name], format!("{edge}/oauth/{path}"), "{name}");
    }
    for (name, expect) in [
        ("response_types_supported", &["code"][..]),
        ("code_challenge_methods_supported", &["S256"]),
        (
            "grant_types_supported",
            &["authorization_code", "client_credentials", "refresh_token"],
        ),
        ("scopes_supported", &["scim.read", "scim.write"]),
        (
            "token_endpoint_auth_methods_supported",
            &["client_secret_basic", "client_secret_post", "none", "private_key_jwt"],
        ),
    ] {
        let listed = answer.json[name].as_array().cloned().unwrap_or_default();
        let mut listed: Vec<_> = listed.iter().filter_map(|value| value.as_str()).collect();
        listed.sort_unstable();
        assert_eq!(listed, expect, "{name}");
    }
    assert_eq!(answer.json["authorization_response_iss_parameter_supported"], true);
}
