//! A member that leaves.

use crate::demo::script::Show;
use crate::failure::Failure;
use hive_core::Reply;
use hive_node::control::CommandName as C;
use hive_types::{ChannelId, ChannelPolicy, Millis, NodeId};
use serde_json::Value;

/// A member leaves; what joining changed is as before.
pub(crate) async fn leave(show: &mut Show) -> Result<(), Failure> {
    let place = show.stage.members.len() - 1;
    let node = show.stage.members[place].node;
    show.remember()?;
    let saved = match show.stage.members[place].store() {
        Some(store) => store.load()?.saved_fees,
        None => Vec::new(),
    };
    let text = format!("-- {} leaves", show.stage.members[place].name);
    show.stage.story.tell(&text);
    show.stage.command(place, C::HiveLeave, Value::Null).await?;
    let out = async || {
        let status = show.stage.members[place].status().await;
        status.is_some_and(|status| status.stage == "alone")
    };
    let alone = show.stage.until(Millis::from_secs(900), out).await;
    show.gone.push(place);
    let forgotten = async || {
        for other in show.staying() {
            let reply = show.stage.members[other]
                .ask(C::HiveMembers, Value::Null)
                .await;
            let is_there = match reply {
                Ok(Reply::Members(rows)) => rows.iter().any(|row| row.node_id == node),
                _ => true,
            };
            if is_there {
                return false;
            }
        }
        true
    };
    let forgotten = show.stage.until(Millis::from_secs(900), forgotten).await;
    // The fees are set back one by one.
    show.stage.pause(Millis::from_secs(300)).await;
    show.remember()?;
    let restored = restored_fees(show, node, &saved);
    let locks = locks_of(show, node).await;
    let held = alone && forgotten && locks == 0 && restored == saved.len();
    let how = format!(
        "{} is {}, {} in the others' rosters; {locks} locks stay; {restored} of {} fees are as before joining",
        show.stage.members[place].name,
        if alone { "alone" } else { "not out" },
        if forgotten { "no more" } else { "still" },
        saved.len()
    );
    show.trials.end("leaving", held, how);
    Ok(())
}

/// How many of the saved policies the node has again, by the world.
fn restored_fees(show: &Show, node: NodeId, saved: &[(ChannelId, ChannelPolicy)]) -> usize {
    let world = show.stage.ground.world();
    let is_back = |(id, policy): &&(ChannelId, ChannelPolicy)| {
        let channel = world.channel(*id);
        channel.is_some_and(|channel| {
            let side = usize::from(channel.nodes[1] == node);
            let now = channel.policies[side];
            (now.base, now.rate) == (policy.base, policy.rate)
        })
    };
    saved.iter().filter(is_back).count()
}

/// Locks that the others still hold to be the node's.
async fn locks_of(show: &Show, node: NodeId) -> usize {
    let mut most = 0;
    for place in show.staying() {
        let reply = show.stage.members[place]
            .ask(C::HiveLocks, Value::Null)
            .await;
        let Ok(Reply::Locks(rows)) = reply else {
            continue;
        };
        most = most.max(rows.iter().filter(|lock| lock.holder == node).count());
    }
    most
}
