//! Frames: one encoding of each message, and a typed refusal of everything else.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests are tests"
)]

mod common;

use common::{arb, sample};
use hive_proto::codec::{self, DecodeError};
use hive_proto::{
    Delta, Frame, FrameError, Item, Message, PROTOCOL_VERSION, Record, RecordError, Statement,
    Ticket, TicketError, clamp_hops,
};
use hive_types::limits::{FRAME_BYTES, RECORD_BODY_BYTES, RELAY_HOPS, TICKET_CHARS};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..Default::default() })]

    #[test]
    fn every_message_reads_back(message in arb::message()) {
        let frame = message.to_frame().unwrap();
        prop_assert_eq!(Message::from_frame(&frame), Ok(message));
    }

    #[test]
    fn no_prefix_and_nothing_longer_is_a_message(message in arb::message(), more: u8) {
        let mut frame = message.to_frame().unwrap();
        // Each prefix of a long byte string costs a copy: 200 of them say as much as all.
        let step = (frame.len() / 200).max(1);
        for end in (0..frame.len()).step_by(step) {
            prop_assert!(Message::from_frame(&frame[..end]).is_err());
        }
        frame.push(more);
        let refused = Message::from_frame(&frame);
        prop_assert_eq!(refused, Err(FrameError::Body(DecodeError::Trailing { left: 1 })));
    }

    #[test]
    fn changed_bytes_are_another_message_or_none(
        message in arb::message(),
        place: prop::sample::Index,
        bit in 0u8..8,
    ) {
        let mut frame = message.to_frame().unwrap();
        let place = place.index(frame.len());
        frame[place] ^= 1 << bit;
        if let Ok(read) = Message::from_frame(&frame) {
            prop_assert_ne!(&read, &message);
            prop_assert_eq!(read.to_frame().unwrap(), frame);
        }
    }

    #[test]
    fn arbitrary_bytes_are_refused_or_canonical(
        kind in prop_oneof![1u64..36, any::<u64>()],
        body in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        let frame = Frame { version: PROTOCOL_VERSION, kind, body: &body }.to_bytes().unwrap();
        if let Ok(message) = Message::from_frame(&frame) {
            prop_assert_eq!(message.to_frame().unwrap(), frame);
        }
        let _ = Message::from_frame(&body);
        let _ = Record::parse(body.clone());
        let _ = codec::decode::<Statement>(&body);
        let _ = String::from_utf8_lossy(&body).parse::<Ticket>();
    }

    #[test]
    fn statements_and_tickets_read_back(
        statement in arb::statement(),
        ticket in arb::ticket(),
    ) {
        let bytes = codec::encode(&statement);
        prop_assert_eq!(codec::decode::<Statement>(&bytes), Ok(statement));
        let text = ticket.to_string();
        prop_assert!(text.len() <= TICKET_CHARS);
        prop_assert_eq!(text.parse::<Ticket>(), Ok(ticket.clone()));
        prop_assert_eq!(text.to_uppercase().parse::<Ticket>(), Ok(ticket));
    }
}

#[test]
fn every_length_and_number_has_its_shortest_form_only() {
    for (name, message) in sample::messages() {
        let frame = message.to_frame().unwrap();
        let header = 6;
        for place in header..frame.len() {
            if frame[place] >= 251 {
                continue;
            }
            let mut longer = frame[..place].to_vec();
            longer.extend_from_slice(&[251, frame[place], 0]);
            longer.extend_from_slice(&frame[place + 1..]);
            let read = Message::from_frame(&longer);
            assert!(read.as_ref() != Ok(&message), "{name} at {place}");
        }
    }
}

#[test]
fn t03_nothing_larger_than_a_frame_is_sent_or_read() {
    let full = Message::Probe(vec![7; FRAME_BYTES - 9]);
    let frame = full.to_frame().unwrap();
    assert_eq!(frame.len(), FRAME_BYTES);
    assert_eq!(Message::from_frame(&frame), Ok(full));
    let too_long = FrameError::TooLong {
        bytes: FRAME_BYTES + 1,
    };
    let message = Message::Probe(vec![7; FRAME_BYTES - 8]);
    assert_eq!(message.to_frame(), Err(too_long.clone()));
    let mut longer = frame;
    longer.push(7);
    assert_eq!(Message::from_frame(&longer), Err(too_long));
}

