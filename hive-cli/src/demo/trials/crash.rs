//! A crash between the fleet's decision and the funding.

use crate::demo::script::Show;
use crate::failure::Failure;
use hive_types::{Action, ActionId, Millis};

/// An agent that crashed stays away for this long.
const AWAY: Millis = Millis::from_secs(600);

/// The agent of the first member that comes to open stops between the fleet's decision and the
/// funding, and starts again.
pub(crate) async fn crash(show: &mut Show) -> Result<(), Failure> {
    const NAME: &str = "crash_before_funding";
    let mut fuses: Vec<_> = show
        .stage
        .members
        .iter()
        .map(|member| member.backend.stop_before_next_open())
        .collect();
    let end = show.stage.ground.now().plus(Millis::from_secs(5_400));
    let mut burnt = Vec::new();
    while burnt.is_empty() && show.stage.ground.now() < end {
        show.stage.pause(Millis::new(100)).await;
        for (place, fuse) in fuses.iter_mut().enumerate() {
            burnt.extend(fuse.try_recv().ok().map(|id| (place, id)));
        }
    }
    show.stage
        .members
        .iter()
        .for_each(|member| member.backend.go_on());
    for (place, fuse) in fuses.iter_mut().enumerate() {
        let is_known = burnt.iter().any(|(known, _)| *known == place);
        burnt.extend(
            fuse.try_recv()
                .ok()
                .filter(|_| !is_known)
                .map(|id| (place, id)),
        );
    }
    let Some((place, id)) = burnt.first().copied() else {
        show.trials
            .end(NAME, false, "no member came to open".into());
        return Ok(());
    };
    for (place, _) in &burnt {
        let text = format!(
            "-- the agent of {} crashes before it funds",
            show.stage.members[*place].name
        );
        show.stage.story.tell(&text);
        show.stage.members[*place].crash().await;
    }
    let funded = show.stage.ground.world().fundings().len();
    show.stage.pause(AWAY).await;
    for (place, _) in &burnt {
        show.stage.members[*place].start(&show.stage.ground, &show.stage.story)?;
        let text = format!(
            "-- {} starts again from its store",
            show.stage.members[*place].name
        );
        show.stage.story.tell(&text);
    }
    let back = show.stage.until_member(place).await;
    show.stage.pause(Millis::from_secs(60)).await;
    show.remember()?;
    let (held, how) = after_crash(show, place, id, back)?;
    let how = format!("{how}; {funded} fundings on the chain at the crash");
    show.trials.end(NAME, held, how);
    Ok(())
}

/// What became of the action that was under way: it has an end in the store, and at most one funding
/// uses its lock on the chain.
fn after_crash(
    show: &Show,
    place: usize,
    id: ActionId,
    back: bool,
) -> Result<(bool, String), Failure> {
    let member = &show.stage.members[place];
    let Some(store) = member.store() else {
        return Ok((false, format!("{} does not run", member.name)));
    };
    let unfinished = store.unfinished()?.iter().any(|(one, _)| *one == id);
    let stored = store.load()?.actions.into_iter().find(|one| one.id == id);
    let Some(stored) = stored else {
        return Ok((false, format!("{} has forgotten its action", member.name)));
    };
    let Action::Open(open) = stored.action() else {
        return Ok((false, "the action is no open".into()));
    };
    let target = open.target;
    let locks = show.chronicle.locks_on(&target);
    let granted = locks.contains(&(member.node, id));
    let world = show.stage.ground.world();
    let own = |one: &&hive_sim::world::Funding| one.opener == member.node && one.target == target;
    let count = world.fundings().iter().filter(own).count();
    let rights = locks
        .iter()
        .filter(|(holder, _)| *holder == member.node)
        .count();
    let held = back && granted && !unfinished && count <= rights;
    let how = format!(
        "{} held {} by decision, stopped before funding, is back: the action ended as {:?}, {count} channels for {rights} locks",
        member.name,
        show.stage.story.name(&target),
        stored.state
    );
    Ok((held, how))
}
