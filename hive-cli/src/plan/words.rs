//! A plan as people read it.

use super::outcome::{MemberFacts, Open, Outcome};
use crate::columns::{grouped, sat_of_msat, table};
use crate::markup::cut;
use hive_types::{NodeId, Ppm};

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
            match open.fellow {
                true => member(&open.target),
                false => name(open.target_alias.as_deref(), &open.target),
            },
            open.target.to_string(),
            grouped(open.capacity_sat.get()),
            open.assumed_rate_ppm.get().to_string(),
            sat_of_msat(open.value_msat_per_day.get()),
        ]
    };
    let rows: Vec<_> = outcome.opens.iter().enumerate().map(row).collect();
    let head = [
        "",
        "member",
        "opens to",
        "node id",
        "sat",
        "ppm",
        "sat a day",
    ];
    let table = table(&head, rows, "Nothing is worth opening.");
    let why = outcome.opens.iter().enumerate();
    let why = why.map(|(number, open)| format!("{}. {}", number + 1, open.explanation.summary));
    let why: Vec<String> = why.collect();
    [table, why.join("\n")].join("\n\n").trim_end().to_owned()
}

fn sums(outcome: &Outcome) -> String {
    let before = sat_of_msat(outcome.revenue_before_msat_per_day.get());
    let after = sat_of_msat(outcome.revenue_after_msat_per_day.get());
    let mut lines = vec![format!(
        "On the payments that the plan was made for: {after} sat a day, {before} before, {} of payments.",
        percent(outcome.share_after_ppm)
    )];
    if let Some(fair) = outcome.held_out {
        lines.push(format!(
            "On {} payments that it was not made for: {} sat a day (95 %: {} to {}), {} of payments ({} to {}). Trust these.",
            grouped(fair.payments.into()),
            sat_of_msat(fair.revenue.get()),
            sat_of_msat(fair.revenue_low.get()),
            sat_of_msat(fair.revenue_high.get()),
            percent(fair.share),
            percent(fair.share_low),
            percent(fair.share_high)
        ));
    }
    lines.push(format!(
        "Took {} s{}.",
        outcome.wall_seconds,
        if outcome.work.cut {
            " and was CUT by a limit: more time may find better"
        } else {
            ""
        }
    ));
    lines.join("\n")
}

fn percent(share: Ppm) -> String {
    format!("{:.2} %", f64::from(share.get()) / 10_000.0)
}
