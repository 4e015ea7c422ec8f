//! A plan as people read it.

use super::outcome::{MemberFacts, Open, Outcome};
use crate::columns::{grouped, sat_of_msat, table};
use crate::markup::cut;
use hive_types::NodeId;

/// Characters of a name in a table.
const NAME: usize = 24;

pub(super) fn tell(outcome: &Outcome) -> String {
    let mut parts = vec![members(outcome), opens(outcome)];
    parts.push(sums(outcome));
    parts.extend(outcome.notes.iter().map(|note| format!("note: {note}")));
    parts.join("\n\n")
}

fn members(outcome: &Outcome) -> String {
    let row = |(place, member): (usize, &MemberFacts)| {
        vec![
            member_name(place, member),
            member.node_id.to_string(),
            match member.in_graph {
                true => format!(
                    "{} channels, {} sat",
                    grouped(member.channels as u64),
                    grouped(member.capacity_sat.get())
                ),
                false => "new: not in the graph".into(),
            },
        ]
    };
    let rows = outcome.members.iter().enumerate().map(row).collect();
    table(&["member", "node id", "there already"], rows, "no members")
}

fn member_name(place: usize, member: &MemberFacts) -> String {
    let number = format!("member {}", place + 1);
    cut(member.alias.as_deref().unwrap_or(&number), NAME)
}

fn name(alias: Option<&str>, node: &NodeId) -> String {
    cut(alias.unwrap_or(&node.short()), NAME)
}

fn opens(outcome: &Outcome) -> String {
    let member = |id: &NodeId| {
        let place = outcome
            .members
            .iter()
            .position(|member| member.node_id == *id);
        place.map_or_else(
            || id.short(),
            |place| member_name(place, &outcome.members[place]),
        )
    };
    let row = |(number, open): (usize, &Open)| {
        vec![
            (number + 1).to_string(),
            member(&open.member),
            name(open.target_alias.as_deref(), &open.target),
            open.target.to_string(),
            grouped(open.capacity_sat.get()),
            sat_of_msat(open.value_msat_per_day.get()),
        ]
    };
    let rows = outcome.opens.iter().enumerate().map(row).collect();
    let head = ["", "member", "opens to", "node id", "sat", "sat a day"];
    table(&head, rows, "Nothing is worth opening.")
}

fn sums(outcome: &Outcome) -> String {
    let before = outcome.revenue_before_msat_per_day.get();
    let after = outcome.revenue_after_msat_per_day.get();
    format!(
        "Together the channels earn {} sat a day after it, {} before, on the payments that the plan was made for.\n\
         Took {} s{}.",
        sat_of_msat(after),
        sat_of_msat(before),
        outcome.wall_seconds,
        if outcome.cut {
            " and was CUT by a limit: a longer run may find better"
        } else {
            ""
        }
    )
}
