//! Where to open and what to rebalance, on the real Lightning graph.
//!
//! Pure: no clock, no chance, no files. Equal inputs give equal answers, bit for bit: arithmetic is on
//! integers, the demand sample comes from a seed, and budgets are counted in units of work.
//!
//! | room | what is in it |
//! |---|---|
//! | [`graph`] | the public network, compact and immutable, with updates from gossip |
//! | [`demand`] | who pays whom, and how much: seeded samples |
//! | [`load`] | graphs from CSV tables, `lncli describegraph`, `lightning-cli listchannels`, a `gossip_store` |
//! | [`routes`] | how senders weigh ways, Dijkstra, and routes priced to the millisatoshi |
//! | [`targets`] | where the fleet opens, planned for all members, proposed by each for itself |
//! | [`circulation`] | minimum-cost circulation in whole numbers |
//! | [`pushes`] | circles that fill members' channels before they run dry |
//!
//! The planner wants; it never acts. A [`Proposal`](hive_types::Proposal) goes to hive-policy, which
//! alone permits.
//!
//! ```
//! use hive_planner::graph::GraphBuilder;
//! use hive_planner::{History, PlannerConfig, PlanNote, plan_opens, plan_pushes};
//! use hive_types::{
//!     BlockHeight, ChannelPolicy, Constraint, FeeratePerKw, FellowView, FleetView, LocalSnapshot,
//!     Msat, Network, NodeId, OnChain, Ppm, Sat, ShortChannelId, Tier,
//! };
//!
//! // A line of three nodes, whose middle one is dear, and a member that is not in it yet.
//! let id = |n: u64| format!("02{n:064x}").parse::<NodeId>();
//! let (left, dear, right, me) = (id(1)?, id(2)?, id(3)?, id(4)?);
//! let policy = ChannelPolicy {
//!     base: Msat::new(1_000),
//!     rate: Ppm::new(5_000),
//!     cltv_delta: 80,
//!     htlc_minimum: Msat::new(1),
//!     htlc_maximum: Msat::new(50_000_000_000),
//!     disabled: false,
//!     inbound_base_msat: 0,
//!     inbound_ppm: 0,
//! };
//! let mut builder = GraphBuilder::new();
//! [left, dear, right].map(|node| builder.add_node(node));
//! for (number, ends) in [(1, [left, dear]), (2, [dear, right])] {
//!     let scid = ShortChannelId::from_u64(number);
//!     builder.add_channel(scid, ends, Sat::new(50_000_000))?;
//!     builder.set_policy(scid, ends[0], &policy)?;
//!     builder.set_policy(scid, ends[1], &policy)?;
//! }
//! let graph = builder.build();
//!
//! let constraint = Constraint {
//!     capital: Sat::new(10_000_000),
//!     slots: 2,
//!     channel_min: Sat::new(1_000_000),
//!     channel_max: Sat::new(5_000_000),
//! };
//! let fellow = FellowView {
//!     node_id: me,
//!     tier: Tier::Full,
//!     fresh: true,
//!     privileges: Default::default(),
//!     channels: vec![],
//!     constraint,
//!     intents: vec![],
//! };
//! let fleet = FleetView { me: Some(me), members: vec![fellow], ..FleetView::default() };
//! let local = LocalSnapshot {
//!     node_id: me,
//!     network: Network::Regtest,
//!     height: BlockHeight::new(100),
//!     synced: true,
//!     on_chain: OnChain { confirmed: Sat::new(20_000_000), ..OnChain::default() },
//!     feerate: FeeratePerKw::from_sat_per_vbyte(1),
//!     channels: vec![],
//!     peers: vec![],
//!     forwards: vec![],
//!     peer_events: vec![],
//! };
//!
//! let config = PlannerConfig::default();
//! let plan = plan_opens(&graph, &fleet, &local, &History::default(), &config);
//! assert_eq!(plan.proposals.len(), 2);
//! for proposal in &plan.proposals {
//!     println!("{}", proposal.explanation.summary);
//! }
//! // Once the fleet's money is gone, the plan says why it proposes nothing.
//! let broke = LocalSnapshot { on_chain: OnChain::default(), ..local };
//! let plan = plan_opens(&graph, &fleet, &broke, &History::default(), &config);
//! assert!(matches!(plan.notes[..], [PlanNote::TooLittleCapital { .. }]));
//! assert!(plan_pushes(&graph, &fleet, &broke, &config).is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod circulation;
mod config;
pub mod demand;
#[doc(hidden)]
pub mod fuzzing;
pub mod graph;
pub mod load;
pub mod pushes;
pub mod routes;
pub mod targets;

pub use config::{Grid, GridError, PlannerConfig};
pub use demand::{AmountModel, DemandModel};
pub use pushes::plan_pushes;
pub use targets::{
    Destination, ExpectedOpen, FleetPlan, HeldOut, History, OpenObstacle, Plan, PlanNote,
    PlannedChannel, Problem, Progress, Seat, UnseenChannel, Watch, Work, check_open, plan_fleet,
    plan_opens, unwatched,
};
