//! Frames from peers: how many are looked at, and which room each message belongs to.

use crate::hive::{Hive, Stage};
use hive_proto::Message;
use hive_types::NodeId;

impl Hive {
    pub(crate) fn message(&mut self, from: NodeId, bytes: &[u8]) {
        let is_fellow = matches!(&self.stage, Stage::Member(member) if member.hears(&from));
        if !self.peers.admit_frame(from, is_fellow, self.now.elapsed) {
            if is_fellow {
                self.flooded(from);
            }
            return self.bad_peer(
                from,
                "more frames in a minute than are looked at".to_owned(),
            );
        }
        match Message::from_frame(bytes) {
            Ok(message) => self.take_message(from, message, is_fellow),
            // A newer, honest member sends what is not known here yet.
            Err(error) if error.is_from_the_future() => {}
            Err(error) => self.bad_peer(from, error.to_string()),
        }
    }

    fn take_message(&mut self, from: NodeId, message: Message, is_fellow: bool) {
        match (&self.stage, message) {
            (Stage::Alone | Stage::Joining(_), Message::Digest(_) | Message::ChainRequest(_)) => {
                self.tell_departure(from)
            }
            (Stage::Joining(_), message) => self.joining_message(from, message),
            (
                Stage::Member(_),
                message @ (Message::Hello(_) | Message::Attest(_) | Message::Echo(_)),
            ) => {
                self.at_the_door(from, message);
            }
            (Stage::Member(_), message) if is_fellow => self.fellow_message(from, message),
            // Certificates prove themselves, whoever brings them.
            (Stage::Member(_), Message::Chain(segment)) => self.chain_segment(from, segment),
            (Stage::Member(member), Message::ChainRequest(request)) if member.was_fellow(&from) => {
                self.offer_farewell(from, request.from);
            }
            _ => self.bad_peer(from, "not a member".to_owned()),
        }
    }

    fn fellow_message(&mut self, from: NodeId, message: Message) {
        match message {
            Message::Digest(lines) => self.digest(from, &lines),
            Message::Delta(delta) => self.delta(from, delta),
            Message::Listing(listing) => self.listing(from, &listing),
            Message::Routed(routed) => self.routed(from, routed),
            Message::ChainRequest(request) => {
                self.compare_clock(from, request.wall);
                self.offer_chain(from, request.from);
            }
            Message::Chain(segment) => self.chain_segment(from, segment),
            Message::Snapshot(snapshot) => self.chain_snapshot(from, &snapshot),
            // Answers of a handshake that is over.
            _ => {}
        }
    }
}
