//! What is taken, what is refused, and what is found out: the cases of one replica.

#![allow(clippy::unwrap_used, clippy::panic)]

mod merged_support;

use hive_proto::{Delta, Epoch, Item, Manifest, Message, Record, codec};
use hive_state::merged::{Merge, Merged, Refused, Standing, WriteError};
use hive_types::limits::{
    FRAME_BYTES, RECORD_BODY_BYTES, RECORD_BYTES_PER_AUTHOR, RECORDS_PER_AUTHOR, RESTORE_GRACE,
    VERSION_MAX,
};
use hive_types::{Elapsed, HiveId};
use merged_support::*;

fn pair_of_members() -> (Vec<Member>, Merged) {
    let roster = members(2);
    let merged = replica(&roster[0], &roster);
    (roster, merged)
}

#[test]
fn t04_garbage_in_a_real_records_name_does_not_keep_the_real_one_out() {
    let (roster, mut merged) = pair_of_members();
    let real = roster[1].record(1, 1, b"key", b"body");
    let mut garbage = real.bytes().to_vec();
    let last = garbage.len() - 1;
    garbage[last] ^= 1;
    let empty = merged.digest();
    let refused = merged.merge(Item::Record(garbage), at(0));
    assert!(
        matches!(refused, Merge::Refused(Refused::Record(_))),
        "{refused:?}"
    );
    assert_eq!(merged.digest(), empty);
    assert_eq!(merged.merge(item(&real), at(0)), Merge::New);
    assert_eq!(merged.merge(item(&real), at(0)), Merge::Duplicate);
}

#[test]
fn t13_a_record_and_a_manifest_of_another_hive_are_refused() {
    let (roster, mut merged) = pair_of_members();
    let other = HiveId::from_bytes([0xdd; 32]);
    let record = roster[1].record_in(&other, 1, 1, b"key", b"body");
    let refused = merged.merge(item(&record), at(0));
    assert!(
        matches!(refused, Merge::Refused(Refused::Record(_))),
        "{refused:?}"
    );
    let manifest = roster[1].manifest_in(other, 2, 0);
    let refused = merged.merge(Item::Epoch(Box::new(manifest)), at(0));
    assert!(
        matches!(refused, Merge::Refused(Refused::Manifest(_))),
        "{refused:?}"
    );
    assert!(merged.is_empty());
}

#[test]
fn t21_only_the_author_writes_its_records_the_own_ones_included() {
    let (roster, mut merged) = pair_of_members();
    assert_eq!(
        merged.merge(item(&roster[1].record(1, 1, b"key", b"body")), at(0)),
        Merge::New
    );
    let own = merged
        .write(draft(b"key", b"mine"), &roster[0].secret(1), at(0))
        .unwrap();
    let before = merged.digest();
    // The second member signs in the first one's name, and a third key in the second one's.
    for (author, signer) in [(&roster[0], &roster[1]), (&roster[1], &Member::new(7))] {
        let mut fields = own.fields().clone();
        fields.author = author.id;
        fields.version.counter.0 = 9;
        let forged = Record::sign(fields, &signer.secret(1), &HIVE).unwrap();
        let refused = merged.merge(item(&forged), at(0));
        assert!(
            matches!(refused, Merge::Refused(Refused::Record(_))),
            "{refused:?}"
        );
        assert_eq!(merged.digest(), before);
    }
    // A manifest that names one node and bears another's signature opens nothing.
    for (victim, signer) in [(&roster[0], &roster[1]), (&roster[1], &Member::new(7))] {
        let mut bytes = codec::encode(&signer.manifest(2));
        let named = bytes
            .windows(33)
            .position(|window| window == signer.id.as_bytes())
            .unwrap();
        bytes[named..named + 33].copy_from_slice(victim.id.as_bytes());
        let forged: Manifest = codec::decode(&bytes).unwrap();
        let refused = merged.merge(Item::Epoch(Box::new(forged)), at(0));
        assert!(
            matches!(refused, Merge::Refused(Refused::Manifest(_))),
            "{refused:?}"
        );
        assert_eq!(merged.digest(), before);
    }
    // What the author itself signed counts, whoever brings it.
    assert_eq!(
        merged.merge(item(&roster[1].record(1, 2, b"key", b"new")), at(0)),
        Merge::Replaced
    );
}

