use super::*;
use hive_types::{Msat, Ppm};
use proptest::prelude::*;

fn node(number: u8) -> NodeId {
    let mut bytes = [number; 33];
    bytes[0] = 2;
    NodeId::from_bytes(bytes).unwrap()
}

fn scid(block: u32) -> ShortChannelId {
    ShortChannelId::new(block, 1, 0).unwrap()
}

fn record_with(flags: u16, body: &[u8]) -> Vec<u8> {
    let timestamp = 77_u32;
    let mut bytes = flags.to_be_bytes().to_vec();
    bytes.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
    bytes.extend(crc32c(timestamp, body).to_be_bytes());
    bytes.extend(timestamp.to_be_bytes());
    bytes.extend(body);
    bytes
}

fn record(body: &[u8]) -> Vec<u8> {
    record_with(COMPLETED, body)
}

fn announcement(scid: ShortChannelId, ends: [u8; 2]) -> Vec<u8> {
    let mut body = CHANNEL_ANNOUNCEMENT.to_be_bytes().to_vec();
    body.extend([0; 256]);
    body.extend([0, 1, 0xff]);
    body.extend([0; 32]);
    body.extend(scid.to_u64().to_be_bytes());
    for end in ends {
        body.extend(node(end).as_bytes());
    }
    body.extend([2; 66]);
    body
}

fn amount(sat: u64) -> Vec<u8> {
    let mut body = CHANNEL_AMOUNT.to_be_bytes().to_vec();
    body.extend(sat.to_be_bytes());
    body
}

fn update(scid: ShortChannelId, flags: u8, rate: u32, inbound: Option<(i32, i32)>) -> Vec<u8> {
    let mut body = CHANNEL_UPDATE.to_be_bytes().to_vec();
    body.extend([0; 96]);
    body.extend(scid.to_u64().to_be_bytes());
    body.extend([0, 0, 0, 1, 1, flags, 0, 40]);
    body.extend(1_u64.to_be_bytes());
    body.extend(2_u32.to_be_bytes());
    body.extend(rate.to_be_bytes());
    body.extend(9_000_u64.to_be_bytes());
    if let Some((base, rate)) = inbound {
        body.extend([0x01, 0x02, 0xaa, 0xbb, 0xfd, 0xd9, 0x03, 8]);
        body.extend(base.to_be_bytes());
        body.extend(rate.to_be_bytes());
    }
    body
}

fn node_announcement(number: u8, addresses: &[u8]) -> Vec<u8> {
    let mut body = NODE_ANNOUNCEMENT.to_be_bytes().to_vec();
    body.extend([0; 64]);
    body.extend([0, 1, 0xff]);
    body.extend(7_u32.to_be_bytes());
    body.extend(node(number).as_bytes());
    body.extend([0; 35]);
    body.extend(u16::try_from(addresses.len()).unwrap().to_be_bytes());
    body.extend(addresses);
    body
}

fn file(records: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = vec![16];
    bytes.extend(records.concat());
    bytes
}

fn read(bytes: &[u8]) -> GossipStore {
    load_gossip_store(bytes, 100).unwrap()
}

fn graph(bytes: &[u8]) -> Graph {
    match read(bytes) {
        GossipStore::Whole { graph, .. } => graph,
        other => panic!("{other:?}"),
    }
}

fn channel(number: u32, ends: [u8; 2]) -> Vec<u8> {
    [
        record(&announcement(scid(number), ends)),
        record(&amount(1_000)),
        record(&update(scid(number), 0, 10, None)),
    ]
    .concat()
}

#[test]
fn who_tells_no_address_is_marked() {
    let address = [1, 127, 0, 0, 1, 0x26, 0x07];
    let known = graph(&file(&[
        channel(1, [3, 4]),
        channel(2, [4, 5]),
        record(&node_announcement(4, &address)),
        record(&node_announcement(5, &[])),
    ]));
    assert_eq!(known.addressless(), [node(3), node(5)]);
}

/// What lightningd v26.06.6 wrote with three channels in a circle, one of whose policies had changed.
#[test]
fn a_real_file_is_read_whole() {
    let bytes = include_bytes!("../../../tests/data/gossip_store");
    let GossipStore::Whole { graph, skipped } = read(&bytes[..]) else {
        panic!("not whole");
    };
    assert_eq!(skipped, 0);
    assert_eq!((graph.node_count(), graph.channel_count()), (3, 3));
    let policies: Vec<_> = graph.edges().map(|edge| edge.policy.unwrap()).collect();
    assert_eq!(policies.len(), 6);
    let changed = policies
        .iter()
        .filter(|policy| policy.rate == Ppm::new(433));
    assert_eq!(
        changed.map(|policy| policy.base.get()).collect::<Vec<_>>(),
        [17]
    );
    assert!(policies.iter().all(|policy| policy.cltv_delta == 6));
    assert!(
        graph
            .channels()
            .all(|channel| channel.capacity == Sat::new(1_000_000))
    );
}

