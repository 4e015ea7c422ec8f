//! What is tried on real nodes, one table of it.

mod agents;
mod bad_input;
mod black_hole;
mod circle;
mod conformance;
mod converge;
mod corridor;
mod crash;
mod crash_broadcast;
mod crash_open;
mod crash_push;
mod fee_cheat;
mod garbage;
mod harmless;
mod join;
mod money;
mod nodes;
mod not_ready;
mod one_target;
mod overcharge;
mod relay;
mod reorganized;
mod restart;
mod round_trip;
mod uninstall;

use crate::failure::Outcome;
use crate::node::Kind;
use crate::world::World;
use std::fmt;

/// Which implementations take part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fleet {
    /// LND alone.
    Lnd,
    /// Core Lightning alone.
    Cln,
    /// Both, in turn.
    Mixed,
}

impl Fleet {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Lnd, Self::Cln, Self::Mixed];

    /// The kinds of `count` nodes.
    pub fn kinds(self, count: usize) -> Vec<Kind> {
        let kind = |place| match self {
            Self::Lnd => Kind::Lnd,
            Self::Cln => Kind::Cln,
            Self::Mixed if place % 2 == 0 => Kind::Lnd,
            Self::Mixed => Kind::Cln,
        };
        (0..count).map(kind).collect()
    }

    /// Whether it can't be without lightningd.
    pub fn needs_cln(self) -> bool {
        self != Self::Lnd
    }
}

impl fmt::Display for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lnd => "lnd",
            Self::Cln => "cln",
            Self::Mixed => "mixed",
        })
    }
}

/// What a scenario gets.
#[derive(Debug)]
pub struct Stage {
    /// A chain without nodes.
    pub world: World,
    /// Which implementations take part.
    pub fleet: Fleet,
}

/// One scenario, run once for each fleet that it names.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Its name, lower case.
    pub name: &'static str,
    /// What it shows, in a line.
    pub about: &'static str,
    /// The numbered cases that it proves.
    pub cases: &'static [&'static str],
    /// The fleets it runs with.
    pub fleets: &'static [Fleet],
    /// The scenario.
    pub run: fn(&mut Stage) -> Outcome,
}