#[test]
fn t22_a_version_at_the_end_of_numbers_locks_nobody_out() {
    let (roster, mut merged) = pair_of_members();
    let author = &roster[1];
    for counter in [0, VERSION_MAX + 1, (1 << 63) - 1, u64::MAX] {
        let refused = merged.merge(item(&author.record(1, counter, b"key", b"")), at(0));
        assert!(
            matches!(refused, Merge::Refused(Refused::Version(_))),
            "{refused:?}"
        );
    }
    let refused = merged.merge(author.opening((1 << 63) - 1), at(0));
    assert!(
        matches!(refused, Merge::Refused(Refused::Version(_))),
        "{refused:?}"
    );
    // The largest version that counts ends the epoch, and the owner goes on in a new one.
    let last = author.record(1, VERSION_MAX, b"key", b"stolen key");
    assert_eq!(merged.merge(item(&last), at(0)), Merge::New);
    let opened = Merge::Opened {
        author: author.id,
        epoch: Epoch(2),
    };
    assert_eq!(merged.merge(author.opening(2), at(0)), opened);
    assert_eq!(
        merged.merge(item(&author.record(2, 1, b"key", b"again")), at(0)),
        Merge::New
    );
    assert_eq!(merged.merge(item(&last), at(0)), Merge::Old);
}

#[test]
fn t22_the_owner_of_a_used_up_epoch_is_told_and_begins_a_new_one() {
    let (roster, mut merged) = pair_of_members();
    let last = roster[0].record(1, VERSION_MAX, b"key", b"stolen key");
    assert!(matches!(
        merged.merge(item(&last), at(0)),
        Merge::OwnNewer { .. }
    ));
    let refused = merged.write(draft(b"key", b"mine"), &roster[0].secret(1), at(0));
    assert!(
        matches!(refused, Err(WriteError::Refused(Refused::Version(_)))),
        "{refused:?}"
    );
    assert!(merged.begin_epoch(roster[0].seat(2), at(0)));
    assert!(!merged.begin_epoch(roster[0].seat(2), at(0)));
    let refused = merged.write(draft(b"key", b"mine"), &roster[0].secret(1), at(0));
    assert!(
        matches!(refused, Err(WriteError::OtherKey(_))),
        "{refused:?}"
    );
    let record = merged
        .write(draft(b"key", b"mine"), &roster[0].secret(2), at(0))
        .unwrap();
    assert_eq!(record.fields().version.to_string(), "2.1");
}

#[test]
fn t23_different_contents_have_different_digests() {
    let roster = members(2);
    let author = &roster[1];
    let record = |counter, key: &[u8], body: &[u8]| item(&author.record(1, counter, key, body));
    let fork = [record(3, b"a", b"1"), record(3, b"a", b"2")];
    let contents: Vec<Vec<Item>> = vec![
        vec![],
        vec![record(1, b"a", b"1")],
        vec![record(1, b"a", b"2")],
        vec![record(1, b"b", b"1")],
        vec![record(2, b"a", b"1")],
        vec![record(1, b"a", b"1"), record(2, b"b", b"1")],
        vec![record(1, b"b", b"1"), record(2, b"a", b"1")],
        // Pairs that an exclusive or of hashes would cancel out.
        vec![
            record(1, b"a", b"1"),
            record(2, b"b", b"1"),
            record(3, b"c", b"1"),
        ],
        vec![record(2, b"b", b"1"), record(3, b"c", b"1")],
        vec![fork[0].clone()],
        vec![fork[1].clone()],
        fork.to_vec(),
        vec![author.opening(2)],
    ];
    let mut lines = Vec::new();
    for content in contents {
        let mut merged = replica(&roster[0], &roster);
        merge_all(&mut merged, content);
        let hash = merged
            .digest()
            .into_iter()
            .find(|line| line.author == author.id)
            .unwrap()
            .hash;
        assert!(
            !lines.contains(&hash),
            "digest {} was seen before",
            lines.len()
        );
        lines.push(hash);
    }
}

