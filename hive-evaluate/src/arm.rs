//! Who is compared.

use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// One way to place the same capital and the same number of channels.
///
/// Every arm has `members × channels` on-chain opens; channels between members count as opens of the
/// member that funds them. All nodes are new to the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arm {
    /// One node with all the capital and all the channels, placed by this planner.
    Whale,
    /// The members, planned together, linked where a link is worth its slot.
    Fleet,
    /// The members, planned together, without channels between them.
    FleetNoLinks,
    /// The members, planned together, no target of one being a target of another.
    FleetUnique,
    /// The same members and the same method, each planning for itself alone on its own demand sample.
    Uncoordinated,
    /// Each member as LND's autopilot would with its default heuristic: targets drawn in proportion to
    /// betweenness (`top_centrality`).
    Autopilot,
    /// Each member as LND's autopilot would with the heuristic `preferential`.
    Preferential,
    /// The earlier tool's score for a fleet: public capacity × (1 − the fleet's share of it) × degree
    /// factor, no target twice.
    Predecessor,
    /// Each member draws its targets from all usable nodes alike.
    Random,
}

impl Arm {
    /// Every arm, in the order of tables.
    pub const ALL: [Self; 9] = [
        Self::Whale,
        Self::Fleet,
        Self::FleetNoLinks,
        Self::FleetUnique,
        Self::Uncoordinated,
        Self::Autopilot,
        Self::Preferential,
        Self::Predecessor,
        Self::Random,
    ];

    /// The name on the command line and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Whale => "whale",
            Self::Fleet => "fleet",
            Self::FleetNoLinks => "fleet-no-links",
            Self::FleetUnique => "fleet-unique",
            Self::Uncoordinated => "uncoordinated",
            Self::Autopilot => "autopilot",
            Self::Preferential => "preferential",
            Self::Predecessor => "predecessor",
            Self::Random => "random",
        }
    }

    /// One sentence for a reader of the report.
    pub const fn description(self) -> &'static str {
        match self {
            Self::Whale => "one node with all the capital and all the channels, same planner",
            Self::Fleet => "members planned together, linked where a link is worth its slot",
            Self::FleetNoLinks => "members planned together, no channels between them",
            Self::FleetUnique => "members planned together, no target twice in the fleet",
            Self::Uncoordinated => "same members, same planner, each alone with its own sample",
            Self::Autopilot => "LND autopilot's default: weighted draw by betweenness",
            Self::Preferential => {
                "LND autopilot's preferential attachment: weighted draw by degree"
            }
            Self::Predecessor => "public capacity × (1 − share) × degree factor, no target twice",
            Self::Random => "targets drawn from all usable nodes alike",
        }
    }

    /// Whether the members forward for each other for nothing. Arms without any agreement do not, and
    /// have no channels between members either.
    pub const fn is_one_house(self) -> bool {
        matches!(
            self,
            Self::Whale | Self::Fleet | Self::FleetNoLinks | Self::FleetUnique
        )
    }

    /// Whether `hive_planner` chooses the targets.
    pub const fn is_planned(self) -> bool {
        self.is_one_house() || matches!(self, Self::Uncoordinated)
    }
}

impl fmt::Display for Arm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// No arm has that name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "there is no arm {0:?}; choose from whale, fleet, fleet-no-links, fleet-unique, uncoordinated, \
     autopilot, preferential, predecessor, random"
)]
pub struct UnknownArm(String);

impl FromStr for Arm {
    type Err = UnknownArm;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|arm| arm.name() == text);
        found.ok_or_else(|| UnknownArm(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_are_those_of_json() {
        for arm in Arm::ALL {
            assert_eq!(arm.name().parse(), Ok(arm));
            assert_eq!(format!("{arm:<16}|").len(), 17);
        }
        let unknown = "borg".parse::<Arm>().map_err(|error| error.to_string());
        assert!(unknown.is_err_and(|text| Arm::ALL.iter().all(|arm| text.contains(arm.name()))));
    }
}
