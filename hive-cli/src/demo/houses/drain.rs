//! Outsiders who drain a free corridor.

use super::fellows::{corridors, other_blames, took};
use super::outsiders::pay_along;
use super::{Dweller, Findings, House, Street};
use crate::demo::report::Trials;
use crate::demo::setting::{self, Neighbourhood, Wishes};
use crate::demo::stage::Stage;
use crate::failure::Failure;
use hive_core::Event;
use hive_types::limits::{CORRIDOR_FLOOR_MAX, CORRIDOR_FLOOR_MIN};
use hive_types::{Millis, Msat, NodeId, Ppm};

/// The corridor that is drained: from the first member to the second.
const DRAINED: (usize, usize) = (0, 1);

/// Of the corridor, the first member holds most: there is something to drain.
const HELD_PERMILLE: u64 = 900;

/// One payment of the outsiders.
const PAYMENT: Msat = Msat::new(100_000_000);

/// As many payments along each of two ways: together more than half of the corridor's capacity.
const PAYMENTS: u64 = 12;

/// Between two payments.
const PACE: Millis = Millis::from_secs(300);

/// What takes longer does not happen.
const BOUND: Millis = Millis::from_hours(4);

/// The drain is over, and its day is not: the floor stays.
const LATER: Millis = Millis::from_hours(3);

const NAMES: [&str; 4] = ["olga", "paul", "quinn", "ruth"];

/// Four members; people outside send through the first and the second what only flows one way.
pub(super) fn play(street: &Street<'_>) -> Result<Option<Findings>, Failure> {
    let Neighbourhood {
        world,
        graph,
        members,
        peers,
    } = setting::neighbourhood("drain", street.seed, NAMES.len(), HELD_PERMILLE)?;
    let (one, other) = (members[DRAINED.0], members[DRAINED.1]);
    let ways = [
        [peers[0], one, other, peers[1]],
        [peers[1], one, other, peers[2]],
    ];
    let dweller = |(place, node): (usize, NodeId)| Dweller {
        name: NAMES[place],
        node,
        wishes: Wishes::quiet(&graph),
    };
    let dwellers: Vec<Dweller> = members.into_iter().enumerate().map(dweller).collect();
    House::new(street, world, &dwellers)?
        .play(async |stage, trials| outside_drain(stage, trials, &ways).await)
}

/// The corridor is free until it is drained; then it asks the floor fee, its operator is told, the
/// fellows take it as it is meant, and no other corridor changes.
async fn outside_drain(
    stage: &mut Stage,
    trials: &mut Trials,
    ways: &[[NodeId; 4]; 2],
) -> Result<(), Failure> {
    const NAME: &str = "outside_drain";
    stage.gather().await?;
    let all_free = async || corridors(stage).iter().all(|one| one.is_free());
    let free_before = stage.until(BOUND, all_free).await;
    let (name, fellow) = (
        &stage.members[DRAINED.0].name,
        &stage.members[DRAINED.1].name,
    );
    let text = format!("-- outsiders drain the free corridor from {name} to {fellow}");
    stage.story.tell(&text);
    let begun = stage.ground.now();
    for number in 0..PAYMENTS {
        for way in ways {
            pay_along(stage, way, PAYMENT, number)?;
        }
        stage.ground.ring();
        stage.pause(PACE).await;
    }
    let is_asked =
        async || (CORRIDOR_FLOOR_MIN..=CORRIDOR_FLOOR_MAX).contains(&drained_rate(stage));
    let asked = stage.until(BOUND, is_asked).await;
    let (asked_after, rate) = (took(stage, begun), drained_rate(stage));
    let told = alerts(stage);
    stage.pause(LATER).await;
    let stays = drained_rate(stage) == rate;
    let all = corridors(stage);
    let mut others = all.iter().filter(|one| (one.from, one.to) != DRAINED);
    let others_free = others.all(|one| one.is_free());
    // Nobody has to be guilty here: a place beyond the last one excuses nobody.
    let blames = other_blames(stage, stage.members.len()).await;
    let held = free_before && asked && told > 0 && stays && others_free && blames.is_empty();
    let how = format!(
        "{} net through a free corridor of {}: {asked_after} after the first payment {name} asks {rate} there, told its operator {told} time, and {} it {LATER} later; the other corridors are {}; blamed for it: {blames:?}",
        Msat::new(PAYMENT.get() * PAYMENTS * 2).to_sat_floor(),
        setting::CHANNEL,
        if stays { "asks" } else { "does not ask" },
        if others_free { "free" } else { "not free" },
    );
    trials.end(NAME, held, how);
    Ok(())
}

/// What the drained corridor asks.
fn drained_rate(stage: &Stage) -> Ppm {
    let corridors = corridors(stage).into_iter();
    let mut drained = corridors.filter(|one| (one.from, one.to) == DRAINED);
    drained.next().map_or(Ppm::ZERO, |one| one.policy.rate)
}

/// Alerts of the drained member that name its fellow.
fn alerts(stage: &Stage) -> usize {
    let (name, fellow) = (
        &stage.members[DRAINED.0].name,
        stage.members[DRAINED.1].node,
    );
    let heard = stage.story.heard();
    let about = heard.iter().filter(|heard| heard.who == *name);
    let told = about.filter(|heard| match &heard.event {
        Event::Alert { text } => text.contains(&fellow.to_string()),
        _ => false,
    });
    told.count()
}
