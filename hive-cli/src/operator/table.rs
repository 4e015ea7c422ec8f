//! Answers as people read them.

use crate::columns::{pairs, table};
use hive_core::{
    BanRow, BillAction, ContributionRow, LockRow, Member, PlanShown, ProposalRow, Reply, Report,
    ReputationRow, Status, VoteProposal,
};
use hive_node::control::CommandName;
use hive_node::store::{AuditChain, AuditLog, AuditRow};
use hive_proto::VoteKind;
use hive_types::{Action, Msat, RouteHop, Tier, UnixMillis};
use serde_json::Value;

/// The answer as text; JSON for what this release does not know.
pub(crate) fn render(command: CommandName, value: &Value) -> String {
    if command == CommandName::HiveLog
        && let Ok(found) = serde_json::from_value::<AuditLog>(value.clone())
    {
        return format!("{}\n{}", log(&found.rows), chain(&found.chain));
    }
    match serde_json::from_value::<Reply>(value.clone()) {
        Ok(Reply::Done(text) | Reply::Ticket(text)) => text,
        Ok(Reply::Status(found)) => status(&found),
        Ok(Reply::Members(rows)) => members(&rows),
        Ok(Reply::Proposals(rows)) => proposals(&rows),
        Ok(Reply::Plan(found)) => plan(&found),
        Ok(Reply::Mode(mode)) => format!("{mode:?}").to_lowercase(),
        Ok(Reply::Locks(rows)) => locks(&rows),
        Ok(Reply::Bans(rows)) => bans(&rows),
        Ok(Reply::Contribution(rows)) => contribution(&rows),
        Ok(Reply::Report(found)) => report(&found),
        Err(_) => format!("{value:#}"),
    }
}

fn yes_no(is_so: bool) -> String {
    if is_so { "yes" } else { "no" }.to_owned()
}

const fn tier(tier: Tier) -> &'static str {
    match tier {
        Tier::Full => "full",
        Tier::Probationary => "probationary",
    }
}

fn status(found: &Status) -> String {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "none".into());
    let mut rows = vec![
        ("node", found.node_id.to_string()),
        ("stage", found.stage.clone()),
        ("hive", or_none(found.hive.map(|hive| hive.to_string()))),
        ("tier", or_none(found.tier.map(|own| tier(own).to_owned()))),
        (
            "members",
            format!("{}, connected to {}", found.members, found.connected),
        ),
        ("decision", found.head.to_string()),
        ("state", found.state.clone()),
        ("mode", format!("{:?}", found.mode).to_lowercase()),
        (
            "tip",
            format!(
                "{}, {}",
                found.height,
                if found.synced { "synced" } else { "not synced" }
            ),
        ),
        ("proposals", format!("{} wait", found.pending)),
        ("actions", format!("{} under way", found.acting)),
    ];
    if let Some(until) = found.paused_until {
        rows.push(("paused until", time(until)));
    }
    let votes = found.votes_proposed.iter();
    rows.extend(votes.map(|vote| ("vote proposed", vote_line(vote))));
    let alerts = found.alerts.iter();
    rows.extend(alerts.map(|alert| ("ALERT", alert.clone())));
    pairs(rows)
}

fn bans(rows: &[BanRow]) -> String {
    let row = |row: &BanRow| {
        let standing = match row {
            _ if row.allowed => "allowed",
            _ if row.banned => "banned",
            _ => "accused",
        };
        let counted = row.words.iter().filter(|word| word.counts).count();
        vec![
            row.peer.to_string(),
            standing.to_owned(),
            row.reason.to_string(),
            format!("{counted} of {}", row.words.len()),
            row.said.clone().unwrap_or_default(),
        ]
    };
    let head = [
        "peer",
        "standing",
        "evidence of",
        "words that count",
        "own word",
    ];
    let empty = "nobody is banned, allowed or accused";
    table(&head, rows.iter().map(row).collect(), empty)
}

/// What is proposed, why, and what the operator would type.
fn vote_line(vote: &VoteProposal) -> String {
    let command = match vote.kind {
        VoteKind::Promote => "hive-vouch",
        VoteKind::Expel => "hive-expel",
    };
    let (subject, since) = (vote.subject, time(vote.since));
    format!("{command} {subject}: {}, since {since}", vote.reason)
}

