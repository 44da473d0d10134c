//! `portcullis events`: what happened in a tenant, one line an event, and the consumers that follow it.

use identity_proto::identity::v1::event::Payload;
use identity_proto::identity::v1::{
    DeleteEventConsumerRequest, Event, ListEventConsumersRequest, ListEventsRequest, SubscribeRequest,
};
use serde::Serialize;

use super::access::Outcome;
use super::{dead_letters, or_never, resolve, rfc3339, short};
use crate::cli;
use crate::connect::System;
use crate::failure::Failure;
use crate::output::Output;

#[derive(Serialize)]
struct Shown {
    sequence: i64,
    event_id: String,
    occurred_at: Option<String>,
    types: Vec<String>,
    user_id: Option<String>,
    group_id: Option<String>,
    /// Of a token or secret that expires soon.
    credential_id: Option<String>,
    request_id: String,
    /// Of a change of access, as far as it is known now.
    access: Option<Outcome>,
}

#[derive(Serialize)]
struct Consumer {
    name: String,
    acknowledged: i64,
    acknowledged_at: Option<String>,
    waiting: i64,
}

pub(super) async fn run(command: cli::Events, system: &System, output: Output) -> Result<(), Failure> {
    match command {
        cli::Events::List { tenant, from } => list(system, output, &tenant, from).await,
        cli::Events::Follow { tenant } => follow(system, output, &tenant).await,
        cli::Events::Consumers { tenant } => consumers(system, output, &tenant).await,
        cli::Events::DeadLetters(command) => dead_letters::run(command, system, output).await,
        cli::Events::Forget { tenant, consumer } => {
            let tenant_id = resolve::tenant(system, &tenant).await?.id;
            let request = DeleteEventConsumerRequest {
                tenant_id,
                consumer: consumer.clone(),
            };
            system.events().delete_event_consumer(request).await?;
            let answer = serde_json::json!({ "forgotten": &consumer });
            output.answer(&answer, &format!("{consumer} is forgotten"))
        }
    }
}

async fn list(system: &System, output: Output, tenant: &str, from: i64) -> Result<(), Failure> {
    let tenant_id = resolve::tenant(system, tenant).await?.id;
    let mut from_sequence = from;
    loop {
        let request = ListEventsRequest {
            tenant_id: tenant_id.clone(),
            from_sequence,
            page_size: 1_000,
            ..ListEventsRequest::default()
        };
        let page = system.events().list_events(request).await?.into_inner();
        if page.events.is_empty() {
            return Ok(());
        }
        page.events.into_iter().try_for_each(|event| show(output, event))?;
        from_sequence = page.next_sequence;
    }
}

async fn follow(system: &System, output: Output, tenant: &str) -> Result<(), Failure> {
    let tenant_id = resolve::tenant(system, tenant).await?.id;
    let newest = ListEventsRequest {
        tenant_id: tenant_id.clone(),
        page_size: 1,
        ..ListEventsRequest::default()
    };
    let last = system.events().list_events(newest).await?.into_inner().last_sequence;
    let request = SubscribeRequest {
        tenant_id,
        from_sequence: last + 1,
        ..SubscribeRequest::default()
    };
    let mut events = system.events().subscribe(request).await?.into_inner();
    output.next("Ctrl-C ends it.");
    while let Some(event) = events.message().await? {
        show(output, event)?;
    }
    Ok(())
}

async fn consumers(system: &System, output: Output, tenant: &str) -> Result<(), Failure> {
    let tenant_id = resolve::tenant(system, tenant).await?.id;
    let request = ListEventConsumersRequest { tenant_id };
    for one in system
        .events()
        .list_event_consumers(request)
        .await?
        .into_inner()
        .consumers
    {
        let consumer = Consumer {
            acknowledged: one.acknowledged_sequence,
            acknowledged_at: rfc3339(one.acknowledge_time),
            waiting: one.waiting,
            name: one.name,
        };
        let at = or_never(consumer.acknowledged_at.as_ref());
        let text = format!(
            "{}  acknowledged {} at {at}, {} wait",
            consumer.name, consumer.acknowledged, consumer.waiting
        );
        output.answer(&consumer, &text)?;
    }
    Ok(())
}

fn show(output: Output, event: Event) -> Result<(), Failure> {
    let Subject {
        user: user_id,
        group: group_id,
        credential: credential_id,
    } = event.payload.map(subject).unwrap_or_default();
    let shown = Shown {
        sequence: event.sequence,
        event_id: event.event_id,
        occurred_at: rfc3339(event.occur_time),
        types: event.types,
        user_id,
        group_id,
        credential_id,
        request_id: event.request_id,
        access: event.access_outcome.map(Outcome::from),
    };
    let short = shown.types.iter().map(|one| short(one));
    let about = match (&shown.user_id, &shown.group_id, &shown.credential_id) {
        (Some(user), _, _) => format!("user {user}"),
        (_, Some(group), _) => format!("group {group}"),
        (_, _, Some(credential)) => format!("credential {credential}"),
        _ => "the tenant".to_owned(),
    };
    let types = short.collect::<Vec<_>>().join(" ");
    let at = or_never(shown.occurred_at.as_ref());
    let mut text = format!(
        "{}  {at}  {types}  {about}  request {}",
        shown.sequence, shown.request_id
    );
    if let Some(access) = &shown.access {
        text = format!("{text}  {}", access.to_text());
    }
    output.answer(&shown, &text)
}

/// What an event is about; nothing of it: the tenant.
#[derive(Default)]
struct Subject {
    user: Option<String>,
    group: Option<String>,
    credential: Option<String>,
}

fn subject(payload: Payload) -> Subject {
    let none = Subject::default;
    let user = |user: Option<String>| Subject { user, ..none() };
    let group = |group: Option<String>| Subject { group, ..none() };
    match payload {
        Payload::UserCreated(event) => user(event.user.map(|one| one.id)),
        Payload::UserReplaced(event) => user(event.user.map(|one| one.id)),
        Payload::UserPatched(event) => user(event.user.map(|one| one.id)),
        Payload::UserDeleted(event) => user(Some(event.user_id)),
        Payload::AccessChanged(event) => user(Some(event.user_id)),
        Payload::GroupCreated(event) => group(event.group.map(|one| one.id)),
        Payload::GroupReplaced(event) => group(event.group.map(|one| one.id)),
        Payload::GroupPatched(event) => group(event.group.map(|one| one.id)),
        Payload::GroupDeleted(event) => group(Some(event.group_id)),
        Payload::CredentialExpiring(event) => Subject {
            credential: Some(event.credential_id),
            ..none()
        },
        Payload::TenantAccessChanged(_) => none(),
    }
}
