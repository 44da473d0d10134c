//! Groups: one member comes or goes, in groups of very different sizes, and whole groups are read.

mod fill;
mod whole;

use anyhow::{Result, ensure};
use e2e::measure::script::Vary;

use crate::data::{Changing, Data, FIRST, GROUP, ID, id};
use crate::limits::Variation;
use crate::operations::Operation;
use crate::options::Options;
use crate::report::Row;
use crate::requests::{Request, patch_member};
use crate::stage::{DATABASE, Stage};

pub use whole::{Reading, table};

/// So many groups change at a time where it is more than one, from this number on, and so many members has each.
const SEVERAL: u64 = 16;
const FIRST_OF_SEVERAL: u64 = GROUP + 100;
const SIZE_OF_SEVERAL: u32 = 1_000;

/// The groups that are read whole.
const READ: std::ops::RangeInclusive<u32> = 1_000..=100_000;

/// Changes, then whole groups.
pub async fn measure(stage: &mut Stage, data: &mut Data, options: &Options) -> Result<(Vec<Row>, Vec<Reading>)> {
    let sizes = options.groups();
    let Some(&largest) = sizes.last() else {
        return Ok((Vec::new(), Vec::new()));
    };
    eprintln!("groups of {sizes:?} members: filling");
    crate::fill::grow(stage, data, u64::from(largest) + Changing::USERS).await?;
    data.changing.first = FIRST + u64::from(largest);
    let several = SIZE_OF_SEVERAL.min(largest);
    let one_of_each: Vec<(u64, u32)> = (GROUP..).zip(sizes).collect();
    let more = (FIRST_OF_SEVERAL..).take(usize::try_from(SEVERAL)?);
    let all: Vec<(u64, u32)> = one_of_each
        .iter()
        .copied()
        .chain(more.clone().map(|number| (number, several)))
        .collect();
    fill::make(stage, data, &all).await?;

    let connections = options.connections_of_groups();
    let mut rows = Vec::new();
    if let Some(&(number, _)) = one_of_each.last() {
        data.changing.groups = vec![number];
        let operation = Operation::MemberUnforeseen;
        rows.extend(crate::measure(stage, data, operation, largest, &connections, options).await?);
        fill::settle(stage)?;
    }
    for &(number, size) in &one_of_each {
        data.changing.groups = vec![number];
        rows.extend(crate::measure(stage, data, Operation::Member, size, &connections, options).await?);
    }
    data.changing.groups = more.collect();
    let connections: Vec<u32> = connections.into_iter().filter(|count| *count > 1).collect();
    rows.extend(crate::measure(stage, data, Operation::MemberOfSeveral, several, &connections, options).await?);
    if rows.iter().all(Row::is_right) {
        check(stage, data, &all)?;
    }

    let read = one_of_each.iter().filter(|(_, size)| READ.contains(size));
    let readings = whole::measure(stage, &data.changing, read, options).await?;
    Ok((rows, readings))
}

/// The next change of a connection: each of its users comes and goes.
pub fn request(changing: &Changing, connection: u64, count: u64) -> Request {
    let turn = usize::try_from(connection).unwrap_or(0) % changing.groups.len();
    let group = changing.groups[turn];
    let user = changing.first + connection * Changing::EACH + count / 2 % Changing::EACH;
    patch_member(group, user, changing.turn(group, user))
}

/// By which change the statements are learnt, and how they differ from those of others. That a member goes is told by
/// another field of the event; the limit's events do not tell it.
pub fn model(changing: &Changing) -> (Request, Variation) {
    let (group, user) = (changing.groups[0], changing.model());
    let request = patch_member(group, user, changing.turn(group, user));
    let (first, each, groups) = (changing.first, Changing::EACH, changing.groups.len());
    let set = format!(
        "\\set i :i + 1\n\\set n {first} + :client_id * {each} + mod(:i / 2, {each})\n\
         \\set g {group} + mod(:client_id, {groups})\n\\set comes mod(:i, 2) = 0\n"
    );
    let whoever = format!("'{{{ID}' || :n::text || '}}'");
    let vary = vec![
        Vary::Whole(
            format!("{{{}}}", id(user)),
            format!("(CASE WHEN :comes::boolean THEN {whoever} ELSE '{{}}' END)"),
        ),
        Vary::Whole(
            "{}".to_owned(),
            format!("(CASE WHEN :comes::boolean THEN '{{}}' ELSE {whoever} END)"),
        ),
        Vary::Within(group.to_string(), ":g::text".to_owned()),
    ];
    let changed: Vec<String> = changing
        .groups
        .iter()
        .map(|group| format!("'{}'", id(*group)))
        .collect();
    let after = format!(
        "DELETE FROM member USING tenant WHERE member.tenant_id = tenant.tenant_id AND group_id IN ({}) AND member_id >= '{}'",
        changed.join(", "),
        id(first)
    );
    let variation = Variation {
        set,
        vary,
        after: Some(after),
    };
    (request, variation)
}

/// Every change that was answered was made, and the members are those who should be.
fn check(stage: &Stage, data: &Data, groups: &[(u64, u32)]) -> Result<()> {
    let versions = format!(
        "SELECT sum(version - 1) FROM groups WHERE group_id BETWEEN '{}' AND '{}'",
        id(GROUP),
        id(FIRST_OF_SEVERAL + SEVERAL)
    );
    let (made, wanted) = (stage.sql.run(DATABASE, &versions)?, data.changing.count.get());
    ensure!(
        made.trim() == wanted.to_string(),
        "{made} changes were made of {wanted}"
    );
    for &(number, size) in groups {
        let members = format!("SELECT count(*) FROM member WHERE group_id = '{}'", id(number));
        let members = stage.sql.run(DATABASE, &members)?;
        let wanted = usize::try_from(size)? + data.changing.members_of(number);
        ensure!(
            members.trim() == wanted.to_string(),
            "{members} members instead of {wanted}"
        );
    }
    Ok(())
}
