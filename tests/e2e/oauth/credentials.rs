//! Client credentials with a secret: RFC 6749 section 4.4, by HTTP Basic and in the body.

use identity_proto::identity::v1::client::Kind;
use oauth2::{AuthType, TokenResponse};

use super::application::Application;
use super::{Customer, post, refused, seconds};

#[tokio::test]
async fn a_secret_is_worth_a_token_wherever_it_stands() {
    let customer = Customer::create().await;
    let app = customer.register(Kind::Secret, |_| ()).await;
    for auth_type in [AuthType::BasicAuth, AuthType::RequestBody] {
        let answer = app.by(auth_type).client_credentials(&[]).await.expect("a token");
        assert_eq!(answer.expires_in().map(|lifetime| lifetime.as_secs()), Some(3_600));
        assert!(
            answer.refresh_token().is_none(),
            "the client has its secret: {answer:?}"
        );
        assert_eq!(answer.scopes().map(Vec::len), Some(2), "{answer:?}");
        let token = answer.access_token().secret();
        assert_eq!(customer.read(token).await, 200);
        customer
            .scim(token)
            .create_user(&format!("{}@example.test", uuid::Uuid::new_v4()))
            .await;
    }
}

#[tokio::test]
async fn a_token_lives_as_long_as_was_agreed_and_may_what_was_asked() {
    let customer = Customer::create().await;
    let app = customer.register(Kind::Secret, |request| {
        request.token_lifetime = Some(seconds(21_600));
        request.scopes = vec!["scim.read".to_owned()];
    });
    let app = app.await;
    let answer = app.client_credentials(&["scim.read"]).await.expect("a token");
    assert_eq!(answer.expires_in().map(|lifetime| lifetime.as_secs()), Some(21_600));
    let reader = customer.scim(answer.access_token().secret());
    assert_eq!(reader.get("/Users").await.status, 200);
    let written = reader.post("/Users", &e2e::scim::user("x@example.test")).await;
    assert_eq!(written.status, 403, "{written:?}");
    let more = app.client_credentials(&["scim.read", "scim.write"]).await;
    assert_eq!(more.err().as_deref(), Some("invalid_scope"));

    for lifetime in [3_599, 21_601] {
        let answer = customer.try_register(Kind::Secret, |request| request.token_lifetime = Some(seconds(lifetime)));
        let status = answer.await.expect_err("a lifetime that is not offered");
        assert_eq!(status.code(), tonic::Code::InvalidArgument, "{status:?}");
    }
}

#[tokio::test]
async fn whoever_does_not_prove_itself_gets_nothing() {
    let customer = Customer::create().await;
    let app = customer.register(Kind::Secret, |_| ()).await;
    let neighbour = Customer::create().await.register(Kind::Secret, |_| ()).await;
    let (id, secret) = app.basic();
    let grant = ("grant_type", "client_credentials");
    let token = async |basic: Option<(&str, &str)>, form: &[(&str, &str)]| {
        post(&customer.edge, "/oauth/token", basic, form).await
    };
    let wrong = token(Some((id, neighbour.basic().1)), &[grant]).await;
    refused(&wrong, "invalid_client");
    assert_eq!(wrong.status, 401, "{wrong:?}");
    assert!(wrong.header("www-authenticate").starts_with("Basic"), "{wrong:?}");
    for form in [
        vec![grant],
        vec![grant, ("client_id", id)],
        vec![grant, ("client_id", id), ("client_secret", "")],
        vec![grant, ("client_id", id), ("client_secret", neighbour.basic().1)],
        vec![grant, ("client_id", neighbour.id.as_str()), ("client_secret", secret)],
        vec![grant, ("client_id", "nobody"), ("client_secret", secret)],
    ] {
        refused(&token(None, &form).await, "invalid_client");
    }
    // One way at a time, and never in a URL.
    refused(
        &token(
            Some((id, secret)),
            &[grant, ("client_id", id), ("client_secret", secret)],
        )
        .await,
        "invalid_request",
    );
    let url = format!("/oauth/token?grant_type=client_credentials&client_id={id}&client_secret={secret}");
    let in_url = post(&customer.edge, &url, None, &[]).await;
    assert!(matches!(in_url.status, 400 | 401), "{in_url:?}");
    // A client has the grants of its kind.
    let by_code = customer.register(Kind::Code, |_| ()).await;
    let answer = by_code.client_credentials(&[]).await;
    assert_eq!(answer.err().as_deref(), Some("unauthorized_client"));
    let answer = Application::new(&customer.edge, id, Some(secret))
        .refresh("pcr_x")
        .await;
    assert!(matches!(
        answer.err().as_deref(),
        Some("unauthorized_client" | "invalid_grant")
    ));
}
