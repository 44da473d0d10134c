//! What operations on members come to. Members are a set, so any number of operations in order is one change: whether all
//! leave first, who comes, who goes. Pure.

use std::collections::{BTreeMap, BTreeSet};

use identity_proto::identity::v1::{ErrorReason, MemberChange};
use uuid::Uuid;

use crate::{Error, keys};

/// How many ids one request may name.
pub(super) const MAX_IDS: usize = 100_000;
/// How many ids an event lists.
const MAX_TOLD: usize = 1_000;
/// How many ids that name nobody an event or a message lists, and how much of each.
const MAX_LEFT_OUT: usize = 100;
const MAX_ID: usize = 64;
/// How long the name of a member may be, in bytes.
const MAX_NAME: usize = 1_000;

/// A member as a client names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Named<'a> {
    pub(super) id: &'a str,
    pub(super) display: Option<&'a str>,
}

/// A change of the members, whoever they are now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Delta {
    /// All leave who are not in `add`.
    pub(super) clear: bool,
    /// With the names that they are given in the group, if any.
    add: BTreeMap<Uuid, Option<String>>,
    /// Never holds what `add` holds; empty after `clear`.
    pub(super) remove: BTreeSet<Uuid>,
    /// Texts to be added that are no ids, and so nobody's.
    malformed: BTreeSet<String>,
}

impl Delta {
    /// These are the members, and nobody else.
    pub(super) fn exactly<'a>(members: impl IntoIterator<Item = Named<'a>>) -> Self {
        let mut delta = Delta::default();
        delta.clear();
        delta.add(members);
        delta
    }

    /// All leave.
    pub(super) fn clear(&mut self) {
        *self = Delta {
            clear: true,
            ..Delta::default()
        };
    }

    /// These come. Of a name that is given twice the last one stands.
    pub(super) fn add<'a>(&mut self, members: impl IntoIterator<Item = Named<'a>>) {
        for Named { id: text, display } in members {
            if let Some(id) = keys::id(text) {
                self.remove.remove(&id);
                self.add.insert(id, display.map(str::to_owned));
            } else {
                let end = text.floor_char_boundary(MAX_ID);
                self.malformed.insert(text.get(..end).unwrap_or_default().to_owned());
            }
        }
    }

    /// These go. Whoever is nobody is no member.
    pub(super) fn remove<'a>(&mut self, ids: impl IntoIterator<Item = &'a str>) {
        for id in ids.into_iter().filter_map(keys::id) {
            self.add.remove(&id);
            if !self.clear {
                self.remove.insert(id);
            }
        }
    }

    /// Who is to come.
    pub(super) fn ids(&self) -> Vec<Uuid> {
        self.add.keys().copied().collect()
    }

    /// Their names, in the same order.
    pub(super) fn names(&self) -> Vec<Option<String>> {
        self.add.values().cloned().collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.clear && self.add.is_empty() && self.remove.is_empty()
    }

    /// Refuses what no statement should carry.
    pub(super) fn check_size(&self) -> Result<(), Error> {
        let mut names = self.add.values().flatten();
        if let Some(name) = names.find(|name| name.len() > MAX_NAME || name.contains('\0')) {
            let start = name.get(..name.floor_char_boundary(MAX_ID)).unwrap_or_default();
            let message =
                format!("members.display may hold {MAX_NAME} bytes and no NUL, unlike {start:?}…; leave it out");
            return Err(Error::new(ErrorReason::InvalidValue, message));
        }
        let named = self.add.len() + self.remove.len() + self.malformed.len();
        if named <= MAX_IDS {
            return Ok(());
        }
        let message =
            format!("one request may name {MAX_IDS} members, and this one names {named}; send the rest in others");
        Err(Error::new(ErrorReason::TooMany, message))
    }

    /// Takes out those who are nobody, and names them.
    pub(super) fn leave_out(&mut self, nobody: &[Uuid]) -> Vec<String> {
        let unknown = nobody
            .iter()
            .filter(|id| self.add.remove(*id).is_some())
            .map(Uuid::to_string);
        let mut left_out: Vec<String> = unknown.collect();
        left_out.extend(std::mem::take(&mut self.malformed));
        left_out
    }

    /// As an event tells it.
    pub(super) fn told(&self, left_out: &[String]) -> Option<MemberChange> {
        if self.is_empty() && left_out.is_empty() {
            return None;
        }
        let unlisted = self.add.len() + self.remove.len() > MAX_TOLD;
        let listed = |ids: &mut dyn Iterator<Item = &Uuid>| {
            if unlisted {
                Vec::new()
            } else {
                ids.map(Uuid::to_string).collect()
            }
        };
        Some(MemberChange {
            all_removed: self.clear,
            added: listed(&mut self.add.keys()),
            removed: listed(&mut self.remove.iter()),
            unlisted,
            left_out: left_out.iter().take(MAX_LEFT_OUT).cloned().collect(),
        })
    }
}

