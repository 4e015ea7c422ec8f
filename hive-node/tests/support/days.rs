//! What a member writes over time: changes at the rates that were measured in simulated fleets
//! (`cargo run -p hive-sim --example changes -- 5 24`), or at the most that limits allow.

#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "support of a test and of a bench, each of which uses a part"
)]

use hive_core::{
    ActionResult, ActionState, AuditEntry, Change, ChangeSet, Done, MemberRow, StoredAction,
};
use hive_node::backend::Prepared;
use hive_node::store::Store;
use hive_policy::{EntryState, GateChange, LedgerEntry, Subject};
use hive_types::limits::{
    BULK_KEYS, CHAIN_TAIL, CHECKPOINT_EVERY, RECORD_BODY_BYTES, RECORDS_PER_AUTHOR,
    SMALL_RECORD_BYTES,
};
use hive_types::{
    Action, ActionId, ActionKind, Digest, Explanation, Msat, NodeId, Ppm, Probe, Proposal,
    Rebalance, RouteHop, Sat, ShortChannelId, Tier, UnixMillis,
};
use std::path::Path;

/// What the driver writes down before it executes; here for the last action of a few hours.
const PREPARED: Prepared = Prepared::Payment {
    preimage: [7; 32],
    payment_hash: Digest::from_bytes([8; 32]),
};

/// Rates of one member's store. Parts of an hour are in hundredths.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rates {
    /// Members of the fleet, this one among them.
    pub(crate) members: u64,
    /// Rebalances, opens and probes in a hundred hours.
    actions: u64,
    /// Refusals and other lines of the log that belong to no action, in a hundred hours.
    lines: u64,
    /// Decisions of the fleet in a hundred hours, and bytes of each.
    decisions: (u64, usize),
    /// Keys of each author and bytes of a record. Each is written anew once a day: what takes the
    /// place of a row takes no more room for coming often.
    records: (usize, usize),
    /// Keys of each author that hold a record as long as there may be.
    bulky: usize,
    /// Hops in a route.
    hops: u32,
}

impl Rates {
    /// As measured: 0.41 actions of money and a probe for each fellow in an hour, 0.3 decisions for
    /// each member, six keys of records.
    pub(crate) const fn measured(members: u64) -> Self {
        Self {
            members,
            actions: 41 + (members - 1) * 100,
            lines: 10,
            decisions: (members * 30, 555),
            records: (6, 190),
            bulky: 0,
            hops: 3,
        }
    }

    /// Actions at the default limit, a refusal for each, a decision every other minute, and every
    /// author's records as many and as long as they may be.
    pub(crate) const fn worst(members: u64) -> Self {
        Self {
            members,
            actions: 3_000,
            lines: 3_000,
            decisions: (3_000, 4_000),
            records: (RECORDS_PER_AUTHOR - BULK_KEYS, SMALL_RECORD_BYTES),
            bulky: BULK_KEYS,
            hops: 5,
        }
    }
}

/// Counts what happened so far.
pub(crate) struct Member {
    rates: Rates,
    hour: u64,
    actions: u64,
    decisions: u64,
    checkpoint: u64,
}

impl Member {
    pub(crate) fn new(rates: Rates) -> Self {
        Self {
            rates,
            hour: 0,
            actions: 0,
            decisions: 0,
            checkpoint: 0,
        }
    }

    /// Lives through some days. Hours are written together, a few at a time: what is durable is the
    /// same as with one transaction for each change, and disks are slow.
    pub(crate) fn live(&mut self, store: &Store, days: u64, hours_at_once: u64) {
        let end = self.hour + days * 24;
        while self.hour < end {
            let mut changes = Vec::new();
            let until = (self.hour + hours_at_once).min(end);
            if until / 24 != self.hour / 24 || self.hour == 0 {
                self.records(&mut changes);
            }
            while self.hour < until {
                self.work(&mut changes);
                self.hour += 1;
            }
            store.apply(&ChangeSet { changes }).unwrap();
            store.prepare(id(self.actions), &PREPARED).unwrap();
        }
    }

    /// How much of something is due in this hour.
    fn due(&self, per_hundred_hours: u64) -> u64 {
        (self.hour + 1) * per_hundred_hours / 100 - self.hour * per_hundred_hours / 100
    }

    fn work(&mut self, changes: &mut Vec<Change>) {
        let wall = UnixMillis::new(1_700_000_000_000 + self.hour * 3_600_000);
        for number in 0..self.due(self.rates.actions) {
            self.actions += 1;
            self.action(wall.plus(hive_types::Millis::from_secs(number)), changes);
        }
        for _ in 0..self.due(self.rates.lines) {
            let text = "limits.cost_per_action is 5000000 msat, but this would cost 6000000 msat; \
                        raise it or wait for a lower feerate";
            changes.push(line(wall, "refuse", None, text));
        }
        for _ in 0..self.due(self.rates.decisions.0) {
            self.decide(changes);
        }
    }

    fn decide(&mut self, changes: &mut Vec<Change>) {
        self.decisions += 1;
        changes.push(Change::Decision {
            slot: self.decisions,
            bytes: noise(self.decisions, self.rates.decisions.1),
        });
        changes.push(Change::Acceptor {
            bytes: noise(self.decisions, 230),
        });
        if self.decisions >= self.checkpoint + CHECKPOINT_EVERY {
            self.checkpoint = self.decisions;
            changes.push(Change::DropDecisionsBelow {
                slot: self.checkpoint.saturating_sub(CHAIN_TAIL as u64),
            });
        }
    }

