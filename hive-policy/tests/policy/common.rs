//! A small node and its proposals, for the tests of the gate.
use hive_policy::corridor::{FeePlan, Floors, SavedFees, Terms};
use hive_policy::{Gate, GateState, LimitSettings, Limits, Standing};
use hive_types::*;

pub(crate) fn node(byte: u8) -> NodeId {
    let mut bytes = [byte; 33];
    bytes[0] = 2;
    NodeId::from_bytes(bytes).unwrap()
}

pub(crate) fn id(number: u64) -> ActionId {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    ActionId::from_bytes(bytes)
}

pub(crate) fn scid(number: u8) -> ShortChannelId {
    ShortChannelId::new(800_000, number.into(), 0).unwrap()
}

pub(crate) const ME: u8 = 1;
/// The wall clock at the start of the tests.
pub(crate) const START: u64 = 1_700_000_000_000;
pub(crate) const SECOND: u64 = 1_000;
pub(crate) const HOUR: u64 = 3_600 * SECOND;
pub(crate) const DAY: u64 = 24 * HOUR;

/// `millis` after the start, in the first boot, with a right clock.
pub(crate) fn after(millis: u64) -> Now {
    Now {
        wall: UnixMillis::new(START + millis),
        elapsed: Elapsed::new(millis),
        boot: BootId::new(1),
    }
}

pub(crate) fn policy(base: u64, rate: u32) -> ChannelPolicy {
    ChannelPolicy {
        base: Msat::new(base),
        rate: Ppm::new(rate),
        cltv_delta: 80,
        htlc_minimum: Msat::new(1),
        htlc_maximum: Msat::new(900_000_000),
        disabled: false,
        inbound_base_msat: 0,
        inbound_ppm: 0,
    }
}

/// Own channel `number`, with the peer of the same number.
pub(crate) fn channel(number: u8) -> LocalChannel {
    LocalChannel {
        channel_id: ChannelId::from_bytes([number; 32]),
        scid: Some(scid(number)),
        funding: OutPoint {
            txid: Txid::from_bytes([number; 32]),
            vout: 0,
        },
        peer: node(number),
        capacity: Sat::new(1_000_000),
        spendable: Msat::new(500_000_000),
        receivable: Msat::new(500_000_000),
        usable: true,
        announced: true,
        opened_by_us: true,
        local_policy: Some(policy(1_000, 100)),
        remote_policy: Some(policy(1_000, 100)),
        htlcs: 0,
    }
}

/// A node with 100,000,000 sat on chain and channels 10 to 49.
pub(crate) fn local() -> LocalSnapshot {
    LocalSnapshot {
        node_id: node(ME),
        network: Network::Regtest,
        height: BlockHeight::new(1_000),
        synced: true,
        on_chain: OnChain {
            confirmed: Sat::new(100_000_000),
            ..OnChain::default()
        },
        feerate: FeeratePerKw::new(1_000),
        channels: (10..50).map(channel).collect(),
        peers: Vec::new(),
        forwards: Vec::new(),
        peer_events: Vec::new(),
    }
}

pub(crate) fn proposal(action: Action, cost: u64) -> Proposal {
    Proposal {
        action,
        cost: Msat::new(cost),
        value_per_day: Msat::new(1_000),
        confidence: Ppm::new(900_000),
        explanation: Explanation::default(),
    }
}

/// An open of 1,000,000 sat to a node; costs 1,000,000 msat at most.
pub(crate) fn open(target: u8) -> Proposal {
    let action = Action::Open(OpenChannel {
        target: node(target),
        capacity: Sat::new(1_000_000),
        feerate_ceiling: FeeratePerKw::new(1_000),
        announce: true,
    });
    proposal(action, 1_000_000)
}

/// Out by own channel `out`, over a shared peer's channel, back by own channel `back`.
pub(crate) fn rebalance(out: u8, back: u8, amount: u64, fee: u64) -> Proposal {
    let hop = |channel, to, amount, cltv_blocks| RouteHop {
        channel,
        to,
        amount: Msat::new(amount),
        cltv_blocks,
    };
    let action = Action::Rebalance(Rebalance {
        amount: Msat::new(amount),
        fee: Msat::new(fee),
        hops: vec![
            hop(scid(out), node(out), amount + fee, 200),
            hop(scid(200), node(back), amount, 120),
            hop(scid(back), node(ME), amount, 40),
        ],
        beneficiary: None,
    });
    proposal(action, fee)
}

