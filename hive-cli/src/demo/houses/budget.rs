//! Twenty proposals, and a budget for two.

use super::{Dweller, Findings, House, Street};
use crate::demo::report::Trials;
use crate::demo::setting::{self, Wishes};
use crate::demo::stage::Stage;
use crate::demo::trials::pending;
use crate::failure::Failure;
use hive_node::control::CommandName as C;
use hive_policy::LimitSettings;
use hive_types::{ActionId, Millis, Sat};
use serde_json::json;
use std::collections::BTreeSet;

/// Proposals that are approved at once.
const PROPOSALS: usize = 20;

/// Channels that the operator lets the node plan: more, as some come to nothing before they are asked.
const SLOTS: u32 = 26;

/// Channels that the day's capital is enough for.
const AFFORDED: usize = 2;

/// The limit that the others run into.
const LIMIT: &str = "capital_per_day";

/// Capacity of every channel that is proposed.
const CHANNEL: Sat = Sat::new(1_000_000);

/// What the node has on chain: enough for all.
const WALLET: Sat = Sat::new(40_000_000);

/// One node, whose operator lets it plan twenty channels and pays for two a day.
pub(super) fn play(street: &Street<'_>) -> Result<Option<Findings>, Failure> {
    let (world, node, graph) = setting::lone_node("budget", street.seed, WALLET)?;
    let mut wishes = Wishes::usual(&graph);
    wishes.limits = LimitSettings {
        capital_per_day: Sat::new(CHANNEL.get() * AFFORDED as u64),
        opens_per_day: SLOTS,
        channel_min: CHANNEL,
        channel_max: CHANNEL,
        ..wishes.limits
    };
    wishes.capital = Sat::new(CHANNEL.get() * u64::from(SLOTS));
    wishes.slots = SLOTS;
    let greta = Dweller {
        name: "greta",
        node,
        wishes,
    };
    House::new(street, world, &[greta])?.play(twenty_proposals)
}

/// Every proposal is approved at once, again after a crash in the middle of it, and again after a
/// restart: the chain shows two fundings.
async fn twenty_proposals(stage: &mut Stage, trials: &mut Trials) -> Result<(), Failure> {
    const NAME: &str = "twenty_proposals";
    stage.found(0).await?;
    let all_wait = async || pending(&stage.members[0]).await.len() >= PROPOSALS;
    stage.until(Millis::from_hours(2), all_wait).await;
    let ids: BTreeSet<ActionId> = pending(&stage.members[0])
        .await
        .into_values()
        .take(PROPOSALS)
        .collect();
    let (count, name) = (ids.len(), stage.members[0].name.clone());
    stage.story.tell(&format!(
        "-- {name} has {count} proposals and a budget for {AFFORDED}; the operator approves all at once"
    ));
    let mut after = Vec::new();
    let mut over = 0;
    for round in 0..3 {
        let asked = ids.iter().map(|id| json!({"id": id.to_string()}));
        let answers = stage.members[0].call_all(C::HiveApprove, asked).await;
        let refused = answers.into_iter().filter_map(Result::err);
        over += refused
            .filter(|error| error.message.contains(LIMIT))
            .count();
        if round > 0 {
            stage.pause(Millis::from_secs(300)).await;
        }
        after.push(stage.funded(0));
        stage.members[0].crash().await;
        stage.start(0)?;
        stage.until_member(0).await;
    }
    stage.pause(Millis::from_secs(300)).await;
    after.push(stage.funded(0));
    over += refusals(stage)?;
    let most = after.iter().copied().max().unwrap_or(0);
    let held =
        count == PROPOSALS && after.last() == Some(&AFFORDED) && most == AFFORDED && over > 0;
    let how = format!(
        "{count} proposals approved at once, three times over two crashes: {after:?} channels on the chain; {over} refusals name {LIMIT}"
    );
    trials.end(NAME, held, how);
    Ok(())
}

/// Refusals in the audit log that name the limit.
fn refusals(stage: &Stage) -> Result<usize, Failure> {
    let Some(store) = stage.members[0].store() else {
        return Ok(0);
    };
    let rows = store.audit(1_000)?;
    let refused = rows.iter().filter(|row| row.entry.subject == "refuse");
    Ok(refused.filter(|row| row.entry.text.contains(LIMIT)).count())
}
