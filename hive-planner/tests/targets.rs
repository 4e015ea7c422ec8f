//! Where to open, on networks whose best answer is known.
#![allow(clippy::unwrap_used)]

mod common;

use common::fleet::{HEIGHT, constraint, fleet, local, open_of, seen_by, targets};
use common::{graph_of, node, policy, real_graph, scid};
use hive_planner::graph::{Graph, GraphBuilder, GraphUpdate};
use hive_planner::routes::SenderModel;
use hive_planner::{DemandModel, History, Plan, PlanNote, PlannerConfig, plan_opens};
use hive_types::{
    ActionId, BlockHeight, FeeratePerKw, FellowChannel, FleetView, Intent, LockView, Msat,
    ObservationView, PeerView, Ppm, Sat, Toxicity, UnixMillis,
};

const MEMBER: u32 = 100;
const LEFT: u32 = 1;
const RIGHT: u32 = 2;
const TOLL: u32 = 3;

/// Two stars of ten leaves each; between their hubs lies one dear node.
fn dumbbell() -> Graph {
    let mut channels = vec![(1, LEFT, TOLL, 50_000_000), (2, TOLL, RIGHT, 50_000_000)];
    for leaf in 0..10 {
        let number = 10 + u64::from(leaf);
        channels.push((number, LEFT, 10 + leaf, 20_000_000));
        channels.push((number + 10, RIGHT, 20 + leaf, 20_000_000));
    }
    let graph = graph_of(&channels, &policy(0, 10, 40));
    let dear = [1, 2].map(|number| GraphUpdate::Policy {
        scid: scid(number),
        from: node(TOLL),
        policy: policy(0, 20_000, 40),
    });
    graph.updated(&dear)
}

fn config() -> PlannerConfig {
    PlannerConfig {
        demand: DemandModel::Uniform,
        sender: SenderModel::FeeOnly,
        // No channel runs dry: the networks here are small, the demand is the whole world's.
        turnover: Ppm::new(u32::MAX),
        payments: 1_536,
        payees: 48,
        ..PlannerConfig::default()
    }
}

fn plan(graph: &Graph, fleet: &FleetView) -> Plan {
    plan_opens(graph, fleet, &local(MEMBER), &History::default(), &config())
}

#[test]
fn bridges_two_halves() {
    let plan = plan(&dumbbell(), &fleet(&[MEMBER], constraint(2, 4_000_000)));
    assert_eq!(targets(&plan.proposals), [node(LEFT), node(RIGHT)]);
    assert_eq!(plan.revenue_before, Msat::ZERO);
    assert!(plan.revenue_after > Msat::ZERO);
    assert_eq!(plan.notes, []);
    for proposal in &plan.proposals {
        assert!(proposal.value_per_day > Msat::ZERO);
        assert_eq!(open_of(proposal).capacity, Sat::new(2_000_000));
        let facts = &proposal.explanation.facts;
        for name in [
            "share of demand won",
            "marginal revenue per day",
            "on-chain cost at most",
            "share of the target's public capacity after",
            "earns together with a channel to",
        ] {
            assert!(facts.iter().any(|fact| fact.0 == name), "{name}: {facts:?}");
        }
    }
}

#[test]
fn equal_inputs_give_equal_plans() {
    let (graph, fleet) = (
        dumbbell(),
        fleet(&[MEMBER, 101, 102], constraint(3, 9_000_000)),
    );
    assert_eq!(plan(&graph, &fleet), plan(&graph, &fleet));
    let text = serde_json::to_string(&plan(&graph, &fleet)).unwrap();
    let read: Plan = serde_json::from_str(&text).unwrap();
    assert_eq!(read, plan(&graph, &fleet));
}

#[test]
fn members_do_not_want_the_same_target() {
    let graph = mesh(7, 24);
    let members = [MEMBER, 101, 102, 103, 104];
    let fleet = fleet(&members, constraint(3, 9_000_000));
    let plans = members.map(|n| {
        let seen = seen_by(&fleet, n);
        plan_opens(&graph, &seen, &local(n), &History::default(), &config())
    });
    let mut wanted: Vec<_> = plans
        .iter()
        .flat_map(|plan| targets(&plan.proposals))
        .collect();
    let count = wanted.len();
    assert!(count >= 5, "{count}");
    wanted.sort_unstable();
    wanted.dedup();
    assert_eq!(wanted.len(), count);
    plans
        .iter()
        .for_each(|plan| assert_eq!(plan.expected, plans[0].expected));
}

