//! A member's door and those who come to it.
#![allow(clippy::panic, reason = "helpers of tests are tests")]

use super::{Fleet, Party, now};
use hive_proto::handshake::{AttestError, Candidate, Contact, Door, Guest, Verdict, Visitor};
use hive_proto::{Attest, Message, Slot, Ticket, Welcome};
use hive_types::limits::PROBE_BYTES;
use hive_types::{Capabilities, Elapsed, NodeId};

pub const FEATURES: Capabilities = Capabilities::ANCHORS.union(Capabilities::KEYSEND);
pub const SEED: [u8; 32] = [0x5e; 32];

pub fn visitor(node: NodeId) -> Visitor {
    Visitor {
        node,
        features: FEATURES,
    }
}

pub fn door(fleet: &Fleet) -> Door {
    Door::new(fleet.founder.verified(fleet.hive), [0xd0; 32])
}

/// A candidate that has shown its ticket to the founder.
pub fn attest(fleet: &Fleet, door: &Door, guest: &Party, ticket: Ticket) -> (Candidate, Attest) {
    let member = fleet.founder.node;
    let applicant = guest.applicant(ticket);
    let contact = Contact::FromTicket(member);
    let (mut candidate, hello) = Candidate::new(now(0), applicant, contact, [7; 32]).unwrap();
    let challenge = door.on_hello(Elapsed::new(100), &guest.node, &hello);
    let attest = candidate.on_challenge(Elapsed::new(200), &member, challenge);
    (candidate, attest.unwrap())
}

pub fn probed(
    fleet: &Fleet,
    door: &mut Door,
    attest: Attest,
    from: NodeId,
) -> Result<Vec<u8>, AttestError> {
    match door.on_attest(now(300), &visitor(from), attest, SEED, fleet)? {
        Verdict::Probe(probe) => Ok(probe),
        Verdict::Repeat(_) => panic!("nothing was redeemed"),
    }
}

/// A whole handshake with an honest guest.
pub fn joined(fleet: &Fleet, door: &mut Door, guest: &Party) -> (Candidate, Guest, Welcome) {
    let (mut candidate, message) = attest(fleet, door, guest, fleet.ticket());
    let probe = probed(fleet, door, message, guest.node).unwrap();
    assert_eq!(probe.len(), PROBE_BYTES);
    assert!(Message::Probe(probe.clone()).to_frame().is_ok());
    let member = fleet.founder.node;
    let echo = candidate.on_probe(Elapsed::new(400), &member, probe);
    let echoed = door.on_echo(Elapsed::new(500), &guest.node, &echo.unwrap());
    let confirmed = echoed.unwrap().unwrap();
    let welcome = welcome(fleet, &confirmed, guest);
    (candidate, confirmed, welcome)
}

pub fn welcome(fleet: &Fleet, confirmed: &Guest, guest: &Party) -> Welcome {
    let admission = fleet.admit(guest, confirmed.ticket().clone());
    let charter = fleet.charter_certificate();
    confirmed.welcome(charter, admission, Slot(1), &fleet.founder.secret)
}
