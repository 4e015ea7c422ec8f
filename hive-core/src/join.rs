//! From alone to member: founding a fleet, or joining one with a ticket.

use crate::command::CommandError;
use crate::event::Event;
use crate::hive::{Hive, Stage};
use crate::identity::Identity;
use crate::io::{Change, Output};
use hive_proto::handshake::{Applicant, Candidate, CandidateError, Contact, Joined};
use hive_proto::{
    Attest, Certification, Charter, Epoch, FleetParameters, Manifest, MemberSecret, Message,
    NodeSignature, Profile, Refusal, Ticket, codec,
};
use hive_types::{Elapsed, HiveId, Millis, NodeId};
use serde::{Deserialize, Serialize};

/// A manifest is renewed long before it is stale.
pub(crate) const MANIFEST_LIFETIME: Millis = Millis::from_days(90);

/// How often all contacts of a ticket are tried before joining is given up.
const CONTACT_ROUNDS: u32 = 3;

/// How long a contact may take to be connected and to answer; the fleet may need a while to admit.
const CONTACT_TIMEOUT: Millis = Millis::from_secs(60);

/// A new member key whose certification the node is asked to sign.
pub(crate) struct NewKey {
    pub(crate) secret: MemberSecret,
    pub(crate) certification: Certification,
}

/// The store's name for the key of a handshake that has not ended well.
pub(crate) const META_JOINING: &str = "joining";

/// A key that a fleet may have admitted without this node's knowing: WELCOME was lost, or the agent
/// stopped. The next attempt uses it again, for no other key gets this node in then.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct JoiningKey {
    hive: HiveId,
    epoch: Epoch,
    secret: [u8; 32],
}

/// A fleet whose founder's manifest waits for the node's signature.
pub(crate) struct Founding {
    charter: Charter,
    key: NewKey,
}

/// A candidate.
pub(crate) struct Joining {
    ticket: Ticket,
    key: NewKey,
    manifest: Option<Manifest>,
    /// Contacts in the order in which they are tried, over and over.
    tried: u32,
    candidate: Option<Candidate>,
    deadline: Elapsed,
}

impl Joining {
    pub(crate) const fn deadline(&self) -> Elapsed {
        self.deadline
    }

    fn contact(&self) -> Option<&(NodeId, String)> {
        let contacts = &self.ticket.body().contacts;
        let index = (self.tried as usize).checked_rem(contacts.len())?;
        contacts.get(index)
    }

    fn is_exhausted(&self) -> bool {
        self.tried as usize >= self.ticket.body().contacts.len() * CONTACT_ROUNDS as usize
    }
}

impl Hive {
    pub(crate) fn found(&mut self) -> Result<String, CommandError> {
        self.check_alone()?;
        let charter = Charter {
            network: self.config.network,
            founder: self.config.node_id,
            nonce: self.chance.bytes(),
            parameters: FleetParameters::default(),
        };
        let key = self.new_key(charter.hive_id(), Epoch(1));
        self.ask_node_to_sign(&key);
        self.join_failure = None;
        self.stage = Stage::Founding(Founding { charter, key });
        Ok(format!(
            "founding the hive {}; the node signs its manifest",
            charter.hive_id()
        ))
    }

    pub(crate) fn join(&mut self, ticket: Ticket) -> Result<String, CommandError> {
        self.check_alone()?;
        let body = ticket.body();
        let refuse = |reason: &str| {
            Err(CommandError::Ticket {
                reason: reason.to_owned(),
            })
        };
        if body.network != self.config.network {
            return refuse(&format!(
                "it is for {}, this node is on {}",
                body.network, self.config.network
            ));
        }
        if body.guest.is_some_and(|guest| guest != self.config.node_id) {
            return refuse("it names another node as its guest");
        }
        if body.expires <= self.now.wall {
            return refuse("it is expired; ask for a new one");
        }
        if body.contacts.is_empty() {
            return refuse("it names nobody to ask; ask for one with contacts");
        }
        let hive = body.hive;
        let key = self.key_to_join(hive);
        self.ask_node_to_sign(&key);
        let deadline = self.now.elapsed.plus(CONTACT_TIMEOUT);
        self.join_failure = None;
        let (manifest, candidate) = (None, None);
        let joining = Joining {
            ticket,
            key,
            manifest,
            tried: 0,
            candidate,
            deadline,
        };
        self.stage = Stage::Joining(Box::new(joining));
        Ok(format!(
            "joining the hive {hive}; hive-status shows how it goes"
        ))
    }

    fn check_alone(&self) -> Result<(), CommandError> {
        match &self.stage {
            Stage::Alone => Ok(()),
            Stage::Member(_) => Err(CommandError::InFleet),
            Stage::Founding(_) | Stage::Joining(_) => Err(CommandError::Busy),
            Stage::Halted(reason) => Err(CommandError::Refused {
                reason: reason.clone(),
            }),
        }
    }

