//! Portcullis, as the service sees it: the events of one tenant, and its users when they must be copied.

use anyhow::Context;
use identity_proto::identity::v1::event_service_client::EventServiceClient;
use identity_proto::identity::v1::user_service_client::UserServiceClient;
use identity_proto::identity::v1::{
    AcknowledgeEventsRequest, Event, ListEventsRequest, ListUsersRequest, SubscribeRequest, User,
};
use runtime::grpc::Channel;
use tonic::metadata::AsciiMetadataValue;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Status, Streaming};
use uuid::Uuid;

use crate::settings::Place;
use crate::table::Noted;

type Connection = InterceptedService<Channel, WithKey>;

/// Puts the service key on every call.
#[derive(Clone)]
struct WithKey(AsciiMetadataValue);

impl tonic::service::Interceptor for WithKey {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

/// One tenant.
pub struct Source {
    events: EventServiceClient<Connection>,
    users: UserServiceClient<Connection>,
    tenant: Uuid,
    consumer: String,
}

impl Source {
    pub fn new(place: &Place, consumer: String) -> anyhow::Result<Self> {
        let key = format!("Bearer {}", place.service_key).parse().context("SERVICE_KEY")?;
        let channel = runtime::grpc::channel(&place.identity_grpc).context("IDENTITY_GRPC")?;
        let connection = InterceptedService::new(channel, WithKey(key));
        Ok(Source {
            events: EventServiceClient::new(connection.clone()),
            users: UserServiceClient::new(connection),
            tenant: place.tenant_id.parse().context("TENANT_ID")?,
            consumer,
        })
    }

    pub fn tenant(&self) -> Uuid {
        self.tenant
    }

    /// The events after this one, and whatever comes then. Refused if another has its number now, as after a fail-over.
    pub async fn subscribe(&mut self, noted: &Noted) -> Result<Streaming<Event>, Status> {
        let request = SubscribeRequest {
            tenant_id: self.tenant.to_string(),
            from_sequence: noted.sequence + 1,
            consumer: self.consumer.clone(),
            after_event_id: noted.event_id.clone().unwrap_or_default(),
        };
        Ok(self.events.subscribe(request).await?.into_inner())
    }

    /// The number of the last event that there is.
    pub async fn last_sequence(&mut self) -> Result<i64, Status> {
        let request = ListEventsRequest {
            tenant_id: self.tenant.to_string(),
            page_size: 1,
            ..Default::default()
        };
        Ok(self.events.list_events(request).await?.into_inner().last_sequence)
    }

    /// Lets events go that took effect here.
    pub async fn acknowledge(&mut self, sequence: i64) -> Result<(), Status> {
        let request = AcknowledgeEventsRequest {
            tenant_id: self.tenant.to_string(),
            consumer: self.consumer.clone(),
            sequence,
        };
        self.events.acknowledge_events(request).await?;
        Ok(())
    }

    /// A page of users, and the token of the next one; empty after the last.
    pub async fn users(&mut self, page_token: String) -> Result<(Vec<User>, String), Status> {
        let request = ListUsersRequest {
            tenant_id: self.tenant.to_string(),
            page_size: 1_000,
            page_token,
            ..Default::default()
        };
        let page = self.users.list_users(request).await?.into_inner();
        Ok((page.users, page.next_page_token))
    }
}