#[test]
fn t03_a_frame_full_of_small_records_can_be_read() {
    let items = vec![Item::Record(vec![1; 20]); 2_978];
    let message = Message::Delta(Delta {
        hops: 0,
        items,
        want: vec![],
        more: false,
    });
    let frame = message.to_frame().unwrap();
    assert!(frame.len() > FRAME_BYTES - 40);
    assert_eq!(Message::from_frame(&frame), Ok(message));
}

#[test]
fn t03_a_record_has_its_limits() {
    let fleet = sample::fleet();
    let mut fields = sample::record().fields().clone();
    fields.body = vec![0; RECORD_BODY_BYTES];
    let whole = Record::sign(fields.clone(), &fleet.founder.secret, &fleet.hive).unwrap();
    assert_eq!(Record::parse(whole.bytes().to_vec()), Ok(whole));
    fields.body.push(0);
    let mut bytes = codec::encode(&fields);
    assert_eq!(
        Record::sign(fields, &fleet.founder.secret, &fleet.hive),
        Err(RecordError::TooLong)
    );
    bytes.extend_from_slice(&[0; 64]);
    assert_eq!(Record::parse(bytes), Err(RecordError::TooLong));
    assert_eq!(Record::parse(vec![0; 63]), Err(RecordError::Short(63)));
}

#[test]
fn t05_forged_relay_counters_are_clamped_and_run_out() {
    assert_eq!(clamp_hops(255), RELAY_HOPS);
    assert_eq!(clamp_hops(3), 3);
    let Some((_, Message::Routed(mut copy))) = sample::messages()
        .into_iter()
        .find(|(name, _)| *name == "routed")
    else {
        panic!("there is a sample of each kind");
    };
    copy.hops = 255;
    let original = copy.statement.clone();
    let mut relays = 0;
    while let Some(next) = copy.onward() {
        copy = next;
        relays += 1;
    }
    assert_eq!(relays, RELAY_HOPS);
    assert_eq!(copy.statement, original, "relayed bytes are the same");
}

#[test]
fn t06_newer_versions_and_unknown_kinds_are_told_apart_from_garbage() {
    let newer = Message::from_frame(b"HIVE\x02\x01 anything").unwrap_err();
    assert_eq!(newer, FrameError::Version(2));
    let unknown = Message::from_frame(b"HIVE\x01\xfd\x01\x00 anything").unwrap_err();
    assert_eq!(unknown, FrameError::UnknownKind(256));
    assert!(newer.is_from_the_future() && unknown.is_from_the_future());
    for garbage in [&b"HIVE\x00\x01"[..], b"HIVE\x01\x01 short", b"JSON\x02\x01"] {
        let refused = Message::from_frame(garbage).unwrap_err();
        assert!(!refused.is_from_the_future(), "{refused}");
    }
}

#[test]
fn t06_a_record_of_an_unknown_kind_is_carried_unchanged() {
    let record = sample::record();
    let relayed = Record::parse(record.bytes().to_vec()).unwrap();
    assert_eq!(relayed.bytes(), record.bytes());
    let fleet = sample::fleet();
    let key = hive_proto::VerifyingKey::new(&fleet.founder.secret.public()).unwrap();
    assert_eq!(relayed.verify(&fleet.hive, &key), Ok(()));
}

#[test]
fn t07_a_50_mb_ticket_is_refused_for_its_length_alone() {
    let text = "hive1".to_owned() + &"q".repeat(50_000_000);
    assert_eq!(
        text.parse::<Ticket>(),
        Err(TicketError::TooLong(text.len()))
    );
}

#[test]
fn a_ticket_with_a_typing_error_says_so() {
    let text = sample::fleet().ticket().to_string();
    for place in (5..text.len()).step_by(7) {
        let mut typed: Vec<_> = text.chars().collect();
        typed[place] = if typed[place] == 'q' { 'p' } else { 'q' };
        let typed: String = typed.into_iter().collect();
        assert!(matches!(typed.parse::<Ticket>(), Err(TicketError::Text(_))));
    }
    let shouted = text.to_uppercase();
    assert_eq!(shouted.parse::<Ticket>(), text.parse::<Ticket>());
    let other = text.replacen("hive1", "lnbc1", 1);
    assert!(matches!(other.parse::<Ticket>(), Err(TicketError::Text(_))));
    assert_eq!(format!("  {text}\n").parse(), Ok(sample::fleet().ticket()));
}
