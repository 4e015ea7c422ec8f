//! Members that can't reach each other agree through one who reaches both.

use super::{Fleet, Stage};
use crate::failure::{Outcome, ensure};
use crate::node::Kind;
use crate::world::World;

/// The one in the middle is the founder.
const HUB: usize = 1;
const ENDS: [usize; 2] = [0, 2];

/// An address where nobody listens.
const NOWHERE: &str = "127.0.0.1:1";

/// Two members tell fellows no address at which they could be reached: each hears of the other by the one in
/// the middle alone. In a mixed fleet frames go from Core Lightning over LND to Core Lightning.
pub(super) fn t01_frames_pass_through_a_fellow(stage: &mut Stage) -> Outcome {
    let end = if stage.fleet == Fleet::Lnd {
        Kind::Lnd
    } else {
        Kind::Cln
    };
    let hub = if stage.fleet == Fleet::Cln {
        Kind::Cln
    } else {
        Kind::Lnd
    };
    let world = &mut stage.world;
    world.start(&[end, hub, end])?;
    world.agent(HUB, &[])?;
    for place in ENDS {
        world.agent(place, &[("fleet.addresses", NOWHERE)])?;
    }
    world.found(HUB)?;
    for place in ENDS {
        world.join(HUB, place, "full")?;
    }
    passes_through(world, HUB, ENDS)?;
    world.stop()
}

/// An LND whose few places for strangers are all taken lets no fellow without a channel in; two such agree
/// through a third.
pub(super) fn full_slots_do_not_cut_a_member_off(stage: &mut Stage) -> Outcome {
    let kind = if stage.fleet == Fleet::Lnd {
        Kind::Lnd
    } else {
        Kind::Cln
    };
    let world = &mut stage.world;
    for kind in [Kind::Lnd, kind, Kind::Lnd, kind] {
        world.add(kind)?;
    }
    let stranger = 3;
    for place in ENDS {
        let one = vec!["--num-restricted-slots=1".to_owned()];
        world.node_mut(place).set_options(one);
    }
    for place in [0, HUB, 2, stranger] {
        world.node_mut(place).start()?;
    }
    world.synced()?;
    for place in ENDS {
        world.connect(stranger, place)?;
    }
    world.agent(HUB, &[])?;
    for place in ENDS {
        world.agent(place, &[])?;
    }
    world.found(HUB)?;
    for place in ENDS {
        world.join(HUB, place, "full")?;
    }
    passes_through(world, HUB, ENDS)?;
    for (end, other) in [(0, 2), (2, 0)] {
        let other = world.id(other)?;
        world.alerted(
            end,
            &format!("{other} drops this node's connection at once"),
        )?;
        world.alerted(
            end,
            "its operator raises `num-restricted-slots` in lnd.conf",
        )?;
    }
    for place in ENDS {
        let (peers, taken) = (world.node(place).peers()?, world.id(stranger)?);
        ensure(peers.contains(&taken), || {
            format!("the stranger lost its place: {peers:?}")
        })?;
    }
    world.stop()
}

/// What one end says reaches the other, and no link is between them.
fn passes_through(world: &World, hub: usize, ends: [usize; 2]) -> Outcome {
    let all = [ends[0], hub, ends[1]];
    world.converged(&all)?;
    world.hears(ends[0], &[ends[1]])?;
    world.hears(ends[1], &[ends[0]])?;
    world.converged(&all)?;
    for (end, other) in [(ends[0], ends[1]), (ends[1], ends[0])] {
        let (peers, other) = (world.node(end).peers()?, world.id(other)?);
        ensure(!peers.contains(&other), || {
            format!("a direct link: {peers:?}")
        })?;
    }
    Ok(())
}