/// Every scenario, in the order in which they run.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "nodes_work",
        about: "two nodes start, open a channel, pay both ways, survive a kill and stop",
        cases: &[],
        fleets: Fleet::ALL,
        run: nodes::work,
    },
    Scenario {
        name: "backend_conformance",
        about: "the conformance suite of hive-node; of a mixed fleet, LND is the one under test",
        cases: &["T58", "T60"],
        fleets: Fleet::ALL,
        run: conformance::suite,
    },
    Scenario {
        name: "cln_backend_among_lnd",
        about: "the conformance suite of hive-node, with Core Lightning under test in a mixed fleet",
        cases: &["T58", "T60"],
        fleets: &[Fleet::Mixed],
        run: conformance::cln_among_lnd,
    },
    Scenario {
        name: "agents_meet",
        about: "two agents found, invite, join and agree, and survive a kill",
        cases: &["T01"],
        fleets: Fleet::ALL,
        run: agents::meet,
    },
    Scenario {
        name: "corridor",
        about: "fellows ask nothing of each other, and what they asked before once one has left",
        cases: &["T62"],
        fleets: Fleet::ALL,
        run: corridor::t62_fees_vanish_and_come_back,
    },
    Scenario {
        name: "one_target",
        about: "two members want one target, both are approved, one opens",
        cases: &["T31"],
        fleets: Fleet::ALL,
        run: one_target::t31_two_members_open_one_channel,
    },
    Scenario {
        name: "leave_lock",
        about: "a member leaves while it holds a lock: the lock is free, its channel stays",
        cases: &["T62"],
        fleets: Fleet::ALL,
        run: one_target::t62_a_leaver_frees_its_lock,
    },
    Scenario {
        name: "fee_cheat",
        about: "a fellow raises its fee by hand: blamed, out of the free corridor, forgiven",
        cases: &["T50"],
        fleets: Fleet::ALL,
        run: fee_cheat::t50_a_raised_fee_is_found,
    },
    Scenario {
        name: "push",
        about: "pushes around a circle: one comes back short, one is stuck, one arrives; none is a drain",
        cases: &["T57", "T59", "T60", "T61"],
        fleets: Fleet::ALL,
        run: circle::pushes,
    },
    Scenario {
        name: "probe",
        about: "a fellow that forwards, and then fails all that it should forward, is found by probes",
        cases: &["T56"],
        fleets: Fleet::ALL,
        run: black_hole::t56_a_black_hole_is_found,
    },
    Scenario {
        name: "overcharge",
        about: "a fellow's node demands what its updates do not say: told as a fault, held against nobody",
        cases: &["T52"],
        fleets: Fleet::ALL,
        run: overcharge::t52_a_secret_demand_is_a_fault,
    },
    Scenario {
        name: "join",
        about: "both tiers come in by tickets; a forged and a used one, among others, are refused",
        cases: &["T10", "T12"],
        fleets: Fleet::ALL,
        run: join::t10_t12_a_ticket_admits_one_guest,
    },
    Scenario {
        name: "converge",
        about: "five members agree, one absent meanwhile, two with a private channel alone",
        cases: &["T08", "T14"],
        fleets: Fleet::ALL,
        run: converge::t08_t14_five_members_agree,
    },
    Scenario {
        name: "relay",
        about: "two members that can't reach each other agree through one between them",
        cases: &["T01"],
        fleets: Fleet::ALL,
        run: relay::t01_frames_pass_through_a_fellow,
    },
    Scenario {
        name: "slots",
        about: "LNDs whose restricted slots are taken by strangers agree all the same, by relay",
        cases: &[],
        fleets: &[Fleet::Lnd, Fleet::Mixed],
        run: relay::full_slots_do_not_cut_a_member_off,
    },
    Scenario {
        name: "crash",
        about: "agents and nodes are killed at many points of founding, joining, admitting, leaving",
        cases: &[],
        fleets: Fleet::ALL,
        run: crash::joining_survives_kills,
    },
    Scenario {
        name: "kill_opener",
        about: "a member and its node are killed at many points of locking and opening: one channel",
        cases: &["T36"],
        fleets: Fleet::ALL,
        run: crash_open::t36_kills_leave_one_channel_or_none,
    },
    Scenario {
        name: "kill_broadcaster",
        about: "lightningd is killed while it gives out the funding of a member's open: one channel",
        cases: &["T36"],
        fleets: &[Fleet::Cln],
        run: crash_broadcast::t36_kills_at_the_broadcast_leave_one_channel,
    },
    Scenario {
        name: "kill_payer",
        about: "a member and its node are killed at many points of a push: it moves once or not at all",
        cases: &["T59", "T60"],
        fleets: Fleet::ALL,
        run: crash_push::t59_t60_kills_move_money_once,
    },
    Scenario {
        name: "reorganized",
        about: "the block with an open's funding is reorganized away, and it confirms in another",
        cases: &[],
        fleets: &[Fleet::Lnd, Fleet::Cln],
        run: reorganized::an_open_outlives_its_block,
    },
    Scenario {
        name: "harmless",
        about: "agents killed, stopped, flooded, out of disk: their nodes answer and payments pass",
        cases: &["T07", "T64"],
        fleets: &[Fleet::Lnd, Fleet::Cln],
        run: harmless::t07_t64_nodes_take_no_harm,
    },
    Scenario {
        name: "restart",
        about: "nodes stop and are killed, come back, and their agents follow",
        cases: &[],
        fleets: Fleet::ALL,
        run: restart::agents_follow_their_nodes,
    },
    Scenario {
        name: "garbage",
        about: "a stranger's messages of our type, malformed, large and many, do nothing",
        cases: &["T07"],
        fleets: Fleet::ALL,
        run: garbage::t07_garbage_does_nothing,
    },
    Scenario {
        name: "uninstall",
        about: "an agent is gone for long, then all leave: fees, channels and files are as before",
        cases: &["T62", "T63"],
        fleets: Fleet::ALL,
        run: uninstall::t62_t63_nothing_is_left,
    },
    Scenario {
        name: "bad_input",
        about: "no node, wrong and narrow macaroons, wrong settings, others' stores, a new certificate",
        cases: &[],
        fleets: Fleet::ALL,
        run: bad_input::slips_are_told,
    },
    Scenario {
        name: "locked_wallet",
        about: "an LND whose wallet is locked is waited for",
        cases: &[],
        fleets: &[Fleet::Lnd],
        run: not_ready::a_locked_wallet_is_waited_for,
    },
    Scenario {
        name: "syncing",
        about: "a node behind its chain: what needs the chain waits, and is told",
        cases: &[],
        fleets: &[Fleet::Lnd, Fleet::Cln],
        run: not_ready::a_syncing_node_is_waited_for,
    },
    Scenario {
        name: "expired_certificate",
        about: "LND's certificate expires while it runs: told, and taken until there is a new one",
        cases: &[],
        fleets: &[Fleet::Lnd],
        run: not_ready::an_expired_certificate_is_told,
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_distinct() {
        let names: BTreeSet<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), SCENARIOS.len());
    }

    #[test]
    fn mixed_fleets_hold_both() {
        let kinds = Fleet::Mixed.kinds(3);
        assert_eq!(kinds, [Kind::Lnd, Kind::Cln, Kind::Lnd]);
        assert!(Fleet::Lnd.kinds(5).iter().all(|kind| *kind == Kind::Lnd));
    }
}