/// A ring with chords, each node with its own fee.
fn mesh(seed: u32, nodes: u32) -> Graph {
    let mut channels = Vec::new();
    for n in 0..nodes {
        let chord = 2 + (n * 7 + seed * 3) % (nodes - 4);
        channels.push((u64::from(n), n, (n + 1) % nodes, 20_000_000));
        channels.push((u64::from(n + nodes), n, (n + chord) % nodes, 30_000_000));
    }
    let graph = graph_of(&channels, &policy(0, 100, 40));
    let own_fee: Vec<GraphUpdate> = graph
        .edges()
        .map(|edge| {
            let n = edge.from.get() as u32;
            GraphUpdate::Policy {
                scid: edge.scid,
                from: graph.node_id(edge.from),
                policy: policy(0, 50 + (n * 37 + seed * 11) % 900, 40),
            }
        })
        .collect();
    graph.updated(&own_fee)
}

#[test]
fn comes_near_the_exhaustive_optimum_of_two() {
    for seed in 1..=6 {
        let graph = mesh(seed, 12);
        let all = fleet(&[MEMBER], constraint(2, 4_000_000));
        let reached = plan(&graph, &all).revenue_after;
        let mut best = Msat::ZERO;
        for one in 0..12 {
            for two in 0..one {
                let banned = (0..12).filter(|n| *n != one && *n != two).map(node);
                let pair = FleetView {
                    banned: banned.collect(),
                    ..all.clone()
                };
                best = best.max(plan(&graph, &pair).revenue_after);
            }
        }
        assert!(best > Msat::ZERO);
        assert!(
            reached.get() * 10 >= best.get() * 9,
            "{seed}: {reached} of {best}"
        );
    }
}

/// The dumbbell with the member there already: `share` sat of the left hub's capacity.
fn with_channel(capacity: u64) -> Graph {
    let added = GraphUpdate::ChannelAdded {
        scid: scid(99),
        nodes: [node(101), node(LEFT)],
        capacity: Sat::new(capacity),
    };
    dumbbell().updated(&[added])
}

#[test]
fn t38_share_cap_holds_for_all_until_below_the_lower_mark() {
    // 250 M sat without the fleet: 62.5 M make a fifth, 50 M a sixth, 40 M under 15 %.
    let members = fleet(&[MEMBER, 101], constraint(4, 4_000_000));
    let wants = |capacity: u64, capped: &Plan| {
        let graph = with_channel(capacity);
        let history = History {
            capped: capped.capped.clone(),
            ..History::default()
        };
        let plan = plan_opens(&graph, &members, &local(MEMBER), &history, &config());
        let wanted = plan.expected.iter().any(|open| open.target == node(LEFT));
        (wanted, plan)
    };
    let (wanted, fresh) = wants(50_000_000, &Plan::default());
    assert!(wanted && fresh.capped.is_empty());
    let (wanted, full) = wants(62_500_000, &fresh);
    assert!(!wanted && full.capped.contains(&node(LEFT)));
    let (wanted, waiting) = wants(50_000_000, &full);
    assert!(!wanted && waiting.capped.contains(&node(LEFT)));
    let (wanted, again) = wants(40_000_000, &waiting);
    assert!(wanted && again.capped.is_empty());
}

#[test]
fn t38_share_comes_from_the_graph_and_not_from_claims() {
    let claims = |spendable, confirmed| FellowChannel {
        scid: None,
        peer: node(LEFT),
        capacity: Sat::new(900_000_000),
        spendable,
        drain_msat_per_day: None,
        confirmed,
    };
    let graph = with_channel(62_500_000);
    for channels in [
        vec![],
        vec![claims(None, true)],
        vec![claims(Some(Msat::ZERO), false)],
    ] {
        for capacity in [50_000_000, 62_500_000] {
            let mut members = fleet(&[MEMBER, 101], constraint(4, 4_000_000));
            members.members[1].channels = channels.clone();
            let graph = if capacity == 62_500_000 {
                graph.clone()
            } else {
                with_channel(capacity)
            };
            let plan = plan(&graph, &members);
            assert_eq!(plan.capped.contains(&node(LEFT)), capacity == 62_500_000);
        }
    }
}