    /// The key of the last attempt to join this fleet, or a fresh one; stored before it is shown.
    fn key_to_join(&mut self, hive: HiveId) -> NewKey {
        let epoch = self.next_epoch(&hive);
        let last = self
            .joining_key
            .filter(|last| (last.hive, last.epoch) == (hive, epoch));
        let secret = last.and_then(|last| MemberSecret::from_bytes(&last.secret));
        let key = match secret {
            Some(secret) => self.certifiable(hive, epoch, secret),
            None => self.new_key(hive, epoch),
        };
        let stored = JoiningKey {
            hive,
            epoch,
            secret: key.secret.to_bytes(),
        };
        self.joining_key = Some(stored);
        self.out.store(Change::Meta {
            key: META_JOINING.to_owned(),
            bytes: codec::encode(&stored),
        });
        key
    }

    /// A fresh member key for this node.
    pub(crate) fn new_key(&mut self, hive: HiveId, epoch: Epoch) -> NewKey {
        let secret = loop {
            if let Some(secret) = MemberSecret::from_bytes(&self.chance.bytes()) {
                break secret;
            }
        };
        self.certifiable(hive, epoch, secret)
    }

    fn certifiable(&self, hive: HiveId, epoch: Epoch, secret: MemberSecret) -> NewKey {
        let certification = Certification {
            hive,
            node: self.config.node_id,
            network: self.config.network,
            member_key: secret.public(),
            epoch,
        };
        NewKey {
            secret,
            certification,
        }
    }

    pub(crate) fn ask_node_to_sign(&mut self, key: &NewKey) {
        self.out.push(Output::SignWithNode {
            text: key.certification.text(),
        });
    }

    /// The manifest of a key that the node has certified.
    pub(crate) fn certify(&self, key: &NewKey, zbase: &str) -> Result<Identity, String> {
        let signature = NodeSignature::parse(zbase).map_err(|error| error.to_string())?;
        let mut profile =
            Profile::new(&self.config.software, self.now.wall.plus(MANIFEST_LIFETIME));
        profile.capabilities = self.config.capabilities;
        profile.addresses = self.config.addresses.clone();
        let manifest = Manifest::sign(key.certification, signature, profile, &key.secret)
            .map_err(|error| error.to_string())?;
        Ok(Identity {
            secret: key.secret.clone(),
            manifest,
        })
    }

    pub(crate) fn node_signed(&mut self, text: &str, signature: Result<&str, &str>) {
        let Some(key) = self
            .awaited_key()
            .filter(|key| key.certification.text() == text)
        else {
            return;
        };
        let identity = match signature {
            Ok(zbase) => self.certify(key, zbase),
            Err(reason) => Err(reason.to_owned()),
        };
        match (identity, std::mem::replace(&mut self.stage, Stage::Alone)) {
            (Ok(identity), Stage::Founding(founding)) => self.founded(founding.charter, identity),
            (Ok(identity), Stage::Joining(mut joining)) => {
                joining.manifest = Some(identity.manifest);
                self.stage = Stage::Joining(joining);
                self.try_contact();
            }
            (Ok(identity), Stage::Member(member)) => {
                self.stage = Stage::Member(member);
                self.key_certified(identity);
            }
            (Ok(_), stage) => self.stage = stage,
            (Err(reason), Stage::Member(member)) => {
                self.stage = Stage::Member(member);
                self.alert(format!(
                    "the node did not sign the new member key: {reason}; try hive-rotate-key again"
                ));
            }
            (Err(reason), _) => {
                let reason = format!("the node did not sign the manifest: {reason}; try again");
                self.join_failure = Some(reason.clone());
                self.alert(reason);
            }
        }
    }

    /// The key whose certification the node was asked to sign.
    fn awaited_key(&self) -> Option<&NewKey> {
        match &self.stage {
            Stage::Founding(founding) => Some(&founding.key),
            Stage::Joining(joining) if joining.manifest.is_none() => Some(&joining.key),
            Stage::Member(member) => member.new_key.as_ref(),
            _ => None,
        }
    }

    pub(crate) fn alert(&mut self, text: String) {
        self.out.emit(Event::Alert { text });
    }

    fn founded(&mut self, charter: Charter, identity: Identity) {
        let hive = charter.hive_id();
        match self.found_membership(charter, identity) {
            Ok(()) => {
                self.out.audit(
                    self.now.wall,
                    "found",
                    None,
                    format!("founded the hive {hive}"),
                );
                self.out.emit(Event::Founded { hive });
            }
            Err(reason) => self.alert(format!("the fleet was not founded: {reason}")),
        }
    }

    /// Turns to the next contact: at once when it is connected, else after dialling it.
    fn try_contact(&mut self) {
        let Stage::Joining(joining) = &mut self.stage else {
            return;
        };
        joining.candidate = None;
        joining.deadline = self.now.elapsed.plus(CONTACT_TIMEOUT);
        let Some((node, address)) = joining
            .contact()
            .cloned()
            .filter(|_| !joining.is_exhausted())
        else {
            self.stage = Stage::Alone;
            return self.alert("nobody of the ticket's contacts let this node in; check that they are online, then join again".to_owned());
        };
        if self.peers.is_connected(&node) {
            self.say_hello(node);
        } else {
            self.out.push(Output::Connect {
                to: node,
                addresses: vec![address],
            });
        }
    }