    fn records(&self, changes: &mut Vec<Change>) {
        let (keys, bytes) = self.rates.records;
        for author in 0..self.rates.members {
            changes.push(Change::Member(row(author)));
            changes.push(Change::Author {
                author: node(author),
                bytes: noise(author, 120),
            });
            for key in 0..keys + self.rates.bulky {
                let length = if key < keys { bytes } else { RECORD_BODY_BYTES };
                changes.push(Change::Record {
                    author: node(author),
                    key: (key as u64).to_be_bytes().to_vec(),
                    // Records grow and shrink a little, as heartbeats do.
                    bytes: noise(
                        self.hour,
                        length - (self.hour / 24 % 7) as usize * length / 100,
                    ),
                });
            }
        }
    }

    /// Intended, reserved, done, settled and out of every window, as the state machine tells it.
    fn action(&self, wall: UnixMillis, changes: &mut Vec<Change>) {
        let id = id(self.actions);
        let proposal = proposal(self.actions, self.rates.hops);
        let states = [
            ActionState::Intended,
            ActionState::Acting,
            ActionState::Done,
        ];
        for state in states {
            let result = (state == ActionState::Done).then_some(ActionResult::Done(Done::Paid {
                fee: Msat::new(900),
            }));
            changes.push(Change::Action(StoredAction {
                id,
                kind: proposal.action.kind(),
                state,
                proposal: proposal.clone(),
                result,
                wall,
            }));
            let entry = |state| Change::Gate(GateChange::Ledger(entry(id, wall, state)));
            match state {
                ActionState::Acting => {
                    changes.push(entry(EntryState::Reserved));
                    let text = format!("permitted: {}", proposal.explanation.summary);
                    changes.push(line(wall, "permit", Some(id), &text));
                }
                ActionState::Done => {
                    let spent = Msat::new(900);
                    changes.push(entry(EntryState::Settled { spent, at: wall }));
                    changes.push(Change::Gate(GateChange::LedgerClosed(id)));
                    changes.push(line(wall, "settle", Some(id), "done for 900 msat"));
                }
                _ => {}
            }
        }
    }
}

fn proposal(number: u64, hops: u32) -> Proposal {
    let amount = Msat::new(50_000_000);
    let hop = |hop: u32| RouteHop {
        channel: ShortChannelId::new(800_000 + hop, number as u32 % 4_000, 0).unwrap(),
        to: node(hop.into()),
        amount,
        cltv_blocks: 40 + hop * 40,
    };
    let hops: Vec<RouteHop> = (0..hops).map(hop).collect();
    // Most of what a fleet does by the hour are probes of its fellows.
    let action = match number % 8 {
        0 => Action::Rebalance(Rebalance {
            amount,
            fee: Msat::new(1_000),
            hops,
            beneficiary: Some(node(1)),
        }),
        _ => Action::Probe(Probe { amount, hops }),
    };
    let fact = |name: &str| (name.to_owned(), format!("{number} msat a day"));
    let facts = [
        "demand",
        "marginal revenue",
        "cost",
        "share",
        "alternatives",
    ];
    Proposal {
        action,
        cost: Msat::new(1_000),
        value_per_day: Msat::new(5_000),
        confidence: Ppm::new(900_000),
        explanation: Explanation {
            summary: format!(
                "Fellow {} runs dry over 800000x1x0: 50000 sat pay.",
                node(number)
            ),
            facts: facts.map(fact).into(),
        },
    }
}

fn entry(id: ActionId, wall: UnixMillis, state: EntryState) -> LedgerEntry {
    let scid = |block| ShortChannelId::new(block, 1, 0).unwrap();
    LedgerEntry {
        id,
        kind: ActionKind::Rebalance,
        subject: Subject::Rebalance(scid(800_000), scid(800_001)),
        reserved: Msat::new(1_000),
        capital: Sat::ZERO,
        in_flight: Msat::new(50_000_000),
        at: wall,
        wall,
        state,
    }
}

fn row(author: u64) -> MemberRow {
    MemberRow {
        node_id: node(author),
        tier: Tier::Full,
        epoch: 1,
        member_key: "ab".repeat(32),
        admitted_at: author,
        software: "hive 0.1.0".into(),
        addresses: vec![
            "abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrstuvwx.onion:9735".into(),
        ],
        capabilities: vec!["splice".into(), "anchors".into()],
    }
}

/// Bytes that do not compress to nothing and differ from each other.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    });
    next.take(length).collect()
}

fn id(number: u64) -> ActionId {
    ActionId::from_bytes(noise(number, 16).try_into().unwrap())
}

fn node(number: u64) -> NodeId {
    let mut bytes = [0x5a; 33];
    bytes[0] = 2;
    bytes[25..].copy_from_slice(&number.to_be_bytes());
    NodeId::from_bytes(bytes).unwrap()
}

fn line(wall: UnixMillis, subject: &str, action: Option<ActionId>, text: &str) -> Change {
    Change::Audit(AuditEntry {
        wall,
        subject: subject.into(),
        action,
        text: text.into(),
    })
}

/// The file and what stands beside it, after the store was closed.
pub(crate) fn bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    entries.map(|entry| entry.metadata().unwrap().len()).sum()
}
