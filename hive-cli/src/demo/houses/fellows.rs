//! What trials of fellows' conduct share: corridors, and who blames whom.

use crate::demo::stage::Stage;
use crate::failure::Failure;
use hive_core::{FlagRow, Reply};
use hive_node::control::CommandName as C;
use hive_policy::conduct::FlagKind;
use hive_types::{ChannelId, ChannelPolicy, Millis, Msat, Ppm};
use serde_json::Value;

/// One direction of a channel between fellows: who forwards out through it, to whom, at what policy.
pub(super) struct Corridor {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) channel: ChannelId,
    pub(super) policy: ChannelPolicy,
}

impl Corridor {
    /// Whether forwarding through it costs nothing.
    pub(super) fn is_free(&self) -> bool {
        (self.policy.base, self.policy.rate) == (Msat::ZERO, Ppm::ZERO)
    }
}

/// Every corridor of the fleet, as the world has it.
pub(super) fn corridors(stage: &Stage) -> Vec<Corridor> {
    let world = stage.ground.world();
    let place_of = |node| stage.members.iter().position(|member| member.node == node);
    let mut corridors = Vec::new();
    for channel in world.channels() {
        let [Some(one), Some(other)] = channel.nodes.map(place_of) else {
            continue;
        };
        for (side, (from, to)) in [(one, other), (other, one)].into_iter().enumerate() {
            corridors.push(Corridor {
                from,
                to,
                channel: channel.id,
                policy: channel.policies[side],
            });
        }
    }
    corridors
}

/// A node's operator sets the rate of all its corridors by hand.
pub(super) fn charge(stage: &Stage, place: usize, rate: Ppm) -> Result<(), Failure> {
    let node = stage.members[place].node;
    for corridor in corridors(stage) {
        if corridor.from != place {
            continue;
        }
        let policy = ChannelPolicy {
            base: Msat::ZERO,
            rate,
            ..corridor.policy
        };
        let mut world = stage.ground.world();
        let set = world.set_policy(node, corridor.channel, policy);
        set.map_err(|error| crate::demo::setting::impossible(&error))?;
    }
    stage.ground.ring();
    Ok(())
}

/// What one member blames another one for.
pub(super) async fn flags(stage: &Stage, by: usize, whom: usize) -> Vec<FlagRow> {
    let reply = stage.members[by].ask(C::HiveMembers, Value::Null).await;
    let Ok(Reply::Members(rows)) = reply else {
        return Vec::new();
    };
    let node = stage.members[whom].node;
    let row = rows.into_iter().find(|row| row.node_id == node);
    row.map(|row| row.flags).unwrap_or_default()
}

/// Members that blame one for this.
pub(super) async fn blamers(stage: &Stage, whom: usize, kind: FlagKind) -> Vec<usize> {
    let mut blamers = Vec::new();
    for by in 0..stage.members.len() {
        let rows = flags(stage, by, whom).await;
        if rows.iter().any(|row| row.kind == kind) {
            blamers.push(by);
        }
    }
    blamers
}

/// Blames of anybody but one, in words.
pub(super) async fn other_blames(stage: &Stage, guilty: usize) -> Vec<String> {
    let mut blames = Vec::new();
    for whom in (0..stage.members.len()).filter(|whom| *whom != guilty) {
        for by in 0..stage.members.len() {
            let rows = flags(stage, by, whom).await;
            let (by, whom) = (&stage.members[by].name, &stage.members[whom].name);
            let words = rows.into_iter().map(|row| row.evidence);
            blames.extend(words.map(|evidence| format!("{by} blames {whom}: {evidence}")));
        }
    }
    blames
}

/// Places of the fellows with a channel to one.
pub(super) fn neighbours(stage: &Stage, place: usize) -> Vec<usize> {
    let corridors = corridors(stage).into_iter();
    let to = corridors.filter(|corridor| corridor.to == place);
    let mut neighbours: Vec<usize> = to.map(|corridor| corridor.from).collect();
    neighbours.sort_unstable();
    neighbours.dedup();
    neighbours
}

/// How long something took, in words.
pub(super) fn took(stage: &Stage, begun: hive_types::UnixMillis) -> Millis {
    Millis::new(stage.ground.now().get().saturating_sub(begun.get()))
}