pub(crate) fn set_policy(number: u8, rate: u32) -> Proposal {
    let action = Action::SetPolicy(SetPolicy {
        channel: scid(number),
        policy: policy(0, rate),
    });
    proposal(action, 0)
}

pub(crate) fn probe(number: u8, amount: u64) -> Proposal {
    let action = Action::Probe(Probe {
        amount: Msat::new(amount),
        hops: vec![RouteHop {
            channel: scid(number),
            to: node(number),
            amount: Msat::new(amount),
            cltv_blocks: 40,
        }],
    });
    proposal(action, 0)
}

/// A full member that knows its node's state; no lock, no bans.
pub(crate) fn full() -> Standing<'static> {
    Standing {
        tier: Some(Tier::Full),
        reconciled: true,
        lock: None,
        banned: &[],
    }
}

/// The fleet's lock for `target` and `action`, taken at the local tip.
pub(crate) fn lock(target: u8, action: ActionId) -> LockView {
    LockView {
        target: node(target),
        holder: node(ME),
        action,
        height: BlockHeight::new(1_000),
        until: BlockHeight::new(1_144),
        funding: None,
    }
}

pub(crate) fn limits(change: impl FnOnce(&mut LimitSettings)) -> Limits {
    let mut settings = LimitSettings::default();
    change(&mut settings);
    Limits::new(settings).unwrap()
}

/// Room for rebalances of 100,000,000 msat at 1,000,000 msat each.
pub(crate) fn wide(change: impl FnOnce(&mut LimitSettings)) -> Limits {
    limits(|settings| {
        settings.rebalance_rate = Ppm::new(10_000);
        settings.actions_per_hour = 1_000;
        settings.sends_per_hour = 1_000;
        settings.rebalance_cooldown_minutes = 0;
        settings.max_in_flight = Msat::new(10_000_000_000);
        change(settings);
    })
}

/// Stores what changed, compares it with what the gate holds, and restarts the gate from it. Only
/// the clock may lag, by less than the step at which it is stored.
pub(crate) fn restart(gate: &mut Gate, state: &mut GateState) {
    for change in gate.take_changes() {
        state.apply(change);
    }
    let mut held = gate.state();
    assert!(held.clock.gate.since(state.clock.gate) < hive_types::limits::GATE_CLOCK_STEP);
    held.clock = state.clock;
    assert_eq!(*state, held);
    let text = serde_json::to_string(state).unwrap();
    let read: GateState = serde_json::from_str(&text).unwrap();
    assert_eq!(*state, read);
    *gate = Gate::restore(gate.limits().clone(), read);
}

pub(crate) fn fellow(number: u8, tier: Tier) -> FellowView {
    FellowView {
        node_id: node(number),
        tier,
        fresh: true,
        privileges: Default::default(),
        channels: Vec::new(),
        constraint: Constraint::default(),
        intents: Vec::new(),
    }
}

pub(crate) fn fleet(members: &[(u8, Tier)]) -> FleetView {
    FleetView {
        me: Some(node(ME)),
        members: members.iter().map(|(n, tier)| fellow(*n, *tier)).collect(),
        ..FleetView::default()
    }
}

static NO_FLOORS: Floors = Floors::new();

/// What fees follow from while nothing drains.
pub(crate) fn terms<'a>(fleet: &'a FleetView, saved: &'a SavedFees) -> Terms<'a> {
    Terms {
        fleet,
        saved,
        floors: &NO_FLOORS,
    }
}

/// The own node with two channels, 10 and 11.
pub(crate) fn two_channels() -> LocalSnapshot {
    LocalSnapshot {
        channels: vec![channel(10), channel(11)],
        ..local()
    }
}

/// Does what a plan says, as the core does.
pub(crate) fn carry_out(plan: &FeePlan, local: &mut LocalSnapshot, saved: &mut SavedFees) {
    saved.extend(plan.save.iter());
    for change in &plan.set {
        let mut ours = local.channels.iter_mut();
        let own = ours
            .find(|own| own.channel_id == change.channel_id)
            .unwrap();
        assert_eq!(own.scid, Some(change.set.channel));
        own.local_policy = Some(change.set.policy);
    }
    saved.retain(|id, _| !plan.forget.contains(id));
}

pub(crate) fn fees(local: &LocalSnapshot, index: usize) -> (u64, u32) {
    let policy = local.channels[index].local_policy.unwrap();
    (policy.base.get(), policy.rate.get())
}
