//! One approval, used again and again.

use super::pending;
use crate::demo::script::Show;
use crate::failure::Failure;
use hive_core::ActionState;
use hive_node::control::CommandName as C;
use hive_types::{ActionId, Millis, NodeId};
use serde_json::json;

/// An approved open is on the chain within this.
const OPENING: Millis = Millis::from_secs(120);

/// A proposal that waits for somebody's operator.
struct Waiting {
    place: usize,
    target: NodeId,
    id: ActionId,
}

/// An operator approves a proposal twice at once, again when it is done, and again after a crash; and
/// approves one that was rejected. One channel comes of all that.
pub(crate) async fn reused_approval(show: &mut Show) -> Result<(), Failure> {
    const NAME: &str = "reused_approval";
    let Some((waiting, at_once)) = approve_twice(show).await else {
        let how = "nothing that waited could be opened".to_owned();
        show.trials.end(NAME, false, how);
        return Ok(());
    };
    let Waiting { place, target, id } = waiting;
    let mut reasons = vec![refusal(show, place, id).await];
    show.stage.members[place].crash().await;
    show.stage.start(place)?;
    show.stage.until_member(place).await;
    reasons.push(refusal(show, place, id).await);
    let rejected = pending(&show.stage.members[place]).await;
    let rejected = rejected.into_iter().next();
    if let Some((_, other)) = rejected {
        let params = json!({"id": other.to_string(), "reason": "too dear"});
        show.stage.command(place, C::HiveReject, params).await?;
        reasons.push(refusal(show, place, other).await);
    }
    show.stage.pause(OPENING).await;
    show.remember()?;
    let channels = show.stage.funded_to(place, &target);
    let of_rejected = rejected.map_or(0, |(other, _)| show.stage.funded_to(place, &other));
    let locks = show.chronicle.locks_on(&target);
    let node = show.stage.members[place].node;
    let locks = locks.iter().filter(|lock| **lock == (node, id)).count();
    let done = done_in_store(show, place, id)?;
    let tries = reasons.len();
    let refused: Vec<String> = reasons.into_iter().flatten().collect();
    let held = at_once == 1
        && refused.len() == tries
        && (channels, locks, of_rejected) == (1, 1, 0)
        && done == 1;
    let how = format!(
        "{} approved {} twice at once ({at_once} taken up), then {tries} more times ({} refused), over a crash: {locks} lock, {channels} channel; a rejected one opened {of_rejected}",
        show.stage.members[place].name,
        show.stage.story.name(&target),
        refused.len(),
    );
    show.trials.end(NAME, held, how);
    Ok(())
}

/// Approves what waits, each twice at once, until one opens; how many of the two were taken up.
async fn approve_twice(show: &Show) -> Option<(Waiting, usize)> {
    for waiting in all_waiting(show).await {
        let Waiting { place, target, id } = waiting;
        let member = &show.stage.members[place];
        let text = format!(
            "-- {} approves {} twice at once",
            member.name,
            show.stage.story.name(&target)
        );
        show.stage.story.tell(&text);
        let params = json!({"id": id.to_string()});
        let answers = member
            .call_all(C::HiveApprove, [params.clone(), params])
            .await;
        let at_once = answers.iter().filter(|answer| answer.is_ok()).count();
        let is_open = async || show.stage.funded_to(place, &target) > 0;
        if at_once > 0 && show.stage.until(OPENING, is_open).await {
            return Some((waiting, at_once));
        }
    }
    None
}

/// What waits anywhere, at those first who opened least.
async fn all_waiting(show: &Show) -> Vec<Waiting> {
    let mut all = Vec::new();
    for (place, member) in show.stage.members.iter().enumerate() {
        let waiting = pending(member).await.into_iter();
        all.extend(waiting.map(|(target, id)| Waiting { place, target, id }));
    }
    all.sort_by_key(|waiting| show.stage.funded(waiting.place));
    all
}

/// Why another approval is refused; nothing when it is not.
async fn refusal(show: &Show, place: usize, id: ActionId) -> Option<String> {
    let params = json!({"id": id.to_string()});
    let answer = show.stage.members[place].call(C::HiveApprove, params).await;
    answer.err().map(|error| error.message)
}

/// Actions of the store with this id that are done.
fn done_in_store(show: &Show, place: usize, id: ActionId) -> Result<usize, Failure> {
    let Some(store) = show.stage.members[place].store() else {
        return Ok(0);
    };
    let actions = store.load()?.actions.into_iter();
    let done = actions.filter(|action| action.id == id && action.state == ActionState::Done);
    Ok(done.count())
}
