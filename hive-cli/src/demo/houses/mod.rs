//! Small worlds beside the fleet's, in each of which something is wrong.
//!
//! What needs other limits, other modes, days in place of hours, or members that must not spoil the
//! fleet's own course, plays here: the same agents on the same kind of world, each with a store of its
//! own.

mod black_hole;
mod budget;
mod drain;
mod fee_cheat;
mod fellows;
mod impostor;
mod leech;
mod oracle;
mod outsiders;

use super::audit;
use super::member::{Member, Role};
use super::report::Trials;
use super::setting::{self, Wishes};
use super::stage::Stage;
use super::story::Story;
use super::view::View;
use crate::embedded::Ground;
use crate::failure::Failure;
use hive_node::driver::stop_signal;
use hive_sim::world::World;
use hive_types::NodeId;
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// What all houses share.
pub(crate) struct Street<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) seed: u64,
    pub(crate) view: &'a Arc<View>,
}

/// What came of the houses.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) trials: Trials,
    pub(crate) violations: Vec<String>,
    pub(crate) lines: Vec<String>,
}

/// One agent of a house.
pub(crate) struct Dweller {
    pub(crate) name: &'static str,
    pub(crate) node: NodeId,
    pub(crate) wishes: Wishes,
}

/// Plays in every house; nothing when the user ends it.
pub(crate) fn play(street: &Street<'_>) -> Result<Option<Findings>, Failure> {
    let mut findings = Findings::default();
    let houses = [
        budget::play,
        oracle::dead,
        oracle::lying,
        fee_cheat::play,
        drain::play,
        black_hole::play,
        leech::play,
    ];
    for play in houses {
        match play(street)? {
            Some(found) => findings.extend(found),
            None => return Ok(None),
        }
    }
    Ok(Some(findings))
}

impl Findings {
    fn extend(&mut self, other: Self) {
        self.trials.extend(other.trials);
        self.violations.extend(other.violations);
        self.lines.extend(other.lines);
    }
}

/// A world with agents in it that only wait to be started.
struct House {
    runtime: Runtime,
    stage: Stage,
}

impl House {
    fn new(street: &Street<'_>, world: World, dwellers: &[Dweller]) -> Result<Self, Failure> {
        let mut names = dwellers.iter().map(|one| one.name);
        if let Some(name) = names.find(|name| setting::is_members_name(name)) {
            let reason = format!("{name} is a member's name, and has that member's store");
            return Err(Failure::Internal(reason));
        }
        let (runtime, ground) = Ground::new(world)?;
        let names = dwellers.iter().map(|one| (one.node, one.name.to_owned()));
        let story = Story::narrated(ground.clone(), names.collect(), street.view.clone());
        let members = dwellers.iter().map(|one| {
            let role = Role {
                name: one.name,
                node: one.node,
                features: &hive_sim::world::NodeSpec::agent(hive_types::Sat::ZERO).features,
                folder: street.folder.join(one.name),
                seed: street.seed,
                wishes: &one.wishes,
            };
            Member::new(&ground, role)
        });
        let members = members.collect::<Result<_, _>>()?;
        let seed = street.seed;
        let stage = Stage {
            ground,
            story,
            members,
            seed,
        };
        Ok(Self { runtime, stage })
    }

    /// Starts the agents, plays, and looks at what the world and the stores hold then.
    fn play(
        mut self,
        scenes: impl AsyncFnOnce(&mut Stage, &mut Trials) -> Result<(), Failure>,
    ) -> Result<Option<Findings>, Failure> {
        let ground = self.stage.ground.clone();
        let stage = &mut self.stage;
        on_ground(&self.runtime, &ground, async {
            let mut found = Findings::default();
            stage.start_all()?;
            scenes(stage, &mut found.trials).await?;
            found.violations = audit::of_stage(stage);
            for member in &mut stage.members {
                if let Err(error) = member.stop().await {
                    found.violations.push(format!("{}: {error}", member.name));
                }
            }
            found.lines = stage.story.lines();
            Ok(found)
        })
    }
}

/// Plays until the end, or until the user ends it: nothing then.
pub(crate) fn on_ground<T>(
    runtime: &Runtime,
    ground: &Ground,
    play: impl Future<Output = Result<T, Failure>>,
) -> Result<Option<T>, Failure> {
    runtime.block_on(async {
        let stop = stop_signal()?;
        tokio::select! {
            () = ground.conduct() => Err(Failure::Internal("time ended".into())),
            () = stop => Ok(None),
            played = play => played.map(Some),
        }
    })
}