#[test]
fn t24_records_of_strangers_are_neither_kept_nor_counted() {
    let (roster, mut merged) = pair_of_members();
    let stranger = Member::new(9);
    let items = [
        item(&stranger.record(1, 1, b"key", b"body")),
        stranger.opening(1),
    ];
    let before = merged.digest();
    for merge in merge_all(&mut merged, items) {
        assert_eq!(merge, Merge::Refused(Refused::Stranger(stranger.id)));
    }
    assert_eq!((merged.len(), merged.bytes()), (0, 0));
    assert_eq!(merged.digest(), before);
    // Who leaves becomes one, and only its newest version is remembered.
    merged.merge(item(&roster[1].record(1, 5, b"key", b"body")), at(0));
    merged.set_authors([roster[0].seat(1)], at(0).wall);
    let newest = merged.newest(&roster[1].id).unwrap();
    assert_eq!((merged.len(), newest.to_string().as_str()), (0, "1.5"));
    let late = merged.merge(item(&roster[1].record(1, 6, b"key", b"body")), at(0));
    assert_eq!(late, Merge::Refused(Refused::Stranger(roster[1].id)));
}

#[test]
fn t25_two_bodies_under_one_version_meet_and_flag_their_author() {
    let roster = members(3);
    let author = &roster[2];
    let (one, other) = (
        author.record(1, 1, b"key", b"yes"),
        author.record(1, 1, b"key", b"no"),
    );
    let mut replicas = replicas(&roster[..]);
    replicas.truncate(2);
    assert_eq!(replicas[0].merge(item(&one), at(0)), Merge::New);
    assert_eq!(replicas[1].merge(item(&other), at(0)), Merge::New);
    let mut traffic = Traffic::default();
    let mut chance = Chance(1);
    let mut link = Link {
        chance: &mut chance,
        loss: 0,
        traffic: &mut traffic,
        lenient: false,
    };
    let (a, b) = pair(&mut replicas, 0, 1);
    for _ in 0..3 {
        link.round(a, b, at(0));
    }
    assert_eq!(a.digest(), b.digest());
    for replica in [&*a, &*b] {
        assert_eq!(replica.standing(&author.id), Some(Standing::Forked));
        assert_eq!(replica.standing(&roster[0].id), Some(Standing::Honest));
        let proof = replica.proofs(&author.id).next().unwrap();
        assert_ne!(proof.records().0, proof.records().1);
    }
    // The proof outlives the records, convinces who has seen neither, and can't be made up.
    let proof = a.proofs(&author.id).next().unwrap().to_item();
    let mut late = replica(&roster[0], &roster);
    assert!(matches!(
        late.merge(proof.clone(), at(0)),
        Merge::Equivocation { .. }
    ));
    assert_eq!(late.merge(proof.clone(), at(0)), Merge::Duplicate);
    late.merge(item(&author.record(1, 2, b"key", b"later")), at(0));
    assert!(late.standing(&author.id).unwrap().is_flagged());
    let Item::Proof {
        manifest, first, ..
    } = proof
    else {
        unreachable!()
    };
    let honest = author.record(1, 2, b"key", b"later").bytes().to_vec();
    for (first, second) in [
        (first.clone(), honest.clone()),
        (honest, first.clone()),
        (first.clone(), first),
    ] {
        let made_up = Item::Proof {
            manifest: manifest.clone(),
            first,
            second,
        };
        let mut fresh = replica(&roster[0], &roster);
        assert_eq!(
            fresh.merge(made_up, at(0)),
            Merge::Refused(Refused::NoProof)
        );
    }
}

#[test]
fn t25_a_proof_with_a_forged_half_is_refused() {
    let roster = members(3);
    let author = &roster[2];
    let mut halves = [
        author.record(1, 1, b"key", b"yes"),
        author.record(1, 1, b"key", b"no"),
    ];
    let mut fields = halves[1].fields().clone();
    fields.body = b"forged".to_vec();
    halves[1] = Record::sign(fields, &roster[1].secret(1), &HIVE).unwrap();
    halves.sort_by_key(Record::hash);
    let [first, second] = halves.map(|half| half.bytes().to_vec());
    let manifest = Box::new(author.manifest(1));
    let mut merged = replica(&roster[0], &roster);
    let refused = merged.merge(
        Item::Proof {
            manifest,
            first,
            second,
        },
        at(0),
    );
    assert!(
        matches!(refused, Merge::Refused(Refused::Record(_))),
        "{refused:?}"
    );
    assert_eq!(merged.standing(&author.id), Some(Standing::Honest));
}

