//! A service's own copy of a tenant, kept by events alone, and the same as SCIM shows it.

use std::collections::{BTreeMap, BTreeSet};

use e2e::scim::Scim;
use identity_proto::identity::v1::event::Payload;
use identity_proto::identity::v1::{Event, Group, MemberChange, User};
use serde_json::Value;

/// userName and active.
type Person = (String, bool);
/// displayName and members.
type Team = (String, BTreeSet<String>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    pub users: BTreeMap<String, Person>,
    pub groups: BTreeMap<String, Team>,
}

impl Model {
    /// Does what happened. To do it twice does no harm.
    pub fn apply(&mut self, event: Event) {
        match event.payload.expect("an event that this test knows") {
            Payload::UserCreated(created) => self.user(created.user),
            Payload::UserReplaced(replaced) => self.user(replaced.user),
            Payload::UserPatched(patched) => self.user(patched.user),
            Payload::UserDeleted(deleted) => {
                self.users.remove(&deleted.user_id);
                self.leaves_all(&deleted.user_id);
            }
            Payload::GroupCreated(created) => self.group(created.group, created.members),
            Payload::GroupReplaced(replaced) => self.group(replaced.group, replaced.members),
            Payload::GroupPatched(patched) => self.group(patched.group, patched.members),
            Payload::GroupDeleted(deleted) => {
                self.groups.remove(&deleted.group_id);
                self.leaves_all(&deleted.group_id);
            }
            Payload::AccessChanged(_) | Payload::TenantAccessChanged(_) | Payload::CredentialExpiring(_) => {}
        }
    }

    fn user(&mut self, user: Option<User>) {
        let user = user.expect("a user");
        let person = self.users.entry(user.id).or_default();
        // A patch of `active` alone tells nothing else.
        if !user.user_name.is_empty() {
            person.0 = user.user_name;
        }
        person.1 = user.active == Some(true);
    }

    fn group(&mut self, group: Option<Group>, change: Option<MemberChange>) {
        let group = group.expect("a group");
        assert!(group.members.is_empty(), "an event tells what changed: {group:?}");
        let mut change = change.unwrap_or_default();
        let (users, groups) = (&self.users, &self.groups);
        // Who was deleted at the same moment may be told here, after its delete.
        change
            .added
            .retain(|id| *id == group.id || users.contains_key(id) || groups.contains_key(id));
        let team = self.groups.entry(group.id).or_default();
        team.0 = group.display_name;
        assert!(!change.unlisted, "so few are listed");
        if change.all_removed {
            team.1.clear();
        }
        for gone in &change.removed {
            team.1.remove(gone);
        }
        team.1.extend(change.added);
    }

    fn leaves_all(&mut self, member: &str) {
        for (_, members) in self.groups.values_mut() {
            members.remove(member);
        }
    }

    /// What SCIM shows now. There must be fewer than 1,000 of a type.
    pub async fn of_scim(scim: &Scim) -> Model {
        let list = async |path: &str| -> Vec<Value> {
            let answer = scim.get(&format!("{path}?count=1000")).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            answer.json["Resources"].as_array().cloned().unwrap_or_default()
        };
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let person = |user: Value| (text(&user["id"]), (text(&user["userName"]), user["active"] == true));
        let team = |group: Value| {
            let members = group["members"].as_array().cloned().unwrap_or_default();
            let members = members.iter().map(|one| text(&one["value"])).collect();
            (text(&group["id"]), (text(&group["displayName"]), members))
        };
        Model {
            users: list("/Users").await.into_iter().map(person).collect(),
            groups: list("/Groups").await.into_iter().map(team).collect(),
        }
    }
}