fn members(rows: &[Member]) -> String {
    let row = |member: &Member| {
        vec![
            member.node_id.to_string(),
            tier(member.tier).to_owned(),
            yes_no(member.connected),
            yes_no(member.fresh),
            member.channels.to_string(),
            member
                .reputation
                .as_ref()
                .map_or("unknown".to_owned(), forwards),
            blames(member),
            member.software.clone(),
            member.confirmed.join(","),
        ]
    };
    let head = [
        "node",
        "tier",
        "connected",
        "fresh",
        "channels",
        "forwards",
        "blamed for",
        "software",
        "confirmed",
    ];
    let shown = table(&head, rows.iter().map(row).collect(), "no members");
    let evidence = rows.iter().flat_map(|member| {
        let flags = member.flags.iter();
        flags.map(|flag| {
            let (node, kind, since) = (member.node_id, flag.kind, time(flag.since));
            format!("{node} {kind} since {since}: {}", flag.evidence)
        })
    });
    let lines = std::iter::once(shown).chain(evidence);
    lines.collect::<Vec<_>>().join("\n")
}

/// How much of what is sent through it arrives, as far as that is known.
fn forwards(known: &ReputationRow) -> String {
    let percent = |ppm: u32| f64::from(ppm) / 10_000.0;
    let (mean, low) = (percent(known.mean_ppm), percent(known.low_ppm));
    format!("{mean:.0} %, at least {low:.0} %")
}

/// What this member blames it for, in a few words.
fn blames(member: &Member) -> String {
    let forked = member.equivocated.then(|| "FORKED".to_owned());
    let flags = member.flags.iter().map(|flag| flag.kind.to_string());
    forked
        .into_iter()
        .chain(flags)
        .collect::<Vec<_>>()
        .join(",")
}

/// Proposals are for reading: each with all its numbers.
fn proposals(rows: &[ProposalRow]) -> String {
    if rows.is_empty() {
        return "nothing is proposed".to_owned();
    }
    let one = |row: &ProposalRow| {
        let id = row.id.map(|id| format!("{id}  ")).unwrap_or_default();
        let mut lines = vec![format!("{id}{}", row.proposal.explanation.summary)];
        lines.push(format!("    {}", subject(&row.proposal.action)));
        let facts = row.proposal.explanation.facts.iter();
        lines.extend(facts.map(|(name, value)| format!("    {name}: {value}")));
        lines.push(format!("    costs at most: {}", row.proposal.cost));
        if let Some(until) = row.expires {
            lines.push(format!("    waits until: {}", time(until)));
        }
        lines.join("\n")
    };
    rows.iter().map(one).collect::<Vec<_>>().join("\n")
}

/// With whom and by which channels, in full: summaries are short, and this is what is approved.
fn subject(action: &Action) -> String {
    let way = |hops: &[RouteHop]| {
        let hops = hops
            .iter()
            .map(|hop| format!("{} to {}", hop.channel, hop.to));
        hops.collect::<Vec<_>>().join(", ")
    };
    match action {
        Action::Open(open) => {
            let announced = match open.announce {
                true => "announced",
                false => "not announced",
            };
            format!(
                "open to: {}, {announced}, at most {} sat per 1000 weight",
                open.target,
                open.feerate_ceiling.get()
            )
        }
        Action::Rebalance(moved) => format!("by: {}", way(&moved.hops)),
        Action::SetPolicy(set) => format!("channel: {}", set.channel),
        Action::Probe(probe) => format!("by: {}", way(&probe.hops)),
    }
}

/// What would be done, and why not more.
fn plan(found: &PlanShown) -> String {
    let notes = found.notes.iter().map(|note| format!("note: {note}"));
    let lines = std::iter::once(proposals(&found.proposals)).chain(notes);
    lines.collect::<Vec<_>>().join("\n")
}

fn locks(rows: &[LockRow]) -> String {
    let row = |lock: &LockRow| {
        vec![
            lock.target.to_string(),
            lock.holder.to_string(),
            lock.height.to_string(),
            lock.until.to_string(),
        ]
    };
    let head = ["target", "holder", "since block", "free at block"];
    table(&head, rows.iter().map(row).collect(), "nothing is locked")
}

fn contribution(rows: &[ContributionRow]) -> String {
    let told = |volume: Option<Msat>| volume.map_or_else(String::new, |volume| volume.to_string());
    let row = |one: &ContributionRow| {
        let ratio = one.ratio_ppm.map(|ppm| f64::from(ppm) / 1_000_000.0);
        vec![
            one.node_id.to_string(),
            one.forwarded_for.to_string(),
            one.forwarded_by.to_string(),
            told(one.told_for),
            told(one.told_by),
            ratio.map_or_else(|| "unknown".to_owned(), |ratio| format!("{ratio:.2}")),
        ]
    };
    let head = [
        "fellow",
        "we forwarded to it",
        "it forwarded to us",
        "it says it got",
        "it says it gave",
        "ratio",
    ];
    table(&head, rows.iter().map(row).collect(), "no fellows")
}

fn report(found: &Report) -> String {
    let sums = report_sums(found);
    let row = |row: &BillAction| {
        let earned = row
            .earned
            .map(|earned| earned.to_string())
            .unwrap_or_default();
        vec![time(row.at), row.what.clone(), row.cost.to_string(), earned]
    };
    let head = ["time (UTC)", "what", "cost", "earned since"];
    let rows = found.actions.iter().map(row).collect();
    format!("{sums}\n{}", table(&head, rows, "no actions"))
}