#[test]
fn no_open_lifts_the_share_over_the_cap() {
    let graph = with_channel(61_000_000);
    let members = fleet(&[MEMBER, 101], constraint(4, 40_000_000));
    let plan = plan(&graph, &members);
    for open in &plan.expected {
        let place = graph.node_index(&open.target).unwrap();
        let public = graph.capacity_of(place).get() + open.capacity.get();
        let held = if open.target == node(LEFT) {
            61_000_000
        } else {
            0
        };
        let share = Ppm::of(held + open.capacity.get(), public);
        assert!(share <= config().share_cap, "{open:?}: {share}");
    }
    assert!(!plan.expected.is_empty());
}

#[test]
fn t28_unconfirmed_channels_are_left_out() {
    let graph = dumbbell();
    let honest = fleet(&[MEMBER, 101], constraint(2, 4_000_000));
    let mut boasting = honest.clone();
    boasting.members[1].channels = [LEFT, RIGHT, TOLL]
        .map(|peer| FellowChannel {
            scid: Some(scid(77)),
            peer: node(peer),
            capacity: Sat::new(1_000_000_000),
            spendable: Some(Msat::new(1_000_000_000_000)),
            drain_msat_per_day: None,
            confirmed: false,
        })
        .to_vec();
    assert_eq!(plan(&graph, &boasting), plan(&graph, &honest));
    boasting.members[1].channels[0].confirmed = true;
    boasting.members[1].channels[1].confirmed = true;
    let confirmed = plan(&graph, &boasting);
    assert!(confirmed.revenue_before > Msat::ZERO);
}

/// Ten bitcoin free on a node that shows a tenth of one, or nothing: as much as the others have is
/// believed, and what is beyond that moves nobody's plan.
#[test]
fn t28_capital_beyond_the_graph_changes_no_fellows_plan() {
    let graph = mesh(3, 24);
    let honest = fleet(&[MEMBER, 101, 102], constraint(3, 9_000_000));
    let mut boasting = honest.clone();
    boasting.members[1].constraint.capital = Sat::new(1_000_000_000);
    boasting.members[1].constraint.slots = 1_000;
    let seen = plan(&graph, &honest);
    assert!(!seen.proposals.is_empty());
    assert_eq!(plan(&graph, &boasting), seen);
    // What it honestly lacks counts.
    boasting.members[1].constraint.slots = 0;
    assert_ne!(plan(&graph, &boasting).expected, seen.expected);
}

#[test]
fn locks_intents_bans_and_refusals_close_a_target_until_they_end() {
    let graph = dumbbell();
    let height = BlockHeight::new(HEIGHT);
    let free = fleet(&[MEMBER, 101], constraint(2, 4_000_000));
    let mine = |fleet: &FleetView, history: &History| {
        let plan = plan_opens(&graph, fleet, &local(MEMBER), history, &config());
        targets(&plan.proposals).contains(&node(LEFT))
    };
    let calm = History::default();
    assert!(mine(&free, &calm));
    for (until, open) in [(height.plus(1), false), (height, true)] {
        let mut locked = free.clone();
        locked.locks.push(LockView {
            target: node(LEFT),
            holder: node(101),
            action: ActionId::from_bytes([1; 16]),
            height,
            until,
            funding: None,
        });
        assert_eq!(mine(&locked, &calm), open);
        let mut intended = free.clone();
        intended.members[1].intents.push(Intent {
            target: node(LEFT),
            capacity: Sat::new(1_000_000),
            value_per_day: Msat::new(1),
            until,
        });
        assert_eq!(mine(&intended, &calm), open);
        // Announced by both, it goes to the one that values it more.
        let mut dearer = intended.members[1].intents[0];
        dearer.value_per_day = Msat::new(2);
        intended.members[0].intents.push(dearer);
        assert!(mine(&intended, &calm));
        let mut refused = calm.clone();
        refused.cooldowns.insert(node(LEFT), until);
        assert_eq!(mine(&free, &refused), open);
    }
    let mut banned = free.clone();
    banned.banned.push(node(LEFT));
    assert!(!mine(&banned, &calm));
}

#[test]
fn who_tells_nobody_where_it_is_is_left_out_unless_linked() {
    let mut builder = GraphBuilder::of(&dumbbell());
    builder.set_addressless(node(LEFT));
    let (graph, fleet) = (builder.build(), fleet(&[MEMBER], constraint(2, 4_000_000)));
    let without = plan(&graph, &fleet);
    assert!(!targets(&without.proposals).contains(&node(LEFT)));
    let told = PlanNote::NoAddress { nodes: 1 };
    assert!(without.notes.contains(&told), "{:?}", without.notes);
    assert!(told.to_string().starts_with("1 nodes are left out"));
    let mut linked = local(MEMBER);
    linked.peers.push(PeerView {
        node_id: node(LEFT),
        features: Vec::new(),
    });
    let with = plan_opens(&graph, &fleet, &linked, &History::default(), &config());
    assert_eq!(targets(&with.proposals), [node(LEFT), node(RIGHT)]);
    assert_eq!(with.notes, []);
}

