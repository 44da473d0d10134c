//! An internal service reads identities: who is in a tenant, and who of them may have sessions.
//!
//! `cargo run -p e2e --example identity_client -- IDENTITY_GRPC SERVICE_KEY TENANT_ID`, with the values of `dev.json`.

use identity_proto::identity::v1::access_service_client::AccessServiceClient;
use identity_proto::identity::v1::user_service_client::UserServiceClient;
use identity_proto::identity::v1::{AccessState, GetAccessRequest, ListUsersRequest};
use tonic::Request;
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::Endpoint;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A line for each of the first users.
pub async fn users_and_access(url: &str, key: &str, tenant_id: &str) -> Result<Vec<String>> {
    let channel = Endpoint::from_shared(url.to_owned())?
        .tcp_nodelay(true)
        .connect()
        .await?;
    let key: AsciiMetadataValue = format!("Bearer {key}").parse()?;
    let with_key = move |mut request: Request<()>| {
        request.metadata_mut().insert("authorization", key.clone());
        Ok(request)
    };
    let mut users = UserServiceClient::with_interceptor(channel.clone(), with_key.clone());
    let mut access = AccessServiceClient::with_interceptor(channel, with_key);

    let request = ListUsersRequest {
        tenant_id: tenant_id.to_owned(),
        ..Default::default()
    };
    let mut lines = Vec::new();
    for user in users.list_users(request).await?.into_inner().users {
        let request = GetAccessRequest {
            tenant_id: tenant_id.to_owned(),
            user_id: user.id.clone(),
        };
        let access = access.get_access(request).await?.into_inner();
        let state = match access.state() {
            AccessState::AccessActive => "active",
            _ => "ended",
        };
        lines.push(format!(
            "{} {} {state} since epoch {}",
            user.id, user.user_name, access.epoch
        ));
    }
    Ok(lines)
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, key, tenant_id] = arguments.as_slice() else {
        return Err("usage: identity_client IDENTITY_GRPC SERVICE_KEY TENANT_ID".into());
    };
    for line in users_and_access(url, key, tenant_id).await? {
        println!("{line}");
    }
    Ok(())
}