fn fork(merged: &mut Merged, author: &Member, epoch: u64, millis: u64) {
    for body in [b"before", b"backup"] {
        merged.merge(item(&author.record(epoch, 1, b"key", body)), at(millis));
    }
    merged.merge(author.opening(epoch + 1), at(millis));
}

#[test]
fn t26_a_fork_closed_by_a_new_epoch_is_a_restored_backup_once_in_thirty_days() {
    let (roster, mut merged) = pair_of_members();
    let author = &roster[1];
    fork(&mut merged, author, 1, 0);
    assert_eq!(merged.standing(&author.id), Some(Standing::Restored));
    assert!(merged.is_empty(), "a new epoch begins empty");
    assert_eq!(
        merged.merge(item(&author.record(2, 1, b"key", b"on")), at(0)),
        Merge::New
    );
    let mut soon = replica(&roster[0], &roster);
    fork(&mut soon, author, 1, 0);
    fork(&mut soon, author, 2, RESTORE_GRACE.get() - 1);
    assert_eq!(soon.standing(&author.id), Some(Standing::Equivocator));
    fork(&mut merged, author, 2, RESTORE_GRACE.get());
    assert_eq!(merged.standing(&author.id), Some(Standing::Restored));
    // A newcomer learns of both forks at once and can't tell how far they lay apart.
    let mut newcomer = Merged::new(HIVE, hive_types::Network::Regtest, roster[0].id);
    newcomer.set_authors([roster[0].seat(1), author.seat(3)], at(0).wall);
    merge_all(&mut newcomer, dump(&soon));
    assert_eq!(newcomer.standing(&author.id), Some(Standing::Restored));
    // What this replica remembers survives a restart.
    let memories: Vec<_> = soon.memories().collect();
    let mut restarted = replica(&roster[0], &roster);
    assert_eq!(
        restarted.restore(dump(&soon), &memories, at(RESTORE_GRACE.get() * 2)),
        0
    );
    assert_eq!(restarted.digest(), soon.digest());
    assert_eq!(restarted.standing(&author.id), Some(Standing::Equivocator));
}

#[test]
fn t26_a_restored_agent_is_told_and_writes_nothing_before_it_knows() {
    let roster = members(2);
    let mut fellow = replica(&roster[1], &roster);
    let mut agent = replica(&roster[0], &roster);
    let mut written = Vec::new();
    for body in [b"one", b"two"] {
        let record = agent
            .write(draft(body, body), &roster[0].secret(1), at(0))
            .unwrap();
        fellow.merge(item(&record), at(0));
        written.push(record);
    }
    let mut restored = replica(&roster[0], &roster);
    restored.set_may_write(false);
    restored.merge(item(&written[0]), at(0));
    let refused = restored.write(draft(b"key", b"body"), &roster[0].secret(1), at(0));
    assert_eq!(refused, Err(WriteError::Starting));
    assert!(!restored.is_abreast(&fellow.digest()));
    let delta = fellow.answer(&restored.digest()).delta;
    let version = written[1].fields().version;
    assert_eq!(
        merge_all(&mut restored, delta.items),
        [Merge::OwnNewer { version }]
    );
    assert!(restored.is_abreast(&fellow.digest()));
    // Its own word of the same version with another content: a copy of the agent runs.
    let copy = roster[0].record(1, 2, b"two", b"copy");
    let (author, met) = (roster[0].id, restored.merge(item(&copy), at(0)));
    assert_eq!(met, Merge::Equivocation { author, version });
    // A new epoch closes it.
    assert!(restored.begin_epoch(roster[0].seat(2), at(0)));
    assert_eq!(restored.standing(&author), Some(Standing::Restored));
}