/// The refusal of members that are nobody.
pub(super) fn unknown(left_out: &[String]) -> Error {
    let named = left_out
        .iter()
        .take(3)
        .map(|id| format!("{id:?}"))
        .collect::<Vec<_>>()
        .join(", ");
    let more = match left_out.len() {
        ..=3 => String::new(),
        all => format!(" and {} more", all - 3),
    };
    let message =
        format!("members: {named}{more} is the id of no user and no group; create the member first, or leave it out");
    Error::new(ErrorReason::InvalidValue, message).with("attribute", "members")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn named(ids: &[String]) -> impl Iterator<Item = Named<'_>> {
        ids.iter().map(|id| Named { id, display: None })
    }

    fn text(number: u8) -> String {
        Uuid::from_u128(number.into()).to_string()
    }

    #[derive(Clone, Debug)]
    enum Step {
        Clear,
        Add(Vec<u8>),
        Remove(Vec<u8>),
    }

    fn step() -> impl Strategy<Value = Step> {
        let ids = || prop::collection::vec(0..6_u8, 0..4);
        prop_oneof![
            Just(Step::Clear),
            ids().prop_map(Step::Add),
            ids().prop_map(Step::Remove)
        ]
    }

    proptest! {
        #[test]
        fn any_order_of_operations_is_one_change(
            before in prop::collection::btree_set(0..6_u8, 0..6), steps in prop::collection::vec(step(), 0..6),
        ) {
            let (mut members, mut delta) = (before.clone(), Delta::default());
            for step in steps {
                match step {
                    Step::Clear => {
                        members.clear();
                        delta.clear();
                    }
                    Step::Add(ids) => {
                        delta.add(named(&ids.iter().map(|id| text(*id)).collect::<Vec<_>>()));
                        members.extend(ids);
                    }
                    Step::Remove(ids) => {
                        delta.remove(ids.iter().map(|id| text(*id)).collect::<Vec<_>>().iter().map(String::as_str));
                        members.retain(|id| !ids.contains(id));
                    }
                }
            }
            let kept = before.iter().map(|id| Uuid::from_u128((*id).into()));
            let kept = kept.filter(|id| !delta.clear && !delta.remove.contains(id));
            let after: BTreeSet<Uuid> = kept.chain(delta.ids()).collect();
            prop_assert_eq!(after, members.iter().map(|id| Uuid::from_u128((*id).into())).collect());
            prop_assert!(delta.ids().iter().all(|id| !delta.remove.contains(id)));
        }
    }

    #[test]
    fn who_is_nobody_is_left_out_by_name() {
        let mut delta = Delta::default();
        let (known, unknown) = (text(1), text(2));
        delta.add(named(&[
            known.clone(),
            unknown.clone(),
            "nobody".to_owned(),
            known.replace('0', "A"),
        ]));
        let left_out = delta.leave_out(&[Uuid::from_u128(2)]);
        assert_eq!(delta.ids(), [Uuid::from_u128(1)]);
        assert_eq!(left_out.len(), 3, "{left_out:?}");
        assert!(super::unknown(&left_out).message.contains(&unknown));
        assert_eq!(delta.told(&left_out).unwrap().left_out, left_out);
    }

    #[test]
    fn a_name_goes_with_its_id_and_is_bounded() {
        let (one, long) = (text(1), "x".repeat(MAX_NAME + 1));
        let member = |display| Named { id: &one, display };
        let mut delta = Delta::default();
        delta.add([member(Some("Ann")), member(Some("Ann B."))]);
        assert_eq!((delta.ids().len(), delta.names()), (1, vec![Some("Ann B.".to_owned())]));
        assert!(delta.check_size().is_ok());
        delta.add([member(Some(&long))]);
        assert_eq!(delta.check_size().unwrap_err().reason, ErrorReason::InvalidValue);
    }

    #[test]
    fn what_is_too_much_to_tell_is_not_listed() {
        let ids: Vec<_> = (0..=MAX_TOLD)
            .map(|number| Uuid::from_u128(number as u128).to_string())
            .collect();
        let mut delta = Delta::exactly(named(&ids));
        let told = delta.told(&[]).unwrap();
        assert!(told.unlisted && told.all_removed && told.added.is_empty());
        delta.remove([ids[0].as_str()]);
        assert_eq!(delta.told(&[]).unwrap().added.len(), MAX_TOLD);
        assert_eq!(Delta::default().told(&[]), None);
    }
}
