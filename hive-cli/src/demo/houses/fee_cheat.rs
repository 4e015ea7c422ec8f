//! A member that charges its fellows.

use super::fellows::{blamers, charge, corridors, neighbours, other_blames, took};
use super::{Dweller, Findings, House, Street};
use crate::demo::report::Trials;
use crate::demo::setting::{self, Neighbourhood, Wishes};
use crate::demo::stage::Stage;
use crate::failure::Failure;
use hive_policy::conduct::FlagKind;
use hive_types::{Millis, Ppm};

/// Whose operator sets fees by hand.
const CHEAT: usize = 2;

/// What it charges where nothing is agreed.
const CHARGED: Ppm = Ppm::new(500);

/// What takes longer is not found.
const BOUND: Millis = Millis::from_hours(8);

const NAMES: [&str; 4] = ["karl", "lena", "mona", "nick"];

/// Four members; the fees of one are set by its operator alone.
pub(super) fn play(street: &Street<'_>) -> Result<Option<Findings>, Failure> {
    let Neighbourhood {
        world,
        graph,
        members,
        ..
    } = setting::neighbourhood("fee cheat", street.seed, NAMES.len(), 500)?;
    let dweller = |(place, node)| {
        let mut wishes = Wishes::quiet(&graph);
        wishes.manage_fees = place != CHEAT;
        Dweller {
            name: NAMES[place],
            node,
            wishes,
        }
    };
    let dwellers: Vec<Dweller> = members.into_iter().enumerate().map(dweller).collect();
    House::new(street, world, &dwellers)?.play(fee_cheat)
}

/// The cheat charges, is found by whom it charges and by nobody else's fault, loses what was free, and
/// gets it back when it is right again.
async fn fee_cheat(stage: &mut Stage, trials: &mut Trials) -> Result<(), Failure> {
    const NAME: &str = "fee_cheat";
    charge(stage, CHEAT, Ppm::ZERO)?;
    stage.gather().await?;
    let all_free = async || corridors(stage).iter().all(|one| one.is_free());
    let free_before = stage.until(BOUND, all_free).await;
    let cheat = stage.members[CHEAT].name.clone();
    stage.story.tell(&format!(
        "-- {cheat} charges its fellows {CHARGED} where nothing is agreed"
    ));
    charge(stage, CHEAT, CHARGED)?;
    let begun = stage.ground.now();
    let victims = neighbours(stage, CHEAT);
    let is_found = async || blamers(stage, CHEAT, FlagKind::Fees).await == victims;
    let found = stage.until(BOUND, is_found).await;
    let found_after = took(stage, begun);
    let withdrawn = async || {
        let corridors = corridors(stage);
        let mut to_cheat = corridors.iter().filter(|one| one.to == CHEAT);
        to_cheat.all(|one| !one.is_free())
    };
    let withdrawn = stage.until(BOUND, withdrawn).await;
    let blames = other_blames(stage, CHEAT).await;
    stage
        .story
        .tell(&format!("-- {cheat} charges nothing any more"));
    charge(stage, CHEAT, Ppm::ZERO)?;
    let begun = stage.ground.now();
    let is_forgiven = async || blamers(stage, CHEAT, FlagKind::Fees).await.is_empty();
    let forgiven = stage.until(BOUND, is_forgiven).await && stage.until(BOUND, all_free).await;
    let held = free_before && found && withdrawn && forgiven && blames.is_empty();
    let how = format!(
        "{cheat} charged {CHARGED}: {} of {} that it charged blame it after {found_after}, and {} it; blamed for nothing: {blames:?}; right again, all corridors are {} after {}",
        blamed(found, victims.len()),
        victims.len(),
        if withdrawn { "charge" } else { "do not charge" },
        if forgiven { "free" } else { "not free" },
        took(stage, begun),
    );
    trials.end(NAME, held, how);
    Ok(())
}

const fn blamed(found: bool, all: usize) -> usize {
    if found { all } else { 0 }
}
