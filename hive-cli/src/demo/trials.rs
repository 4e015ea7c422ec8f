//! What somebody tries against the fleet, and what came of it, measured on the chain, on the network
//! and in the stores.

use super::member::Member;
use super::script::Show;
use crate::failure::Failure;
use hive_core::Reply;
use hive_node::backend::LightningBackend;
use hive_node::control::CommandName as C;
use hive_proto::{MemberSecret, Ticket, tagged_hash};
use hive_types::limits::FRAME_BYTES;
use hive_types::{Action, ActionId, Millis, NodeId, TicketId};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What a stranger sends in a flood, and in how many steps of a tenth of a second.
const FLOOD_FRAMES: u32 = 10_000;
const FLOOD_STEPS: u32 = 100;

/// How long the two members of the trial see nobody before they plan alone: their fellows' heartbeats
/// must grow stale, and a round of planning must come.
const ALONE: Millis = Millis::from_secs(6_000);

/// An agent that crashed stays away for this long.
const AWAY: Millis = Millis::from_secs(600);

/// A stranger floods the founder while the last honest member joins with `params`.
pub(crate) async fn flood(show: &mut Show, params: Value) -> Result<(), Failure> {
    let place = show.members.len() - 1;
    let founder = show.members[0].node;
    show.story.tell("-- a stranger floods the founder");
    let begun = show.ground.now();
    let flooded = async {
        let backend = &show.stranger.backend;
        let mut sent = 0;
        for step in 0..FLOOD_STEPS {
            // The link may have been cut by the founder's node: a flooder dials again.
            let _ = backend.connect(founder, &[]).await;
            for number in 0..FLOOD_FRAMES / FLOOD_STEPS {
                let frame = rubbish(show.seed, step, number);
                sent += u32::from(backend.send(founder, frame).await.is_ok());
            }
            show.pause(Millis::new(100)).await;
        }
        sent
    };
    let joined = async {
        let reply = show.members[place].call(C::HiveJoin, params).await;
        reply.is_ok() && show.until_member(place).await
    };
    let (sent, joined) = tokio::join!(flooded, joined);
    let took = Millis::new(show.ground.now().get() - begun.get());
    let strange = strange_records(show)?;
    let answers = show.members[0].status().await.is_some();
    let held = joined && strange == 0 && answers && sent > FLOOD_FRAMES / 2;
    let name = &show.members[place].name;
    let how = match joined {
        true => format!(
            "{sent} frames of rubbish; {name} joined meanwhile, all over in {took}; {strange} records of strangers kept"
        ),
        false => format!("{sent} frames of rubbish kept {name} out"),
    };
    show.trials.end("strangers_flood", held, how);
    Ok(())
}

/// Rubbish of many kinds: noise, cut frames, real kinds with nonsense in them, frames of full size.
fn rubbish(seed: u64, step: u32, number: u32) -> Vec<u8> {
    let parts: [&[u8]; 3] = [
        &seed.to_le_bytes(),
        &step.to_le_bytes(),
        &number.to_le_bytes(),
    ];
    let noise = tagged_hash("hive/demo rubbish", &parts).to_bytes();
    let frame = |kind: u8, body: &[u8]| [b"HIVE\x01", &[kind][..], body].concat();
    match number % 5 {
        0 => noise.to_vec(),
        1 => frame(noise[0] % 24, &noise),
        2 => frame(noise[0] % 24, &[]),
        3 => b"HIV".to_vec(),
        _ if number == 4 => frame(noise[0] % 24, &vec![noise[1]; FRAME_BYTES - 6]),
        _ => frame(200, &noise),
    }
}

/// Records in members' stores whose author the chain never admitted.
fn strange_records(show: &mut Show) -> Result<usize, Failure> {
    show.remember()?;
    let admitted = show.chronicle.admitted();
    let mut strange = 0;
    for store in show.members.iter().filter_map(Member::store) {
        let read = store.load()?;
        let mut authors = read.authors.iter();
        strange += authors
            .by_ref()
            .filter(|(author, _)| !admitted.contains(author))
            .count();
    }
    Ok(strange)
}

