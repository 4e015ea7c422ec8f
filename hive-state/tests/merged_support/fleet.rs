//! Whole fleets: what members write, how they gossip, which channels they have.

use super::*;
use hive_proto::{Heartbeat, Observation, Share, keys};
use hive_types::{Constraint, Ppm, Sat, ShortChannelId, Toxicity};
use std::collections::BTreeMap;

/// Every replica writes: some keys new, some written again.
pub fn write_all(replicas: &mut [Merged], roster: &[Member], round: u64) {
    for (replica, member) in replicas.iter_mut().zip(roster) {
        for key in 0..3u64 {
            let key = (key * (1 + round % 2)).to_be_bytes();
            let body = [member.index as u8, round as u8];
            replica
                .write(draft(&key, &body), &member.secret(1), at(0))
                .unwrap();
        }
    }
}

/// Each replica asks one random other one that `reachable` lets it reach.
pub fn gossip(
    replicas: &mut [Merged],
    chance: &mut Chance,
    loss: u64,
    traffic: &mut Traffic,
    reachable: impl Fn(usize, usize) -> bool,
) {
    let mut order: Vec<_> = (0..replicas.len()).collect();
    chance.shuffle(&mut order);
    for a in order {
        let others: Vec<_> = (0..replicas.len())
            .filter(|b| *b != a && reachable(a, *b))
            .collect();
        if others.is_empty() {
            continue;
        }
        let b = others[chance.below(others.len())];
        let (a, b) = pair(replicas, a, b);
        Link {
            chance,
            loss,
            traffic,
            lenient: false,
        }
        .round(a, b, at(0));
    }
}

/// Rounds until all agree.
pub fn settle(
    replicas: &mut [Merged],
    chance: &mut Chance,
    loss: u64,
    traffic: &mut Traffic,
) -> usize {
    for round in 0..100 {
        if agree(replicas) {
            return round;
        }
        gossip(replicas, chance, loss, traffic, |_, _| true);
    }
    panic!("no agreement after 100 rounds");
}

/// 200 channels, as a member of a large fleet has them, and the small records beside.
pub fn busy_member(replica: &mut Merged, member: &Member, chance: &mut Chance) {
    let ids = synthetic_channels(200, chance);
    let channels = ids
        .into_iter()
        .map(|id| (id, Share::from_steps(chance.next() as u8)));
    let heartbeat = Heartbeat::new(channels.collect(), vec![]).unwrap();
    let constraint = Constraint {
        slots: 4,
        channel_max: Sat::new(16_000_000),
        ..Default::default()
    };
    for draft in [
        Draft::new(keys::heartbeat_full(), &heartbeat, 1_800),
        Draft::new(keys::constraint(), &constraint, 0),
    ] {
        replica.write(draft, &member.secret(1), at(0)).unwrap();
    }
    for peer in 0..10 {
        let peer = Member::new(1_000 + peer).id;
        let toxicity = Some(Toxicity {
            force_closes: chance.below(5) as u32,
            stuck_htlcs: chance.below(50) as u32,
            failure_rate: Ppm::new(chance.below(1_000_000) as u32),
            last_seen: at(chance.next() % 1_000_000).wall,
            ..Toxicity::default()
        });
        let word = Observation {
            peer,
            toxicity,
            opportunity: None,
        };
        let draft = Draft::new(keys::observation(&peer), &word, 0);
        replica.write(draft, &member.secret(1), at(0)).unwrap();
    }
}

/// What joining took.
#[derive(Debug)]
pub struct Join {
    /// Bytes of the signed records.
    pub signed: usize,
    pub traffic: Traffic,
    pub rounds: usize,
}

/// An empty member reconciles with one that has all records of fifty.
pub fn join_fifty(chance: &mut Chance) -> Join {
    let roster = members(50);
    let mut traffic = Traffic::default();
    let mut full = replica(&roster[0], &roster);
    for member in &roster {
        let mut own = replica(member, &roster);
        busy_member(&mut own, member, chance);
        merge_all(&mut full, dump(&own));
    }
    let mut empty = replica(&roster[1], &roster);
    let mut rounds = 0;
    loop {
        rounds += 1;
        let mut link = Link {
            chance,
            loss: 0,
            traffic: &mut traffic,
            lenient: false,
        };
        if !link.round(&mut empty, &mut full, at(0)) {
            break;
        }
    }
    assert_eq!(empty.digest(), full.digest());
    Join {
        signed: full.bytes(),
        traffic,
        rounds,
    }
}

/// The channels of real nodes that have exactly `count`; `None` where no graph is beside the
/// workspace.
pub fn channels_of_nodes(count: usize) -> Option<Vec<Vec<ShortChannelId>>> {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = "shared/lngraph/ln-2025-10-26/channels.csv.zst";
    let path = ["../..", "../../.."]
        .iter()
        .map(|up| here.join(up).join(file))
        .find(|path| path.exists())?;
    let mut table = String::new();
    let mut reader = zstd::Decoder::new(std::fs::File::open(path).unwrap()).unwrap();
    std::io::Read::read_to_string(&mut reader, &mut table).unwrap();
    let mut nodes: BTreeMap<u32, Vec<ShortChannelId>> = BTreeMap::new();
    for row in table.lines().skip(1) {
        let mut cells = row.split(',');
        let scid: ShortChannelId = cells.next().unwrap().parse().unwrap();
        for _ in 0..2 {
            nodes
                .entry(cells.next().unwrap().parse().unwrap())
                .or_default()
                .push(scid);
        }
    }
    Some(
        nodes
            .into_values()
            .filter(|channels| channels.len() == count)
            .collect(),
    )
}

/// Channels as a node opens them over four years.
pub fn synthetic_channels(count: usize, chance: &mut Chance) -> Vec<ShortChannelId> {
    let mut block = 700_000;
    (0..count)
        .map(|_| {
            block += 1 + chance.below(2 * 210_000 / count) as u32;
            let (transaction, output) = (chance.below(4_000) as u32, chance.below(2) as u16);
            ShortChannelId::new(block, transaction, output).unwrap()
        })
        .collect()
}
