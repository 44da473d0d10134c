//! What the edge's parsers promise for any input whatever, as functions that panic when a promise is broken. The fuzz
//! targets call them with what libFuzzer makes up; `scim-edge/tests/corpus.rs` includes this file and calls them with
//! the seeds.

use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;

use identity_proto::filter::MAX_TEXT;
use identity_proto::identity::v1::patch_operation::Op;
use identity_proto::identity::v1::{AttributePath, Filter, PatchOperation};
use identity_proto::schema::{Mutability, Target, USER};
use prost::Message;
use scim_edge::scim::quirks::Quirks;
use scim_edge::scim::{filter, json, patch, path, user};

/// An eighth of what a worker thread of tokio has.
const SMALL_STACK: usize = 256 * 1024;
const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
const BASE: &str = "https://scim.test/scim/v2";

/// The RFCs to the letter first: what they allow is read by every profile.
const PROFILES: [Quirks; 2] = [Quirks::STRICT, Quirks::INTEROP];

/// Runs a check on a stack so small that recursion which grows with the input would show.
pub struct SmallStack {
    inputs: SyncSender<Vec<u8>>,
    passed: Receiver<()>,
}

impl SmallStack {
    /// Starts the thread, which is kept from input to input: starting one takes longer than most checks.
    pub fn of(check: fn(&[u8])) -> Self {
        let (inputs, arriving) = mpsc::sync_channel::<Vec<u8>>(0);
        let (pass, passed) = mpsc::sync_channel(0);
        let run = move || {
            arriving.iter().all(|input| {
                check(&input);
                pass.send(()).is_ok()
            })
        };
        let thread = thread::Builder::new().stack_size(SMALL_STACK);
        thread.spawn(run).expect("a thread can be started");
        SmallStack { inputs, passed }
    }

    /// Panics if the check does.
    pub fn check(&self, input: &[u8]) {
        let sent = self.inputs.send(input.to_vec());
        assert!(
            sent.is_ok() && self.passed.recv().is_ok(),
            "{}",
            String::from_utf8_lossy(input)
        );
    }
}

/// `GET /Users?filter=…`: what is accepted is within the limits, prints as a filter of the same meaning, and reaches the
/// core whole; what the RFC allows means the same to every profile.
pub fn check_filter(text: &[u8]) {
    let Ok(text) = str::from_utf8(text) else { return };
    let [strict, interop] = PROFILES.map(|quirks| filter::parse(&USER, text, quirks));
    assert!(strict.is_err() || strict == interop, "{text}");
    for read in [strict, interop].iter().flatten() {
        sound_filter(read);
        let printed = read.to_string();
        // What is printed may be longer than what was sent: names are whole there.
        if printed.len() <= MAX_TEXT {
            assert_eq!(
                filter::parse(&USER, &printed, Quirks::STRICT).as_ref(),
                Ok(read),
                "{text}"
            );
        }
    }
}

/// A path of PATCH: what is accepted leads to an attribute, and prints as a path of the same meaning.
pub fn check_path(text: &[u8]) {
    let Ok(text) = str::from_utf8(text) else { return };
    for quirks in PROFILES {
        let Ok(read) = path::parse(&USER, text, quirks) else {
            continue;
        };
        let Some(target) = USER.target(&read.path) else {
            panic!("{text}: {} leads nowhere", read.path)
        };
        assert_eq!(format!("{target:?}"), format!("{:?}", read.target), "{text}");
        let mut printed = read.path.to_string();
        if let Some(filter) = &read.value_filter {
            sound_filter(filter);
            let bare = AttributePath {
                sub_attribute: String::new(),
                ..read.path.clone()
            };
            let sub = printed.split_off(bare.to_string().len());
            printed = format!("{bare}[{filter}]{sub}");
        }
        if printed.len() <= MAX_TEXT {
            let again = path::parse(&USER, &printed, Quirks::STRICT);
            let again = again.unwrap_or_else(|refusal| panic!("{text}: {printed}: {refusal:?}"));
            assert_eq!(
                (again.path, again.value_filter),
                (read.path, read.value_filter),
                "{text}"
            );
        }
    }
}

/// The body of `PATCH /Users/{id}`: every operation names an attribute that may be written, and has a value unless it
/// removes.
pub fn check_patch(body: &[u8]) {
    let Ok(map) = json::parse(body) else { return };
    for quirks in PROFILES {
        let Ok(operations) = patch::parse(&USER, map.clone(), ID, quirks) else {
            continue;
        };
        assert!(operations.len() <= patch::MAX_OPERATIONS);
        operations.iter().for_each(sound_operation);
    }
}

/// The body of POST and PUT: what is accepted is the same user when its rendering is sent back, which is `PUT(GET(x))`.
pub fn check_user(body: &[u8]) {
    let Ok(map) = json::parse(body) else { return };
    for quirks in PROFILES {
        let Ok(input) = user::parse(map.clone(), quirks) else {
            continue;
        };
        assert!(!input.user.user_name.contains('\0'));
        survives_the_wire(&input.user);
        let rendered = user::render(&input.user, BASE);
        for quirks in PROFILES {
            let again = user::parse(rendered.clone(), quirks);
            let again = again.unwrap_or_else(|refusal| panic!("{rendered:?}: {refusal:?}"));
            assert_eq!(again.user, input.user);
            assert_eq!(again.password, None, "a password is never rendered");
        }
    }
}

fn sound_filter(filter: &Filter) {
    assert!(filter.within_limits(), "{filter}");
    survives_the_wire(filter);
}

fn sound_operation(operation: &PatchOperation) {
    let path = operation.path.as_ref().expect("an operation has a path");
    let target = USER.target(path).unwrap_or_else(|| panic!("{path} leads nowhere"));
    let op = operation.op();
    assert!(op != Op::Unspecified, "{operation:?}");
    assert_eq!(operation.value.is_none(), op == Op::Remove, "{operation:?}");
    match target {
        Target::Attribute(attribute, sub) => {
            let leaf = sub.unwrap_or(attribute);
            assert!(
                attribute.mutability != Mutability::ReadOnly && leaf.mutability != Mutability::ReadOnly,
                "{path}"
            );
            assert!(
                operation.value_filter.is_none() || attribute.multi_valued,
                "{operation:?}"
            );
        }
        Target::Extension(_) => assert!(operation.value_filter.is_none(), "{operation:?}"),
    }
    operation.value_filter.iter().for_each(sound_filter);
    survives_the_wire(operation);
}

/// The core decodes what the edge sends: prost stops at 100 levels.
fn survives_the_wire<M: Message + Default + PartialEq>(message: &M) {
    let decoded = M::decode(message.encode_to_vec().as_slice());
    assert!(
        decoded.is_ok_and(|decoded| decoded == *message),
        "the message changed on the wire"
    );
}
