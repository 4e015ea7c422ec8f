//! A stranger at the door: a flood, a forged ticket, a used one.

use crate::demo::member::Member;
use crate::demo::script::Show;
use crate::failure::Failure;
use hive_node::backend::LightningBackend;
use hive_node::control::CommandName as C;
use hive_proto::{MemberSecret, Ticket, tagged_hash};
use hive_types::limits::FRAME_BYTES;
use hive_types::{Millis, TicketId};
use serde_json::{Value, json};

/// What a stranger sends in a flood, and in how many steps of a tenth of a second.
const FLOOD_FRAMES: u32 = 10_000;
const FLOOD_STEPS: u32 = 100;

/// A stranger floods the founder while the last honest member joins with `params`.
pub(crate) async fn flood(show: &mut Show, params: Value) -> Result<(), Failure> {
    let place = show.stage.members.len() - 1;
    let founder = show.stage.members[0].node;
    show.stage.story.tell("-- a stranger floods the founder");
    let begun = show.stage.ground.now();
    let flooded = async {
        let backend = &show.stranger.backend;
        let mut sent = 0;
        for step in 0..FLOOD_STEPS {
            // The link may have been cut by the founder's node: a flooder dials again.
            let _ = backend.connect(founder, &[]).await;
            for number in 0..FLOOD_FRAMES / FLOOD_STEPS {
                let frame = rubbish(show.stage.seed, step, number);
                sent += u32::from(backend.send(founder, frame).await.is_ok());
            }
            show.stage.pause(Millis::new(100)).await;
        }
        sent
    };
    let joined = async {
        let reply = show.stage.members[place].call(C::HiveJoin, params).await;
        reply.is_ok() && show.stage.until_member(place).await
    };
    let (sent, joined) = tokio::join!(flooded, joined);
    let took = Millis::new(show.stage.ground.now().get() - begun.get());
    let strange = strange_records(show)?;
    let answers = show.stage.members[0].status().await.is_some();
    let held = joined && strange == 0 && answers && sent > FLOOD_FRAMES / 2;
    let name = &show.stage.members[place].name;
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
    for store in show.stage.members.iter().filter_map(Member::store) {
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
    show.stage.story.tell("-- the stranger forges a ticket");
    let forged = forge(show.stage.seed, &used)?;
    let refused = try_ticket(show, &forged).await?;
    let redeemed = show.chronicle.redemptions(&forged.body().id);
    let how = format!("{refused}; the chain redeems it {redeemed} times");
    let held = redeemed == 0 && !is_in(show);
    show.trials.end("forged_ticket", held, how);
    show.stage
        .story
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
    let before = show.stage.story.heard().len();
    let params = json!({"ticket": ticket.to_string()});
    let asked = show.stranger.call(C::HiveJoin, params).await;
    let over = async || {
        let status = show.stranger.status().await;
        status.is_some_and(|status| status.stage == "alone" || status.tier.is_some())
    };
    show.stage.until(Millis::from_secs(900), over).await;
    show.remember()?;
    let heard = show.stage.story.heard();
    let mut reasons = heard
        .iter()
        .skip(before)
        .filter_map(|heard| match &heard.event {
            hive_core::Event::HandshakeFailed { reason, .. } if heard.who == show.stranger.name => {
                Some(reason.clone())
            }
            _ => None,
        });
    let reason = reasons.next_back();
    Ok(match (asked, reason) {
        (Err(error), _) => format!("refused at once: {}", error.message),
        (_, Some(reason)) => format!("refused: {reason}"),
        (_, None) => "not let in".to_owned(),
    })
}

fn is_in(show: &Show) -> bool {
    show.chronicle.admitted().contains(&show.stranger.node)
}
