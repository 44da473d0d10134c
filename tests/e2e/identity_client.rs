//! The example of a client, compiled as it is shown and run once.

#[expect(dead_code, reason = "its main is for people")]
#[path = "../examples/identity_client.rs"]
mod example;

use e2e::Tenant;

use crate::system;

#[tokio::test]
async fn the_example_lists_users_and_their_access() {
    let tenant = Tenant::create(system()).await;
    let id = tenant.user().await;
    let description = system().description();
    let lines = example::users_and_access(&description.identity_grpc, &description.service_key, &tenant.id)
        .await
        .expect("the example works");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].starts_with(&id) && lines[0].contains("active since epoch"),
        "{lines:?}"
    );
}
