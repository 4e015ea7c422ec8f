//! One hour of steady heartbeats on the replication layer, by the schedule of the limits.

use crate::merged_support::*;
use hive_proto::{Delta, Heartbeat, HeartbeatChange, Item, Message, Record, Share, keys};
use hive_state::merged::{Draft, Merged};
use hive_types::limits::{
    GOSSIP_FANOUT, GOSSIP_INTERVAL, HEARTBEAT_INTERVAL, RELAY_FANOUT, RELAY_HOPS,
};
use std::collections::VecDeque;

const CHANNELS: usize = 50;

struct Fleet {
    roster: Vec<Member>,
    replicas: Vec<Merged>,
    fulls: Vec<(hive_proto::Counter, Heartbeat)>,
    chance: Chance,
    traffic: Traffic,
}

/// Bytes that each member sends in an hour, from a run of `seconds` after a start in agreement.
pub(crate) fn hour(members: usize, seconds: u64) -> f64 {
    let mut fleet = Fleet::new(members);
    let beats = HEARTBEAT_INTERVAL.as_secs();
    let rounds = GOSSIP_INTERVAL.as_secs();
    for second in 0..seconds {
        for member in 0..members {
            if (second + member as u64 * 37).is_multiple_of(beats) {
                fleet.beat(member, second);
            }
            if (second + member as u64 * 7).is_multiple_of(rounds) {
                fleet.reconcile(member, second);
            }
        }
    }
    fleet.traffic.bytes as f64 / members as f64 * 3_600.0 / seconds as f64
}

impl Fleet {
    fn new(count: usize) -> Self {
        let roster = members(count);
        let mut fleet = Self {
            replicas: replicas(&roster),
            roster,
            fulls: Vec::new(),
            chance: Chance(count as u64),
            traffic: Traffic::default(),
        };
        for member in 0..count {
            let ids = synthetic_channels(CHANNELS, &mut fleet.chance);
            let full = ids
                .into_iter()
                .map(|id| (id, Share::from_steps(fleet.chance.next() as u8)));
            let full = Heartbeat::new(full.collect(), vec![]).unwrap();
            let record = fleet.write(member, Draft::new(keys::heartbeat_full(), &full, 1_800), 0);
            fleet.fulls.push((record.fields().version.counter, full));
            for replica in &mut fleet.replicas {
                replica.merge(item(&record), at(0));
            }
        }
        fleet
    }

    fn write(&mut self, member: usize, draft: Draft, second: u64) -> Record {
        let secret = self.roster[member].secret(1);
        self.replicas[member]
            .write(draft, &secret, at(second * 1_000))
            .unwrap()
    }

    /// A steady change: a few shares moved.
    fn beat(&mut self, member: usize, second: u64) {
        let (base, full) = self.fulls[member].clone();
        let mut shares = full.announced().clone();
        for share in shares.values_mut().step_by(9) {
            *share = Share::from_steps(self.chance.next() as u8);
        }
        let new = Heartbeat::new(shares, vec![]).unwrap();
        let change = HeartbeatChange::between(&full, base, &new);
        let record = self.write(
            member,
            Draft::new(keys::heartbeat_change(), &change, 1_800),
            second,
        );
        self.spread(member, &record, second);
    }

    /// The author tells a few fellows; each for whom it is news tells a few more.
    fn spread(&mut self, author: usize, record: &Record, second: u64) {
        let mut queue = VecDeque::from([(author, author, RELAY_HOPS)]);
        while let Some((teller, source, hops)) = queue.pop_front() {
            let told = if teller == author {
                GOSSIP_FANOUT
            } else {
                RELAY_FANOUT
            };
            for to in self.fellows(teller, source, told) {
                let delta = Delta {
                    hops,
                    items: vec![item(record)],
                    want: vec![],
                    more: false,
                };
                self.count(Message::Delta(delta));
                let item = Item::Record(record.bytes().to_vec());
                let merge = self.replicas[to].merge(item, at(second * 1_000));
                if merge.is_news() && hops > 0 {
                    queue.push_back((to, teller, hops - 1));
                }
            }
        }
    }

    fn fellows(&mut self, teller: usize, source: usize, count: usize) -> Vec<usize> {
        let others = |fellow: &usize| *fellow != teller && *fellow != source;
        let mut others: Vec<_> = (0..self.replicas.len()).filter(others).collect();
        self.chance.shuffle(&mut others);
        others.truncate(count);
        others
    }

    fn reconcile(&mut self, member: usize, second: u64) {
        let fellow = self.fellows(member, member, 1)[0];
        let (a, b) = pair(&mut self.replicas, member, fellow);
        let (chance, traffic) = (&mut self.chance, &mut self.traffic);
        Link {
            chance,
            loss: 0,
            traffic,
            lenient: false,
        }
        .round(a, b, at(second * 1_000));
    }

    fn count(&mut self, message: Message) {
        let frame = message.to_frame().unwrap();
        self.traffic.frames += 1;
        self.traffic.bytes += frame.len();
        self.traffic.largest = self.traffic.largest.max(frame.len());
    }
}
