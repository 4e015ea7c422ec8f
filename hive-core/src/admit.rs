//! A full member at the door: from HELLO to WELCOME.

use crate::event::Event;
use crate::hive::{Hive, Stage};
use crate::member::{AtTheDoor, WishFor};
use hive_proto::handshake::{Guest, Verdict, Visitor};
use hive_proto::{Attest, Certificate, DecisionBody, Hello, Message, Refusal};
use hive_types::{NodeId, Tier};

impl Hive {
    /// A candidate's message. Candidates are strangers until they are admitted.
    pub(crate) fn at_the_door(&mut self, from: NodeId, message: Message) {
        if self.tier() != Some(Tier::Full) {
            return self.refuse(from, Refusal::NotReady);
        }
        match message {
            Message::Hello(hello) => self.hello(from, &hello),
            Message::Attest(attest) => self.attest(from, attest),
            Message::Echo(echo) => self.echo(from, &echo),
            _ => {}
        }
    }

    fn hello(&mut self, from: NodeId, hello: &Hello) {
        let Stage::Member(member) = &self.stage else {
            return;
        };
        let challenge = member.door.on_hello(self.now.elapsed, &from, hello);
        self.out.send(from, &Message::Challenge(challenge));
    }

    fn attest(&mut self, from: NodeId, attest: Attest) {
        let seed = self.chance.bytes();
        let visitor = Visitor {
            node: from,
            features: self.peers.features(&from),
        };
        let Stage::Member(member) = &mut self.stage else {
            return;
        };
        let fleet = AtTheDoor {
            folded: member.decider.folded(),
            written: &member.written,
        };
        match member
            .door
            .on_attest(self.now, &visitor, attest, seed, &fleet)
        {
            Ok(Verdict::Probe(bytes)) => self.out.send(from, &Message::Probe(bytes)),
            Ok(Verdict::Repeat(guest)) => self.welcome_again(*guest),
            Err(error) => {
                if let Some(refusal) = error.answer() {
                    self.refuse(from, refusal);
                }
                self.bad_peer(from, format!("not admitted: {error}"));
            }
        }
    }

    fn echo(&mut self, from: NodeId, echo: &[u8]) {
        let Stage::Member(member) = &mut self.stage else {
            return;
        };
        match member.door.on_echo(self.now.elapsed, &from, echo) {
            None => {}
            Some(Err(refusal)) => self.refuse(from, refusal),
            Some(Ok(guest)) => self.propose_admission(from, guest),
        }
    }

    fn propose_admission(&mut self, from: NodeId, guest: Guest) {
        let Stage::Member(member) = &mut self.stage else {
            return;
        };
        let seat = member.folded().member(&from);
        let key = guest.manifest().key();
        if seat.is_some_and(|seat| seat.epoch == guest.manifest().epoch() && seat.key == *key) {
            // It was admitted before and never heard of it.
            return self.welcome_again(guest);
        }
        let body = DecisionBody::Admit {
            ticket: Box::new(guest.ticket().clone()),
            manifest: Box::new(guest.manifest().manifest().clone()),
        };
        member.guests.insert(from, guest);
        if self.wish_for(body, WishFor::Admit { guest: from }).is_err() {
            self.admission_ended(from, Refusal::Busy);
        }
    }

    /// The fleet decided against a guest, or could not decide.
    pub(crate) fn admission_ended(&mut self, guest: NodeId, refusal: Refusal) {
        let Stage::Member(member) = &mut self.stage else {
            return;
        };
        if member.guests.remove(&guest).is_some() {
            self.refuse(guest, refusal);
        }
    }

    fn refuse(&mut self, to: NodeId, refusal: Refusal) {
        let reason = refusal.to_string();
        self.out.send(to, &Message::Refused(refusal));
        self.out.emit(Event::HandshakeFailed { peer: to, reason });
    }

    /// The fleet admitted this guest: if it stands at our door, it is told.
    pub(crate) fn welcome(&mut self, guest: &NodeId, admission: &Certificate) {
        let Stage::Member(member) = &mut self.stage else {
            return;
        };
        if let Some(guest) = member.guests.remove(guest) {
            self.send_welcome(guest, admission.clone());
        }
    }

    /// A guest that is a member already asks again: its WELCOME was lost.
    fn welcome_again(&mut self, guest: Guest) {
        let Stage::Member(member) = &self.stage else {
            return;
        };
        match member.admission(&guest.node_id()).cloned() {
            Some(admission) => self.send_welcome(guest, admission),
            // The decision lies behind a checkpoint: only a new ticket leads in.
            None => self.refuse(guest.node_id(), Refusal::TicketUsed),
        }
    }

    fn send_welcome(&mut self, guest: Guest, admission: Certificate) {
        let Stage::Member(member) = &self.stage else {
            return;
        };
        let charter = member.decider.chain().charter().clone();
        let welcome = guest.welcome(charter, admission, member.head(), &member.identity.secret);
        self.out.send(guest.node_id(), &Message::Welcome(welcome));
    }

    /// Candidates whose echo did not come in time.
    pub(crate) fn tend_door(&mut self) {
        let Stage::Member(member) = &mut self.stage else {
            return;
        };
        for late in member.door.expire(self.now.elapsed) {
            self.refuse(late, Refusal::Probe);
        }
    }
}