#[test]
fn an_open_that_cannot_earn_its_cost_is_not_proposed() {
    let (graph, fleet) = (dumbbell(), fleet(&[MEMBER], constraint(2, 40_000_000)));
    let at = |feerate| {
        let local = hive_types::LocalSnapshot {
            feerate,
            ..local(MEMBER)
        };
        plan_opens(&graph, &fleet, &local, &History::default(), &config())
    };
    assert_eq!(at(FeeratePerKw::new(253)).proposals.len(), 2);
    let dear = at(FeeratePerKw::new(u32::MAX));
    assert_eq!(dear.proposals, []);
    let reason = plan_opens(
        &graph,
        &fleet,
        &local(MEMBER),
        &History::default(),
        &PlannerConfig {
            payments_per_day: 0,
            ..config()
        },
    );
    assert!(matches!(reason.notes[..], [PlanNote::NothingPays { .. }]));
}

#[test]
fn says_why_there_is_nothing_to_propose() {
    let graph = dumbbell();
    let note = |fleet: &FleetView| {
        let plan = plan(&graph, fleet);
        assert_eq!(plan.proposals, []);
        assert!(plan.notes.iter().all(|note| !note.to_string().is_empty()));
        plan.notes.first().copied()
    };
    assert_eq!(note(&FleetView::default()), Some(PlanNote::NotAMember));
    let idle = plan(&graph, &fleet(&[MEMBER], constraint(0, 5_000_000)));
    assert_eq!(idle.work.candidates, 0);
    let with = |slots, capital| note(&fleet(&[MEMBER], constraint(slots, capital)));
    assert_eq!(with(0, 5_000_000), Some(PlanNote::NoSlots));
    assert!(matches!(
        with(2, 99_999),
        Some(PlanNote::TooLittleCapital { .. })
    ));
    let mut crossed = fleet(&[MEMBER], constraint(2, 5_000_000));
    crossed.members[0].constraint.channel_max = Sat::new(5);
    assert!(matches!(note(&crossed), Some(PlanNote::SizesCross { .. })));
    let mut stale = fleet(&[MEMBER], constraint(2, 5_000_000));
    stale.members[0].fresh = false;
    assert_eq!(note(&stale), Some(PlanNote::NoSlots));
    let behind = hive_types::LocalSnapshot {
        synced: false,
        ..local(MEMBER)
    };
    let some = fleet(&[MEMBER], constraint(2, 5_000_000));
    let plan = plan_opens(&graph, &some, &behind, &History::default(), &config());
    assert_eq!(plan.notes, [PlanNote::NotSynced]);
    let nothing = common::graph_of(&[], &policy(0, 0, 0));
    let plan = plan_opens(
        &nothing,
        &some,
        &local(MEMBER),
        &History::default(),
        &config(),
    );
    assert_eq!(plan.notes, [PlanNote::NoDemand]);
}

#[test]
fn the_work_limit_ends_a_plan_and_is_told() {
    let (graph, fleet) = (mesh(3, 60), fleet(&[MEMBER], constraint(2, 4_000_000)));
    let mut before = None;
    for work_limit in [0, 1, 500, 3_000, 5_000, u64::MAX] {
        let config = PlannerConfig {
            work_limit,
            ..config()
        };
        let plan = plan_opens(&graph, &fleet, &local(MEMBER), &History::default(), &config);
        assert_eq!(
            plan.notes.contains(&PlanNote::WorkLimit),
            work_limit != u64::MAX
        );
        assert!(before.is_none_or(|settled| settled <= plan.work.settled));
        before = Some(plan.work.settled);
    }
}