#[test]
fn checksums_are_castagnolis() {
    assert_eq!(crc32c(0, b"123456789"), 0xe306_9283);
}

#[test]
fn channels_policies_inbound_fees_and_disabled_directions_are_read() {
    let bytes = file(&[
        channel(7, [1, 2]),
        record(&update(scid(7), 1 | 2, 433, Some((-5, -60)))),
        record(&update(scid(99), 0, 1, None)),
    ]);
    let graph = graph(&bytes);
    let end = |number| graph.node_index(&node(number)).unwrap();
    let there = graph.edge(scid(7), end(1)).unwrap();
    assert_eq!(there.capacity, Sat::new(1_000));
    let policy = there.policy.unwrap();
    assert_eq!((policy.base, policy.rate), (Msat::new(2), Ppm::new(10)));
    assert_eq!((policy.cltv_delta, policy.disabled), (40, false));
    let back = graph.edge(scid(7), end(2)).unwrap().policy.unwrap();
    assert_eq!((back.rate, back.disabled), (Ppm::new(433), true));
    assert_eq!((back.inbound_base_msat, back.inbound_ppm), (-5, -60));
}

#[test]
fn the_newest_update_counts_and_deleted_or_dying_records_do_not() {
    let bytes = file(&[
        channel(7, [1, 2]),
        record_with(COMPLETED | DELETED, &update(scid(7), 0, 1, None)),
        record(&update(scid(7), 0, 20, None)),
        record_with(COMPLETED | DYING, &announcement(scid(8), [1, 2])),
        record(&amount(5)),
        channel(9, [1, 2]),
        record(
            &[
                &DELETE_CHANNEL.to_be_bytes()[..],
                &scid(9).to_u64().to_be_bytes(),
            ]
            .concat(),
        ),
        record(&[0xff, 0xfe, 1, 2, 3]),
    ]);
    let graph = graph(&bytes);
    assert_eq!(graph.channel_count(), 1);
    let from = graph.node_index(&node(1)).unwrap();
    let policy = graph.edge(scid(7), from).unwrap().policy.unwrap();
    assert_eq!(policy.rate, Ppm::new(20));
}

#[test]
fn what_is_not_whole_ends_the_reading() {
    let whole = file(&[channel(7, [1, 2])]);
    let mut more = whole.clone();
    more.extend(channel(8, [2, 3]));
    for cut in 1..more.len() {
        let graph = graph(&more[..cut]);
        let expected = usize::from(cut >= whole.len() - record(&update(scid(7), 0, 0, None)).len());
        assert!(graph.channel_count() <= expected + 1);
    }
    let mut unfinished = whole.clone();
    unfinished.extend(record_with(0, &announcement(scid(8), [2, 3])));
    unfinished.extend(channel(9, [2, 3]));
    assert_eq!(graph(&unfinished).channel_count(), 1);
    let mut wrong = whole;
    let mut bad = channel(8, [2, 3]);
    bad[30] ^= 1;
    wrong.extend(bad);
    assert_eq!(graph(&wrong).channel_count(), 1);
}

#[test]
fn files_of_other_versions_and_replaced_ones_are_told_apart() {
    assert_eq!(read(&[0x30][..]), GossipStore::Unknown(0x30));
    assert_eq!(read(&[][..]), GossipStore::Unknown(0));
    let ended = file(&[channel(7, [1, 2]), record(&ENDED.to_be_bytes())]);
    assert_eq!(read(&ended[..]), GossipStore::Replaced);
    // Before version 15 records did not say when they are complete.
    let mut old = vec![14];
    old.extend(record_with(0, &announcement(scid(7), [1, 2])));
    old.extend(record_with(0, &amount(5)));
    assert_eq!(graph(&old).channel_count(), 1);
}

#[test]
fn a_graph_beyond_all_bounds_is_not_read() {
    let bytes = file(&[channel(7, [1, 2]), channel(8, [1, 2]), channel(9, [1, 2])]);
    let bounded = |most| load_gossip_store(&bytes[..], most).unwrap();
    assert!(matches!(bounded(3), GossipStore::Whole { .. }));
    assert_eq!(bounded(2), GossipStore::TooLarge);
}

proptest! {
    #[test]
    fn garbage_is_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        let _ = read(&bytes[..]);
    }

    #[test]
    fn garbage_in_whole_records_is_left_out(
        bodies in proptest::collection::vec(
            (prop_oneof![Just(256_u16), Just(257), Just(258), Just(4101), Just(4103), any::<u16>()],
             proptest::collection::vec(any::<u8>(), 0..500)), 0..20),
    ) {
        let records: Vec<Vec<u8>> = bodies
            .iter()
            .map(|(kind, rest)| record(&[&kind.to_be_bytes()[..], rest].concat()))
            .collect();
        let mut bytes = file(&[channel(7, [1, 2])]);
        bytes.extend(records.concat());
        bytes.extend(channel(8, [2, 3]));
        if let GossipStore::Whole { graph, .. } = read(&bytes[..]) {
            prop_assert!(graph.channel(scid(8)).is_some());
        }
    }
}
