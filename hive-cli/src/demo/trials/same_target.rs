//! Two members after one target at once.

use crate::demo::member::Member;
use crate::demo::script::Show;
use crate::failure::Failure;
use hive_core::Reply;
use hive_node::control::CommandName as C;
use hive_types::{Action, ActionId, Millis, NodeId};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How long the two members of the trial see nobody before they plan alone: their fellows' heartbeats
/// must grow stale, and a round of planning must come.
const ALONE: Millis = Millis::from_secs(6_000);

/// Proposals of opens that wait for a member's operator: target and id.
pub(crate) async fn pending(member: &Member) -> BTreeMap<NodeId, ActionId> {
    let Ok(Reply::Proposals(rows)) = member.ask(C::HivePending, Value::Null).await else {
        return BTreeMap::new();
    };
    let opens = rows
        .into_iter()
        .filter_map(|row| match row.proposal.action {
            Action::Open(open) => Some((open.target, row.id?)),
            _ => None,
        });
    opens.collect()
}

/// Two members that want one target: their places, and their proposals' ids.
struct Rivals {
    target: NodeId,
    places: [usize; 2],
    ids: [ActionId; 2],
}

/// Members plan while they see nobody, so several want the same good targets. Then the operators of two
/// approve one and the same at the same moment.
pub(crate) async fn same_target(show: &mut Show) -> Result<(), Failure> {
    const NAME: &str = "same_target";
    show.stage
        .story
        .tell("-- the members lose sight of each other, and plan alone");
    isolate(show, true);
    let mut rivals = None;
    let end = show.stage.ground.now().plus(ALONE);
    while rivals.is_none() && show.stage.ground.now() < end {
        show.stage.pause(Millis::from_secs(60)).await;
        rivals = find_rivals(show).await;
    }
    isolate(show, false);
    show.stage.story.tell("-- they see each other again");
    let all_linked = async || {
        let fellows = show.stage.members.len() - 1;
        for member in &show.stage.members {
            let status = member.status().await;
            if status.is_none_or(|status| status.connected < fellows) {
                return false;
            }
        }
        true
    };
    show.stage.until(Millis::from_secs(1_800), all_linked).await;
    let Some(rivals) = rivals else {
        show.trials
            .end(NAME, false, "no two ever wanted the same target".into());
        return Ok(());
    };
    let target = show.stage.story.name(&rivals.target);
    let [one, other] = rivals
        .places
        .map(|place| show.stage.members[place].name.clone());
    show.stage
        .story
        .tell(&format!("-- {one} and {other} approve {target} at once"));
    let approve = |number: usize| {
        let params = json!({"id": rivals.ids[number].to_string()});
        show.stage.members[rivals.places[number]].call(C::HiveApprove, params)
    };
    let (first, second) = tokio::join!(approve(0), approve(1));
    let approved = usize::from(first.is_ok()) + usize::from(second.is_ok());
    show.stage.pause(Millis::from_secs(300)).await;
    show.remember()?;
    let counts = rivals
        .places
        .map(|place| show.stage.funded_to(place, &rivals.target));
    let locks = show.chronicle.locks_on(&rivals.target).len();
    // The slower of two may be refused at once when the other's lock is known to it already: what
    // counts is that one opens and only one.
    let held = approved > 0 && counts.iter().sum::<usize>() == 1 && locks == 1;
    let how = format!(
        "{one} and {other} approved {target} at once ({approved} of 2 taken up): {locks} lock, {} and {} channels",
        counts[0], counts[1]
    );
    show.trials.end(NAME, held, how);
    Ok(())
}

async fn find_rivals(show: &Show) -> Option<Rivals> {
    let mut wanted: BTreeMap<NodeId, (usize, ActionId)> = BTreeMap::new();
    for (place, member) in show.stage.members.iter().enumerate() {
        for (target, id) in pending(member).await {
            let Some((rival, rival_id)) = wanted.insert(target, (place, id)) else {
                continue;
            };
            return Some(Rivals {
                target,
                places: [rival, place],
                ids: [rival_id, id],
            });
        }
    }
    None
}

/// Cuts all members off from each other, or lets them meet again.
fn isolate(show: &Show, cut: bool) {
    {
        let mut world = show.stage.ground.world();
        for from in &show.stage.members {
            for to in show.stage.members.iter().filter(|to| to.node != from.node) {
                // Both are nodes of this world.
                let _ = world.set_blocked(from.node, to.node, cut);
                if cut {
                    let _ = world.disconnect(from.node, to.node);
                }
            }
        }
    }
    show.stage.ground.ring();
}