#[test]
fn expiry_changes_views_only() {
    let (roster, mut merged) = pair_of_members();
    let mut fields = roster[1].record(1, 1, b"key", b"body").fields().clone();
    fields.expiry_secs = 10;
    let record = Record::sign(fields, &roster[1].secret(1), &HIVE).unwrap();
    merged.merge(item(&record), at(5_000));
    let digest = merged.digest();
    let seen = |merged: &Merged, millis| merged.view(Elapsed::new(millis)).count();
    assert_eq!((seen(&merged, 14_999), seen(&merged, 15_000)), (1, 0));
    assert_eq!((merged.digest(), merged.len()), (digest, 1));
    assert_eq!(merged.merge(item(&record), at(20_000)), Merge::Duplicate);
    assert_eq!(seen(&merged, 20_000), 0, "a repeat does not bring it back");
}

#[test]
fn bounds_hold_and_the_newest_keys_stay() {
    let (roster, mut merged) = pair_of_members();
    let author = &roster[1];
    let long = author.record(1, 1, b"not bulk", &[0; 512]);
    assert!(matches!(
        merged.merge(item(&long), at(0)),
        Merge::Refused(Refused::TooLarge { .. })
    ));
    let mut counter = 0;
    for bulk in 0..4u8 {
        counter += 1;
        let record = author.record(1, counter, &[bulk], &vec![7; RECORD_BODY_BYTES]);
        assert_eq!(merged.merge(item(&record), at(0)), Merge::New);
    }
    for extra in 0..600u32 {
        counter += 1;
        let record = author.record(1, counter, &extra.to_be_bytes(), &[7; 300]);
        assert_eq!(merged.merge(item(&record), at(0)), Merge::New);
        assert!(merged.bytes() <= RECORD_BYTES_PER_AUTHOR);
    }
    assert_eq!(merged.len(), RECORDS_PER_AUTHOR);
    let oldest = merged
        .live(&author.id)
        .next()
        .unwrap()
        .record()
        .fields()
        .version
        .counter
        .0;
    assert_eq!(oldest, counter - RECORDS_PER_AUTHOR as u64 + 1);
    let gone = author.record(1, 5, &0u32.to_be_bytes(), &[7; 300]);
    assert_eq!(merged.merge(item(&gone), at(0)), Merge::Old);
}

#[test]
fn a_full_author_is_told_before_it_pushes_out_what_counts() {
    let (roster, mut merged) = pair_of_members();
    let secret = roster[0].secret(1);
    for key in 0..RECORDS_PER_AUTHOR as u32 {
        let mut one = draft(&key.to_be_bytes(), b"");
        one.expiry_secs = u32::from(key == 0) * 60;
        merged.write(one, &secret, at(0)).unwrap();
    }
    let refused = merged.write(draft(b"next", b""), &secret, at(59_999));
    assert_eq!(refused, Err(WriteError::Full(0u32.to_be_bytes().to_vec())));
    merged
        .write(draft(b"next", b""), &secret, at(60_000))
        .unwrap();
    let refused = merged.write(draft(b"other", b""), &secret, at(60_000));
    assert_eq!(refused, Err(WriteError::Full(1u32.to_be_bytes().to_vec())));
    merged
        .write(draft(&1u32.to_be_bytes(), b"again"), &secret, at(60_000))
        .unwrap();
    assert_eq!(merged.len(), RECORDS_PER_AUTHOR);
}

#[test]
fn any_proof_fits_into_one_frame() {
    let author = Member::new(1);
    let bodies = [vec![1; RECORD_BODY_BYTES], vec![2; RECORD_BODY_BYTES]];
    let mut halves = bodies.map(|body| author.record(VERSION_MAX, VERSION_MAX, &[2], &body));
    halves.sort_by_key(Record::hash);
    let [first, second] = halves.map(|half| half.bytes().to_vec());
    let manifest = Box::new(author.manifest(VERSION_MAX));
    let items = vec![Item::Proof {
        manifest,
        first,
        second,
    }];
    let frame = Message::Delta(Delta {
        hops: 0,
        items,
        want: vec![],
        more: true,
    })
    .to_frame();
    // A manifest's profile takes 64 and 8 × 260 characters at most, of four bytes.
    assert!(frame.unwrap().len() + 4 * (64 + 8 * 260) <= FRAME_BYTES);
}
