//! A member bans a good peer without a reason.

use super::pending;
use crate::demo::script::Show;
use crate::failure::Failure;
use hive_node::control::CommandName as C;
use hive_proto::{Record, keys};
use hive_types::{ActionId, Millis, NodeId};
use serde_json::json;

/// A ban has reached everybody within this.
const SPREAD: Millis = Millis::from_secs(600);

/// An approved open is on the chain within this.
const OPENING: Millis = Millis::from_secs(120);

/// A peer that two members want: one bans it, the other goes on.
struct Wanted {
    target: NodeId,
    rogue: (usize, ActionId),
    other: (usize, ActionId),
}

/// One member bans a peer that others want. All get to know it; it binds nobody but that member.
pub(crate) async fn false_ban(show: &mut Show) -> Result<(), Failure> {
    const NAME: &str = "false_ban";
    let mut how = "no two members want the same peer".to_owned();
    for wanted in all_wanted(show).await {
        let target = wanted.target;
        let (rogue, other) = (wanted.rogue.0, wanted.other.0);
        let names = [rogue, other].map(|place| show.stage.members[place].name.clone());
        let peer = show.stage.story.name(&target);
        let text = format!(
            "-- {} bans {peer} for nothing; {} wants it",
            names[0], names[1]
        );
        show.stage.story.tell(&text);
        let ban = json!({"node": target.to_string(), "reason": "jams the fleet"});
        show.stage.command(rogue, C::HiveBan, ban).await?;
        // Members on trial are told of no bans.
        let full = show.full();
        let all_know = async || knowing(show, rogue, &target) == full;
        show.stage.until(SPREAD, all_know).await;
        let know = knowing(show, rogue, &target);
        let binds_itself = refused(show, wanted.rogue).await;
        let taken = !refused(show, wanted.other).await;
        let is_open = async || show.stage.funded_to(other, &target) > 0;
        let opened = taken && show.stage.until(OPENING, is_open).await;
        let node = json!({"node": target.to_string()});
        show.stage.command(rogue, C::HiveUnban, node).await?;
        let by_rogue = show.stage.funded_to(rogue, &target);
        let held = know == full && binds_itself && opened && by_rogue == 0;
        how = format!(
            "{} banned {peer} alone; {know} of {} full members store the ban; {} opened to it all the same, {} could not",
            names[0],
            full,
            if opened { &names[1] } else { "nobody" },
            names[0],
        );
        if held {
            show.trials.end(NAME, true, how);
            return Ok(());
        }
    }
    show.trials.end(NAME, false, how);
    Ok(())
}

/// Peers that wait for an approval at two members; free ones first, then whose other member opened least.
async fn all_wanted(show: &Show) -> Vec<Wanted> {
    let mut waiting = Vec::new();
    for (place, member) in show.stage.members.iter().enumerate() {
        let own = pending(member).await.into_iter();
        waiting.extend(own.map(|(target, id)| (target, place, id)));
    }
    let mut wanted = Vec::new();
    for (target, rogue, rogue_id) in &waiting {
        for (same, other, other_id) in &waiting {
            if target == same && rogue != other {
                wanted.push(Wanted {
                    target: *target,
                    rogue: (*rogue, *rogue_id),
                    other: (*other, *other_id),
                });
            }
        }
    }
    // What somebody opened to lately is still locked.
    let is_taken = |target: &NodeId| {
        let mut places = 0..show.stage.members.len();
        places.any(|place| show.stage.funded_to(place, target) > 0)
    };
    let rank = |wanted: &Wanted| (is_taken(&wanted.target), show.stage.funded(wanted.other.0));
    wanted.sort_by_key(rank);
    wanted
}

/// Whether an approval is refused.
async fn refused(show: &Show, (place, id): (usize, ActionId)) -> bool {
    let params = json!({"id": id.to_string()});
    let member = &show.stage.members[place];
    member.call(C::HiveApprove, params).await.is_err()
}

/// Full members whose store holds the rogue's ban.
fn knowing(show: &Show, rogue: usize, target: &NodeId) -> usize {
    let (author, key) = (show.stage.members[rogue].node, keys::ban(target));
    let holds = |record: &Record| record.fields().author == author && record.fields().key == key;
    let members = show.stage.members.iter().take(show.full());
    members
        .filter(|member| member.records().iter().any(holds))
        .count()
}