/// The stranger tries a forged ticket, then one that was used.
pub(crate) async fn tickets(show: &mut Show) -> Result<(), Failure> {
    let Some(used) = show.tickets.first().cloned() else {
        return Err(Failure::Internal("no ticket was made".into()));
    };
    show.story.tell("-- the stranger forges a ticket");
    let forged = forge(show.seed, &used)?;
    let refused = try_ticket(show, &forged).await?;
    let redeemed = show.chronicle.redemptions(&forged.body().id);
    let how = format!("{refused}; the chain redeems it {redeemed} times");
    let held = redeemed == 0 && !is_in(show);
    show.trials.end("forged_ticket", held, how);
    show.story
        .tell("-- the stranger uses a ticket that was used");
    let refused = try_ticket(show, &used).await?;
    let redeemed = show.chronicle.redemptions(&used.body().id);
    let how = format!("{refused}; the chain redeems it {redeemed} time");
    let held = redeemed == 1 && !is_in(show);
    show.trials.end("reused_ticket", held, how);
    Ok(())
}

/// Everything as in a real ticket but the key that signs it.
fn forge(seed: u64, real: &Ticket) -> Result<Ticket, Failure> {
    let bytes =
        |what: &str| tagged_hash("hive/demo forgery", &[what.as_bytes(), &seed.to_le_bytes()]);
    let secret = MemberSecret::from_bytes(&bytes("key").to_bytes());
    let secret = secret.ok_or_else(|| Failure::Internal("the forger's key is none".into()))?;
    let mut body = real.body().clone();
    let mut id = [0; TicketId::SIZE];
    id.copy_from_slice(&bytes("id").to_bytes()[..TicketId::SIZE]);
    body.id = TicketId::from_bytes(id);
    Ticket::sign(body, &secret).map_err(|error| Failure::Internal(error.to_string()))
}

/// Lets the stranger try until its agent gives up, and tells why it was refused.
async fn try_ticket(show: &mut Show, ticket: &Ticket) -> Result<String, Failure> {
    let before = show.story.heard().len();
    let params = json!({"ticket": ticket.to_string()});
    let asked = show.stranger.call(C::HiveJoin, params).await;
    let over = async |show: &Show| {
        let status = show.stranger.status().await;
        status.is_some_and(|status| status.stage == "alone" || status.tier.is_some())
    };
    show.until(Millis::from_secs(900), over).await;
    show.remember()?;
    let heard = show.story.heard();
    let reason = heard
        .iter()
        .skip(before)
        .find_map(|heard| match &heard.event {
            hive_core::Event::HandshakeFailed { reason, .. } if heard.who == show.stranger.name => {
                Some(reason.clone())
            }
            _ => None,
        });
    Ok(match (asked, reason) {
        (Err(error), _) => format!("refused at once: {}", error.message),
        (_, Some(reason)) => format!("refused: {reason}"),
        (_, None) => "not let in".to_owned(),
    })
}

fn is_in(show: &Show) -> bool {
    show.chronicle.admitted().contains(&show.stranger.node)
}

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
    show.story
        .tell("-- the members lose sight of each other, and plan alone");
    isolate(show, true);
    let mut rivals = None;
    let end = show.ground.now().plus(ALONE);
    while rivals.is_none() && show.ground.now() < end {
        show.pause(Millis::from_secs(60)).await;
        rivals = find_rivals(show).await;
    }
    isolate(show, false);
    show.story.tell("-- they see each other again");
    let all_linked = async |show: &Show| {
        let fellows = show.members.len() - 1;
        for member in &show.members {
            let status = member.status().await;
            if status.is_none_or(|status| status.connected < fellows) {
                return false;
            }
        }
        true
    };
    show.until(Millis::from_secs(1_800), all_linked).await;
    let Some(rivals) = rivals else {
        show.trials
            .end(NAME, false, "no two ever wanted the same target".into());
        return Ok(());
    };
    let target = show.story.name(&rivals.target);
    let [one, other] = rivals.places.map(|place| show.members[place].name.clone());
    show.story
        .tell(&format!("-- {one} and {other} approve {target} at once"));
    let approve = |number: usize| {
        let params = json!({"id": rivals.ids[number].to_string()});
        show.members[rivals.places[number]].call(C::HiveApprove, params)
    };
    let (first, second) = tokio::join!(approve(0), approve(1));
    let approved = usize::from(first.is_ok()) + usize::from(second.is_ok());
    show.pause(Millis::from_secs(300)).await;
    show.remember()?;
    let counts = rivals
        .places
        .map(|place| funded(show, place, &rivals.target));
    let locks = show.chronicle.locks_on(&rivals.target).len();
    let held = approved == 2 && counts.iter().sum::<usize>() == 1 && locks == 1;
    let how = format!(
        "{one} and {other} approved {target} at once ({approved} of 2 taken up): {locks} lock, {} and {} channels",
        counts[0], counts[1]
    );
    show.trials.end(NAME, held, how);
    Ok(())
}

