//! Payments of people who are no members, along ways that are chosen for them.

use crate::demo::setting::impossible;
use crate::demo::stage::Stage;
use crate::failure::Failure;
use hive_proto::tagged_hash;
use hive_sim::world::{ChannelInfo, World};
use hive_types::{ChannelPolicy, Msat, NodeId, RouteHop};

/// Blocks that the last HTLC lasts.
const FINAL_BLOCKS: u32 = 40;

/// Pays from the first node to the last one along all between, at the fees that are announced now.
/// `number` makes the payment another one than those before.
pub(super) fn pay_along(
    stage: &Stage,
    nodes: &[NodeId],
    amount: Msat,
    number: u64,
) -> Result<(), Failure> {
    let (Some(from), Some(to)) = (nodes.first(), nodes.last()) else {
        return Ok(());
    };
    let mut world = stage.ground.world();
    let hops = route(&world, nodes, amount);
    let hops = hops.ok_or_else(|| Failure::Internal("outsiders have no way".to_owned()))?;
    let parts: [&[u8]; 3] = [from.as_bytes(), to.as_bytes(), &number.to_le_bytes()];
    let preimage = tagged_hash("hive/demo outsiders", &parts).to_bytes();
    let hash = world.create_invoice(*to, preimage, amount);
    let hash = hash.map_err(|error| impossible(&error))?;
    // A way that is dry brings nothing; what was forwarded shows in the forwarders' figures.
    let _ = world.send_route(*from, hash, &hops);
    Ok(())
}

/// The hops from the last to the first: each forwarder asks its policy of the channel that it pays out by.
fn route(world: &World, nodes: &[NodeId], amount: Msat) -> Option<Vec<RouteHop>> {
    let mut hops = Vec::new();
    let (mut carried, mut blocks) = (amount, FINAL_BLOCKS);
    for pair in nodes.windows(2).rev() {
        let [near, far] = pair else { continue };
        let channel = between(world, near, far)?;
        hops.push(RouteHop {
            channel: channel.scid?,
            to: *far,
            amount: carried,
            cltv_blocks: blocks,
        });
        let policy = policy_of(&channel, near);
        carried = carried.checked_add(policy.fee(carried)?)?;
        blocks += u32::from(policy.cltv_delta);
    }
    hops.reverse();
    Some(hops)
}

fn between(world: &World, one: &NodeId, other: &NodeId) -> Option<ChannelInfo> {
    let mut channels = world.channels();
    channels.find(|channel| channel.nodes.contains(one) && channel.nodes.contains(other))
}

fn policy_of(channel: &ChannelInfo, node: &NodeId) -> ChannelPolicy {
    channel.policies[usize::from(channel.nodes[1] == *node)]
}
