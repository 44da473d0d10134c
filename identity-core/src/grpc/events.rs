//! EventService.

use std::pin::Pin;

use futures_util::{Stream, TryStreamExt};
use identity_proto::identity::v1::event_service_server::EventService;
use identity_proto::identity::v1::{
    AcknowledgeEventsRequest, DeleteEventConsumerRequest, ErrorReason, Event, EventConsumer, ListEventConsumersRequest,
    ListEventConsumersResponse, ListEventsRequest, ListEventsResponse, SubscribeRequest,
};
use tonic::{Request, Response, Status};

use super::{Caller, Core};
use crate::Error;
use crate::events::Start;
use crate::store::TenantStore;

impl Core {
    /// The rows of the tenant that the caller names, if it may.
    pub(super) fn rows_for<T>(&self, request: &Request<T>, tenant_id: &str) -> Result<TenantStore, Error> {
        Ok(self.store.of(Caller::of(request.extensions())?.tenant(tenant_id)?))
    }
}

fn start(from: i64, after: &str, consumer: String) -> Result<Start, Error> {
    let invalid = |_| {
        Error::new(
            ErrorReason::InvalidValue,
            "after_event_id must be an event's id, or empty",
        )
    };
    let after = (!after.is_empty())
        .then(|| after.parse().map_err(invalid))
        .transpose()?;
    Ok(Start { from, after, consumer })
}

#[tonic::async_trait]
impl EventService for Core {
    async fn list_events(&self, request: Request<ListEventsRequest>) -> Result<Response<ListEventsResponse>, Status> {
        let store = self.rows_for(&request, &request.get_ref().tenant_id)?;
        let request = request.into_inner();
        let start = start(request.from_sequence, &request.after_event_id, request.consumer)?;
        let page = self.events.list(&store, &start, request.page_size).await?;
        Ok(Response::new(ListEventsResponse {
            events: page.events,
            next_sequence: page.next,
            last_sequence: page.last,
        }))
    }

    type SubscribeStream = Pin<Box<dyn Stream<Item = Result<Event, Status>> + Send>>;

    async fn subscribe(&self, request: Request<SubscribeRequest>) -> Result<Response<Self::SubscribeStream>, Status> {
        let store = self.rows_for(&request, &request.get_ref().tenant_id)?;
        let request = request.into_inner();
        let start = start(request.from_sequence, &request.after_event_id, request.consumer)?;
        let subscription = self.events.subscribe(store, &start).await?;
        Ok(Response::new(Box::pin(subscription.stream().map_err(Status::from))))
    }

    async fn acknowledge_events(
        &self,
        request: Request<AcknowledgeEventsRequest>,
    ) -> Result<Response<EventConsumer>, Status> {
        let store = self.rows_for(&request, &request.get_ref().tenant_id)?;
        let AcknowledgeEventsRequest { consumer, sequence, .. } = request.get_ref();
        Ok(Response::new(
            self.events.acknowledge(&store, consumer, *sequence).await?,
        ))
    }

    async fn list_event_consumers(
        &self,
        request: Request<ListEventConsumersRequest>,
    ) -> Result<Response<ListEventConsumersResponse>, Status> {
        let store = self.rows_for(&request, &request.get_ref().tenant_id)?;
        let consumers = self.events.consumers(&store).await?;
        Ok(Response::new(ListEventConsumersResponse { consumers }))
    }

    async fn delete_event_consumer(
        &self,
        request: Request<DeleteEventConsumerRequest>,
    ) -> Result<Response<()>, Status> {
        let store = self.rows_for(&request, &request.get_ref().tenant_id)?;
        self.events.forget(&store, &request.get_ref().consumer).await?;
        Ok(Response::new(()))
    }
}