async fn find_rivals(show: &Show) -> Option<Rivals> {
    let mut wanted: BTreeMap<NodeId, (usize, ActionId)> = BTreeMap::new();
    for (place, member) in show.members.iter().enumerate() {
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

/// Channels to a target that a member funded, says the chain.
fn funded(show: &Show, place: usize, target: &NodeId) -> usize {
    let node = show.members[place].node;
    let world = show.ground.world();
    let fundings = world.fundings().iter();
    fundings
        .filter(|one| one.target == *target && one.opener == node)
        .count()
}

/// Cuts all members off from each other, or lets them meet again.
fn isolate(show: &Show, cut: bool) {
    {
        let mut world = show.ground.world();
        for from in &show.members {
            for to in show.members.iter().filter(|to| to.node != from.node) {
                // Both are nodes of this world.
                let _ = world.set_blocked(from.node, to.node, cut);
                if cut {
                    let _ = world.disconnect(from.node, to.node);
                }
            }
        }
    }
    show.ground.ring();
}

/// The agent of the first member that comes to open stops between the fleet's decision and the
/// funding, and starts again.
pub(crate) async fn crash(show: &mut Show) -> Result<(), Failure> {
    const NAME: &str = "crash_before_funding";
    let mut fuses: Vec<_> = show
        .members
        .iter()
        .map(|member| member.backend.stop_before_next_open())
        .collect();
    let end = show.ground.now().plus(Millis::from_secs(5_400));
    let mut burnt = Vec::new();
    while burnt.is_empty() && show.ground.now() < end {
        show.pause(Millis::new(100)).await;
        for (place, fuse) in fuses.iter_mut().enumerate() {
            burnt.extend(fuse.try_recv().ok().map(|id| (place, id)));
        }
    }
    show.members
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
            show.members[*place].name
        );
        show.story.tell(&text);
        show.members[*place].crash().await;
    }
    let funded = show.ground.world().fundings().len();
    show.pause(AWAY).await;
    for (place, _) in &burnt {
        show.members[*place].start(&show.ground, &show.story)?;
        let text = format!(
            "-- {} starts again from its store",
            show.members[*place].name
        );
        show.story.tell(&text);
    }
    let back = show.until_member(place).await;
    show.pause(Millis::from_secs(60)).await;
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
    let member = &show.members[place];
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
    let world = show.ground.world();
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
        show.story.name(&target),
        stored.state
    );
    Ok((held, how))
}

/// A member leaves; what joining changed is as before.
pub(crate) async fn leave(show: &mut Show) -> Result<(), Failure> {
    let place = show.members.len() - 1;
    let node = show.members[place].node;
    show.remember()?;
    let saved = match show.members[place].store() {
        Some(store) => store.load()?.saved_fees,
        None => Vec::new(),
    };
    let text = format!("-- {} leaves", show.members[place].name);
    show.story.tell(&text);
    show.command(place, C::HiveLeave, Value::Null).await?;
    let out = async |show: &Show| {
        let status = show.members[place].status().await;
        status.is_some_and(|status| status.stage == "alone")
    };
    let alone = show.until(Millis::from_secs(900), out).await;
    show.gone.push(place);
    let forgotten = async |show: &Show| {
        for other in show.staying() {
            let reply = show.members[other].ask(C::HiveMembers, Value::Null).await;
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
    let forgotten = show.until(Millis::from_secs(900), forgotten).await;
    // The fees are set back one by one.
    show.pause(Millis::from_secs(300)).await;
    show.remember()?;
    let restored = restored_fees(show, node, &saved);
    let held = alone && forgotten && restored == saved.len();
    let how = format!(
        "{} is {}, {} in the others' rosters; {restored} of {} fees are as before joining",
        show.members[place].name,
        if alone { "alone" } else { "not out" },
        if forgotten { "no more" } else { "still" },
        saved.len()
    );
    show.trials.end("leaving", held, how);
    Ok(())
}

/// How many of the saved policies the node has again, by the world.
fn restored_fees(
    show: &Show,
    node: NodeId,
    saved: &[(hive_types::ChannelId, hive_types::ChannelPolicy)],
) -> usize {
    let world = show.ground.world();
    let is_back = |(id, policy): &&(hive_types::ChannelId, hive_types::ChannelPolicy)| {
        let channel = world.channel(*id);
        channel.is_some_and(|channel| {
            let side = usize::from(channel.nodes[1] == node);
            let now = channel.policies[side];
            (now.base, now.rate) == (policy.base, policy.rate)
        })
    };
    saved.iter().filter(is_back).count()
}
