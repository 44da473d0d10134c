//! Groups of any size in constant memory: what did not come with a group is read page by page while the answer is sent.
//!
//! A task of its own reads ahead of the client. A page that cannot be had breaks the answer off: half a list must never
//! pass for a whole one, which ends memberships at the other side. So does a client that takes nothing for a while.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::{FutureExt as _, Stream, stream};
use identity_proto::identity::v1::{ListMembersRequest, ListMembersResponse};
use runtime::RequestId;
use serde_json::{Map, Value as Json};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tracing::{Instrument as _, Span};

use super::text::{More, Part, push_values};
use crate::app::Edge;
use crate::auth::Caller;
use crate::core::{call, with_credential};
use crate::error::Error;
use crate::extract::Client;
use crate::listen::Open;
use crate::observe;
use crate::scim::group::{self, MEMBERS};
use crate::scim::projection::Projection;

/// How many members are read at once.
const PAGE: i32 = 2_000;
/// How long a client may leave what is ready for it: as long as a known one's connection may idle.
const PATIENCE: Duration = Duration::from_secs(75);

/// A piece of the answer; nothing says that it is complete.
type Sent = Option<Bytes>;

/// What is needed to go on with the members of groups.
pub struct Pages {
    edge: Arc<Edge>,
    caller: Arc<Caller>,
    base: String,
    projection: Projection,
    /// The connection is in use until all is read.
    _open: Option<Open>,
}

impl Pages {
    /// For the groups in one answer.
    pub fn new(edge: &Arc<Edge>, caller: &Arc<Caller>, client: &Client, projection: Projection) -> Self {
        Pages {
            edge: Arc::clone(edge),
            caller: Arc::clone(caller),
            base: client.base.clone(),
            projection,
            _open: client.hold(),
        }
    }

    /// The body of an answer: one text, or what is made as it is sent.
    pub fn body(self, mut parts: Vec<Part>) -> Body {
        match parts.as_mut_slice() {
            [Part::Text(text)] => Body::from(std::mem::take(text)),
            _ => Body::from_stream(self.begun_when_polled(parts)),
        }
    }

    /// Nothing is read for a client that wants no body.
    fn begun_when_polled(self, parts: Vec<Part>) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        let (span, id) = (Span::current(), RequestId::current());
        let begin = async move {
            let (sender, receiver) = mpsc::channel(1);
            let work = async move {
                if self.send(parts, &sender).await.is_some() {
                    give(&sender, None).await;
                }
            };
            let work = work.instrument(span);
            match id {
                Some(id) => drop(tokio::spawn(id.scope(work))),
                None => drop(tokio::spawn(work)),
            }
            received(receiver)
        };
        begin.flatten_stream()
    }

    /// Ends with the last part, with the client, or with the first failure.
    async fn send(&self, parts: Vec<Part>, sender: &Sender<Sent>) -> Option<()> {
        for part in parts {
            match part {
                Part::Text(text) => give(sender, Some(text.into())).await?,
                Part::Members { more, follow } => self.send_members(more, follow, sender).await?,
            }
        }
        Some(())
    }

    async fn send_members(&self, more: More, mut follow: bool, sender: &Sender<Sent>) -> Option<()> {
        let mut page_token = more.page_token;
        while !page_token.is_empty() {
            let page = while_wanted(sender, self.page(&more.group_id, page_token)).await?;
            let page = page.map_err(|error| error.log_broken_answer()).ok()?;
            let values = self.values(&page);
            let mut text = Vec::new();
            if !values.is_empty() {
                text.extend(follow.then_some(b','));
                follow = true;
                push_values(&values, &mut text);
                give(sender, Some(text.into())).await?;
            }
            page_token = page.next_page_token;
        }
        Some(())
    }

    async fn page(&self, group_id: &str, page_token: String) -> Result<ListMembersResponse, Error> {
        let request = ListMembersRequest {
            group_id: group_id.to_owned(),
            page_size: PAGE,
            page_token,
            ..ListMembersRequest::default()
        };
        let mut core = self.edge.core.groups();
        call(core.list_members(with_credential(request, &self.caller.hash))).await
    }

    /// The members of a page as the client wants them.
    fn values(&self, page: &ListMembersResponse) -> Vec<Json> {
        let members = group::members(&page.members, &self.base);
        let whole = Map::from_iter([(MEMBERS.to_owned(), members)]);
        match self.projection.apply(whole).shift_remove(MEMBERS) {
            Some(Json::Array(values)) => values,
            _ => Vec::new(),
        }
    }
}

/// What the client is sent. A sender that is gone before it said that all is there has failed, and so does the answer.
fn received(receiver: Receiver<Sent>) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    stream::unfold(Some(receiver), async |receiver| {
        let mut receiver = receiver?;
        match receiver.recv().await {
            Some(Some(piece)) => Some((Ok(piece), Some(receiver))),
            Some(None) => None,
            None => {
                observe::broken_off();
                Some((Err(io::Error::other("the answer is broken off")), None))
            }
        }
    })
}

/// Gives the client a piece; `None` if it is gone, or takes nothing.
async fn give(sender: &Sender<Sent>, piece: Sent) -> Option<()> {
    let Ok(sent) = tokio::time::timeout(PATIENCE, sender.send(piece)).await else {
        tracing::info!("the client does not take what it asked for: the answer is broken off");
        return None;
    };
    sent.ok()
}

/// Nothing is read for a client that is gone.
async fn while_wanted<T>(sender: &Sender<Sent>, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        () = sender.closed() => None,
        done = work => Some(done),
    }
}