#[test]
fn plans_on_the_whole_mainnet_for_members_that_are_new_to_it() {
    let Some(loaded) = real_graph("ln-2025-10-26") else {
        return;
    };
    let members = fleet(&[MEMBER, 101], constraint(2, 20_000_000));
    let config = PlannerConfig {
        payments: 288,
        payees: 12,
        candidates: 40,
        ..PlannerConfig::default()
    };
    let plan = plan_opens(
        &loaded.graph,
        &members,
        &local(MEMBER),
        &History::default(),
        &config,
    );
    assert!(!plan.proposals.is_empty(), "{:?}", plan.notes);
    assert!(plan.revenue_after > Msat::ZERO);
    println!("{:#?}", plan.proposals[0]);
}

#[test]
fn one_members_word_moves_a_target_by_a_bounded_part() {
    let graph = dumbbell();
    let mut members = fleet(&[MEMBER, 101], constraint(2, 4_000_000));
    members.banned = [TOLL].into_iter().chain(10..30).map(node).collect();
    let value = |fleet: &FleetView| {
        let plan = plan(&graph, fleet);
        let mut left = plan.proposals.iter();
        let left = left.find(|proposal| open_of(proposal).target == node(LEFT));
        left.unwrap().value_per_day.get()
    };
    let before = value(&members);
    members.observations = vec![
        ObservationView {
            author: node(101),
            peer: node(LEFT),
            toxicity: Some(Toxicity {
                force_closes: u32::MAX,
                stuck_htlcs: u32::MAX,
                failure_rate: Ppm::new(u32::MAX),
                last_seen: UnixMillis::new(0),
                ..Toxicity::default()
            }),
            opportunity: None,
        };
        3
    ];
    let after = value(&members);
    let share = Ppm::of(after, before).get();
    assert!((899_000..=900_001).contains(&share), "{share}");
}

#[test]
fn a_link_between_fellows_joins_what_they_have() {
    let ends = [(90, 101, LEFT), (91, 102, RIGHT)];
    let added = ends.map(|(number, member, hub)| GraphUpdate::ChannelAdded {
        scid: scid(number),
        nodes: [node(member), node(hub)],
        capacity: Sat::new(5_000_000),
    });
    let linked = GraphUpdate::ChannelAdded {
        scid: scid(92),
        nodes: [node(101), node(102)],
        capacity: Sat::new(5_000_000),
    };
    let open = |number: u64, from: u32, policy| GraphUpdate::Policy {
        scid: scid(number),
        from: node(from),
        policy,
    };
    let outside = policy(0, 100, 40);
    let mut updates = added.to_vec();
    for (number, member, hub) in ends {
        updates.extend([open(number, member, outside), open(number, hub, outside)]);
    }
    let apart = dumbbell().updated(&updates);
    let free = policy(0, 0, 40);
    updates.extend([linked, open(92, 101, free), open(92, 102, free)]);
    let joined = dumbbell().updated(&updates);
    let members = fleet(&[MEMBER, 101, 102], constraint(0, 0));
    assert_eq!(plan(&apart, &members).revenue_before, Msat::ZERO);
    assert!(plan(&joined, &members).revenue_before > Msat::ZERO);
}

#[test]
fn strict_uniqueness_closes_what_a_fellow_has() {
    let graph = with_channel(10_000_000);
    let members = fleet(&[MEMBER, 101], constraint(3, 9_000_000));
    let wants = |strictly_unique| {
        let config = PlannerConfig {
            strictly_unique,
            ..config()
        };
        let plan = plan_opens(
            &graph,
            &members,
            &local(MEMBER),
            &History::default(),
            &config,
        );
        plan.expected.iter().any(|open| open.target == node(LEFT))
    };
    assert!(wants(false));
    assert!(!wants(true));
}

/// Announcing intents and planning again is stable: nobody turns away from its own, nobody takes
/// another's.
#[test]
fn announced_intents_hold_in_the_next_plan() {
    let graph = mesh(5, 24);
    let members = [MEMBER, 101, 102];
    let mut fleet = fleet(&members, constraint(3, 9_000_000));
    let plans = |fleet: &FleetView| {
        members.map(|n| {
            let seen = seen_by(fleet, n);
            plan_opens(&graph, &seen, &local(n), &History::default(), &config())
        })
    };
    let first = plans(&fleet);
    let until = BlockHeight::new(HEIGHT + 10);
    for (fellow, plan) in fleet.members.iter_mut().zip(&first) {
        fellow.intents = plan.intents(until);
        assert_eq!(fellow.intents.len(), plan.proposals.len());
    }
    let second = plans(&fleet);
    for (before, after) in first.iter().zip(&second) {
        assert!(!before.proposals.is_empty());
        assert_eq!(targets(&before.proposals), targets(&after.proposals));
    }
}