    fn say_hello(&mut self, contact: NodeId) {
        let Stage::Joining(joining) = &mut self.stage else {
            return;
        };
        let Some(manifest) = joining.manifest.clone() else {
            return;
        };
        let applicant = Applicant {
            ticket: joining.ticket.clone(),
            manifest,
            secret: joining.key.secret.clone(),
        };
        let nonce = self.chance.bytes();
        match Candidate::new(self.now, applicant, Contact::FromTicket(contact), nonce) {
            Ok((candidate, hello)) => {
                joining.candidate = Some(candidate);
                self.out.send(contact, &Message::Hello(hello));
            }
            Err(error) => self.contact_failed(contact, error.to_string()),
        }
    }

    fn contact_failed(&mut self, peer: NodeId, reason: String) {
        self.join_failure = Some(format!("{peer} did not let this node in: {reason}"));
        self.out.emit(Event::HandshakeFailed { peer, reason });
        if let Stage::Joining(joining) = &mut self.stage {
            joining.tried += 1;
        }
        self.try_contact();
    }

    pub(crate) fn joining_connected(&mut self, peer: NodeId) {
        let Stage::Joining(joining) = &self.stage else {
            return;
        };
        let is_awaited = joining.candidate.is_none()
            && joining.manifest.is_some()
            && joining
                .contact()
                .is_some_and(|(contact, _)| *contact == peer);
        if is_awaited {
            self.say_hello(peer);
        }
    }

    pub(crate) fn advance_joining(&mut self) {
        let Stage::Joining(joining) = &self.stage else {
            return;
        };
        if self.now.elapsed < joining.deadline {
            return;
        }
        match joining.contact().map(|(contact, _)| *contact) {
            Some(contact) if joining.manifest.is_some() => {
                self.contact_failed(contact, "no answer in time".to_owned());
            }
            _ => {
                self.stage = Stage::Alone;
                let reason = "the node did not sign the manifest in time; join again".to_owned();
                self.join_failure = Some(reason.clone());
                self.alert(reason);
            }
        }
    }

    /// A message while joining: only the contact's part of the handshake counts.
    pub(crate) fn joining_message(&mut self, from: NodeId, message: Message) {
        let now = self.now.elapsed;
        let Stage::Joining(joining) = &mut self.stage else {
            return;
        };
        let Some(candidate) = &mut joining.candidate else {
            return;
        };
        let deadline = now.plus(CONTACT_TIMEOUT);
        let outcome: Result<Step, CandidateError> = match message {
            Message::Challenge(challenge) => candidate
                .on_challenge(now, &from, challenge)
                .map(Step::attest),
            Message::Probe(bytes) => candidate.on_probe(now, &from, bytes).map(Step::Echo),
            Message::Welcome(welcome) => candidate.on_welcome(&from, welcome).map(Step::joined),
            Message::Refused(refusal) => candidate.on_refused(&from, refusal).map(Step::Refused),
            _ => return,
        };
        match outcome {
            Ok(Step::Attest(attest)) => {
                joining.deadline = deadline;
                self.out.send(from, &Message::Attest(*attest));
            }
            Ok(Step::Echo(bytes)) => {
                joining.deadline = deadline;
                self.out.send(from, &Message::Echo(bytes));
            }
            Ok(Step::Joined(joined)) => self.joined(*joined),
            Ok(Step::Refused(refusal)) => self.contact_failed(from, refusal.to_string()),
            // Somebody else's word, or a late one, ends nothing.
            Err(error @ (CandidateError::OtherPeer(_) | CandidateError::Unexpected)) => {
                self.bad_peer(from, error.to_string());
            }
            Err(error) => self.contact_failed(from, error.to_string()),
        }
    }

    fn joined(&mut self, joined: Joined) {
        let Stage::Joining(joining) = std::mem::replace(&mut self.stage, Stage::Alone) else {
            return;
        };
        let Some(manifest) = joining.manifest else {
            return;
        };
        let identity = Identity {
            secret: joining.key.secret,
            manifest,
        };
        let hive = identity.hive();
        let contact = joined.contact.node_id();
        match self.join_membership(joined, identity) {
            Ok(()) => {
                self.joining_key = None;
                self.forget_meta(META_JOINING);
                self.keep_departure(None);
                self.out.audit(
                    self.now.wall,
                    "join",
                    None,
                    format!("joined the hive {hive}"),
                );
                self.out.emit(Event::Joined { hive });
                self.fellow_connected(contact);
            }
            Err(reason) => self.alert(format!("the welcome does not hold: {reason}; join again")),
        }
    }
}

/// What the contact's message led to.
enum Step {
    Attest(Box<Attest>),
    Echo(Vec<u8>),
    Joined(Box<Joined>),
    Refused(Refusal),
}

impl Step {
    fn attest(attest: Attest) -> Self {
        Self::Attest(Box::new(attest))
    }

    fn joined(joined: Joined) -> Self {
        Self::Joined(Box::new(joined))
    }
}
