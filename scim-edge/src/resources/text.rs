//! Answers as JSON text. Where a group has more members than came with it, the text has a gap, which [`members`] fills as
//! the answer is sent.
//!
//! [`members`]: super::members

use serde_json::{Map, Value as Json};

use crate::respond::written;
use crate::scim::group::MEMBERS;
use crate::scim::list_response;

/// A rendered resource as the client wants it.
pub struct Rendered {
    pub resource: Map<String, Json>,
    pub more: Option<More>,
}

/// Members that follow those that are here.
#[derive(Clone, Debug)]
pub struct More {
    pub group_id: String,
    pub page_token: String,
}

/// One page of the results of a query.
pub struct Listed {
    pub total: i64,
    pub resources: Vec<Rendered>,
}

/// A piece of an answer.
pub enum Part {
    Text(Vec<u8>),
    Members {
        more: More,
        /// Whether a value stands before them.
        follow: bool,
    },
}

/// The text of one resource.
pub fn one(rendered: Rendered) -> Vec<Part> {
    let mut writer = Writer::default();
    writer.resource(rendered);
    writer.finish()
}

/// The text of a page, whose first resource has the index `start_index`.
pub fn list(listed: Listed, start_index: i64) -> Vec<Part> {
    let head = list_response::head(listed.resources.len(), listed.total, start_index);
    let mut writer = Writer::default();
    writer.open_list(head, list_response::RESOURCES);
    for (index, rendered) in listed.resources.into_iter().enumerate() {
        if index > 0 {
            writer.text.push(b',');
        }
        writer.resource(rendered);
    }
    writer.text.extend(b"]}");
    writer.finish()
}

#[derive(Default)]
struct Writer {
    parts: Vec<Part>,
    /// What follows the last part.
    text: Vec<u8>,
}

impl Writer {
    fn resource(&mut self, rendered: Rendered) {
        let Rendered { mut resource, more } = rendered;
        let Some(more) = more else {
            self.text.extend(written(&Json::Object(resource)));
            return;
        };
        let members = resource.shift_remove(MEMBERS);
        let members = members.as_ref().and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
        self.open_list(resource, MEMBERS);
        push_values(members, &mut self.text);
        let follow = !members.is_empty();
        self.parts.push(Part::Text(std::mem::take(&mut self.text)));
        self.parts.push(Part::Members { more, follow });
        self.text.extend(b"]}");
    }

    /// Writes an object, which has members, up to the values of a last one, which is a list.
    fn open_list(&mut self, object: Map<String, Json>, name: &str) {
        self.text.extend(written(&Json::Object(object)));
        self.text.pop();
        self.text.extend(format!(",\"{name}\":[").into_bytes());
    }

    fn finish(mut self) -> Vec<Part> {
        self.parts.push(Part::Text(self.text));
        self.parts
    }
}

/// Writes values with commas between them.
pub fn push_values(values: &[Json], text: &mut Vec<u8>) {
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            text.push(b',');
        }
        text.extend(written(value));
    }
}