fn report_sums(found: &Report) -> String {
    pairs(vec![
        (
            "opened",
            format!(
                "{} channels with {} for {} on chain",
                found.opens, found.opened, found.open_fees
            ),
        ),
        (
            "rebalanced",
            format!("{} times for {}", found.rebalances, found.rebalance_fees),
        ),
        (
            "earned",
            format!("{} in {} days", found.earned, found.period_days),
        ),
        ("by opened channels", found.earned_by_opens.to_string()),
        (
            "forgone",
            format!(
                "{} on {} over free corridors",
                found.forgone, found.corridor_volume
            ),
        ),
        ("net of the hive", format!("{} msat", found.net_msat)),
        (
            "reserved",
            format!("{} for actions whose end is unknown", found.reserved),
        ),
    ])
}

fn log(rows: &[AuditRow]) -> String {
    let row = |one: &AuditRow| {
        vec![
            one.seq.to_string(),
            time(one.entry.wall),
            one.entry.subject.clone(),
            one.entry.text.clone(),
        ]
    };
    let head = ["no", "time (UTC)", "about", "what"];
    table(&head, rows.iter().map(row).collect(), "the log is empty")
}

/// Whether the log can be believed.
fn chain(found: &AuditChain) -> String {
    match found.broken_at {
        Some(row) => format!(
            "row {row} was changed or the one before it is missing: trust no row from there on, and find out who writes to the store"
        ),
        None => format!(
            "{} rows from number {} on fit together: none was changed",
            found.rows, found.from
        ),
    }
}

/// A moment in UTC. The civil date by Howard Hinnant's `civil_from_days`.
fn time(moment: UnixMillis) -> String {
    let secs = moment.get() / 1_000;
    let (days, of_day) = (secs / 86_400, secs % 86_400);
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn moments_are_dates() {
        for (secs, expected) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_400, "2000-02-29 00:00:00"),
            (1_761_450_000, "2025-10-26 03:40:00"),
            (4_107_542_399, "2100-02-28 23:59:59"),
        ] {
            assert_eq!(time(UnixMillis::new(secs * 1_000)), expected);
        }
    }

    const NODE: &str = "02eec7245d6b7d2ccb30380bfbe2a3648cd7a942653f5aa340edcea1f283686619";

    #[test]
    fn members_are_shown_with_what_they_are_blamed_for() {
        let member = serde_json::json!({
            "node_id": NODE, "tier": "full", "connected": true, "fresh": true, "channels": 3,
            "equivocated": false, "software": "hive", "confirmed": [],
            "flags": [{"kind": "fees", "since": 951_782_400_000_u64, "evidence": "asks 500ppm"}],
            "reputation": {"mean_ppm": 123_000, "low_ppm": 40_000, "samples_milli": 4_000},
        });
        let shown = render(
            CommandName::HiveMembers,
            &serde_json::json!({"members": [member]}),
        );
        let evidence = format!("{NODE} fees since 2000-02-29 00:00:00: asks 500ppm");
        assert!(shown.contains(&evidence), "{shown}");
        assert!(shown.contains("12 %, at least 4 %"), "{shown}");
    }

    #[test]
    fn a_proposed_vote_is_shown_as_the_command_that_casts_it() {
        let vote = VoteProposal {
            subject: NODE.parse().unwrap(),
            kind: VoteKind::Expel,
            reason: "forwards nothing".to_owned(),
            since: UnixMillis::new(0),
        };
        let line = vote_line(&vote);
        let expected = format!("hive-expel {NODE}: forwards nothing, since 1970-01-01 00:00:00");
        assert_eq!(line, expected);
    }

    #[test]
    fn a_proposal_names_its_target_in_full() {
        let open = serde_json::json!({"target": NODE, "capacity": 600_000, "feerate_ceiling": 1_562,
            "announce": true});
        let proposal = serde_json::json!({"action": {"open": open}, "cost": 1_000,
            "value_per_day": 1, "confidence": 1_000_000,
            "explanation": {"summary": "Open 600000sat", "facts": [["days", "1"]]}});
        let row = serde_json::json!({"id": null, "expires": null, "proposal": proposal});
        let shown = render(
            CommandName::HivePending,
            &serde_json::json!({"proposals": [row]}),
        );
        let expected = format!("open to: {NODE}, announced, at most 1562 sat per 1000 weight");
        assert!(shown.contains(&expected), "{shown}");
    }

    #[test]
    fn what_is_unknown_is_shown_as_it_came() {
        let value = serde_json::json!({"new": 1});
        assert!(render(CommandName::HiveStatus, &value).contains("\"new\": 1"));
    }
}
