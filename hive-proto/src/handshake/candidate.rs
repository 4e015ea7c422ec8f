//! A candidate's side of the handshake: one attempt with one contact.

use crate::decision::{Certificate, Charter, DecisionBody, Slot};
use crate::handshake::{CandidateError, Transcript};
use crate::manifest::{Manifest, VerifiedManifest};
use crate::message::{Attest, Challenge, Hello, Refusal, Welcome};
use crate::seal::{MemberSecret, SealDomain};
use crate::ticket::Ticket;
use hive_types::limits::{HANDSHAKE_TIMEOUT, PROBE_BYTES};
use hive_types::{Elapsed, NodeId, Now, Signature};

/// Who wants to join, with what.
#[derive(Clone, Debug)]
pub struct Applicant {
    /// The invitation.
    pub ticket: Ticket,
    /// The own manifest, for the ticket's fleet.
    pub manifest: Manifest,
    /// The member key that the manifest certifies.
    pub secret: MemberSecret,
}

/// The member to join through, and who named it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contact {
    /// The ticket did; checked against the ticket.
    FromTicket(NodeId),
    /// The operator did.
    FromOperator(NodeId),
}

/// One attempt. Messages that don't count change nothing, so a third party can't end it.
#[derive(Clone, Debug)]
pub struct Candidate {
    applicant: Applicant,
    contact: NodeId,
    hello: Hello,
    step: Step,
    deadline: Elapsed,
}

#[derive(Clone, Debug)]
enum Step {
    Challenge,
    Welcome {
        member: Box<VerifiedManifest>,
        transcript: Transcript,
        attest: Signature,
        probed: bool,
    },
    Over,
}

/// The candidate is a member, as far as one message can say. The admission's acceptances remain to
/// be checked against the chain of decisions from the charter to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// The charter, which is this fleet's.
    pub charter: Charter,
    /// The founder's manifest, checked.
    pub founder: VerifiedManifest,
    /// The charter's certificate, checked: the beginning of the chain.
    pub charter_certificate: Certificate,
    /// The certificate that admits this node; its acceptances are unchecked.
    pub admission: Certificate,
    /// The newest slot that the contact knows.
    pub head: Slot,
    /// The contact's manifest, checked. That it is a member is for the chain to say.
    pub contact: VerifiedManifest,
}

impl Candidate {
    /// Begins: HELLO is to be sent to the contact. `nonce` is 32 random bytes.
    ///
    /// # Errors
    /// [`CandidateError`] when the ticket can't be for this node, or must not be shown to this
    /// contact. Nothing was sent then.
    pub fn new(
        now: Now,
        applicant: Applicant,
        contact: Contact,
        nonce: [u8; 32],
    ) -> Result<(Self, Hello), CandidateError> {
        let contact = check_contact(&applicant, contact)?;
        check_applicant(now, &applicant)?;
        let ticket = applicant.ticket.hash();
        let hello = Hello { ticket, nonce };
        let candidate = Self {
            applicant,
            contact,
            hello,
            step: Step::Challenge,
            deadline: now.elapsed.plus(HANDSHAKE_TIMEOUT),
        };
        Ok((candidate, hello))
    }

    /// When the current step is over. The caller begins again then, at this contact or another; a
    /// ticket that was redeemed meanwhile still welcomes the same node.
    pub const fn deadline(&self) -> Elapsed {
        self.deadline
    }

    /// The member that it talks to.
    pub const fn contact(&self) -> NodeId {
        self.contact
    }

    /// Checks who the contact is, and shows it the ticket.
    ///
    /// # Errors
    /// [`CandidateError`]; the ticket was not shown.
    pub fn on_challenge(
        &mut self,
        now: Elapsed,
        from: &NodeId,
        challenge: Challenge,
    ) -> Result<Attest, CandidateError> {
        self.check_peer(from)?;
        if !matches!(self.step, Step::Challenge) {
            return Err(CandidateError::Unexpected);
        }
        let member = self.check_member(&challenge)?;
        let Applicant {
            ticket,
            manifest,
            secret,
        } = &self.applicant;
        let own = manifest.node_id();
        let transcript = Transcript::attest((own, from), &self.hello, &challenge, ticket, manifest);
        let hive = &ticket.body().hive;
        let signature = secret.seal(SealDomain::Attest, hive, transcript.as_bytes());
        self.step = Step::Welcome {
            member: Box::new(member),
            transcript,
            attest: signature,
            probed: false,
        };
        self.deadline = now.plus(HANDSHAKE_TIMEOUT);
        Ok(Attest {
            hello: self.hello,
            cookie: challenge.cookie,
            ticket: ticket.clone(),
            manifest: manifest.clone(),
            signature,
        })
    }

    /// Gives the probe's bytes back, once.
    ///
    /// # Errors
    /// [`CandidateError`] for a second probe, one too large, or one from somebody else.
    pub fn on_probe(
        &mut self,
        now: Elapsed,
        from: &NodeId,
        probe: Vec<u8>,
    ) -> Result<Vec<u8>, CandidateError> {
        self.check_peer(from)?;
        let Step::Welcome { probed, .. } = &mut self.step else {
            return Err(CandidateError::Unexpected);
        };
        if *probed {
            return Err(CandidateError::Unexpected);
        }
        if probe.len() > PROBE_BYTES {
            return Err(CandidateError::ProbeTooLong(probe.len()));
        }
        *probed = true;
        self.deadline = now.plus(HANDSHAKE_TIMEOUT);
        Ok(probe)
    }

    /// Checks the contact's seal over everything that was said, that the charter is the hive's and
    /// its founder's, and that the admission is of this node with this ticket.
    ///
    /// # Errors
    /// [`CandidateError`] that says what does not fit.
    pub fn on_welcome(
        &mut self,
        from: &NodeId,
        welcome: Welcome,
    ) -> Result<Joined, CandidateError> {
        self.check_peer(from)?;
        let Step::Welcome {
            member,
            transcript,
            attest,
            ..
        } = &self.step
        else {
            return Err(CandidateError::Unexpected);
        };
        let Welcome {
            charter: charter_certificate,
            admission,
            head,
            signature,
        } = welcome;
        let hive = &self.applicant.ticket.body().hive;
        let transcript = transcript.welcome(attest, &charter_certificate, &admission, head);
        member
            .key()
            .verify(SealDomain::Welcome, hive, transcript.as_bytes(), &signature)
            .map_err(CandidateError::Welcome)?;
        let (charter, founder) = charter_certificate.verify_charter(hive)?;
        self.check_admission(&admission, head)?;
        let contact = VerifiedManifest::clone(member);
        self.step = Step::Over;
        Ok(Joined {
            charter,
            founder,
            charter_certificate,
            admission,
            head,
            contact,
        })
    }

    /// Takes a refusal: the attempt is over. [`Refusal::may_pass`] says whether the same ticket is
    /// worth another one.
    ///
    /// # Errors
    /// [`CandidateError::OtherPeer`] or [`CandidateError::Unexpected`] when it is not for this
    /// attempt, which then goes on.
    pub fn on_refused(
        &mut self,
        from: &NodeId,
        refusal: Refusal,
    ) -> Result<Refusal, CandidateError> {
        self.check_peer(from)?;
        if matches!(self.step, Step::Over) {
            return Err(CandidateError::Unexpected);
        }
        self.step = Step::Over;
        self.deadline = Elapsed::NEVER;
        Ok(refusal)
    }

    fn check_peer(&self, from: &NodeId) -> Result<(), CandidateError> {
        if *from == self.contact {
            return Ok(());
        }
        Err(CandidateError::OtherPeer(*from))
    }

    fn check_member(&self, challenge: &Challenge) -> Result<VerifiedManifest, CandidateError> {
        let ticket = self.applicant.ticket.body();
        let shown = *challenge.manifest.node_id();
        if shown != self.contact {
            return Err(CandidateError::ManifestOfAnother(shown));
        }
        let manifest = challenge.manifest.clone();
        let member = manifest.verify(&ticket.hive, ticket.network)?;
        if ticket.issuer == self.contact {
            if member.epoch() != ticket.epoch {
                return Err(CandidateError::TicketOutdated);
            }
            self.applicant.ticket.verify(member.key())?;
        }
        Ok(member)
    }

    fn check_admission(&self, admission: &Certificate, head: Slot) -> Result<(), CandidateError> {
        let decision = &admission.decision.decision;
        let DecisionBody::Admit { ticket, manifest } = &decision.body else {
            return Err(CandidateError::Admission);
        };
        // The fleet may have admitted this very key by an earlier ticket, whose WELCOME was lost.
        let own = &self.applicant;
        let fits = ticket.body().hive == own.ticket.body().hive
            && manifest.certification() == own.manifest.certification()
            && decision.slot > Slot(0)
            && decision.slot <= head;
        if fits {
            Ok(())
        } else {
            Err(CandidateError::Admission)
        }
    }
}

fn check_contact(applicant: &Applicant, contact: Contact) -> Result<NodeId, CandidateError> {
    let node = match contact {
        Contact::FromTicket(node) if !applicant.ticket.may_be_shown_to(&node) => {
            return Err(CandidateError::NotNamed(node));
        }
        Contact::FromTicket(node) | Contact::FromOperator(node) => node,
    };
    if node == *applicant.manifest.node_id() {
        return Err(CandidateError::OwnNode);
    }
    Ok(node)
}

fn check_applicant(now: Now, applicant: &Applicant) -> Result<(), CandidateError> {
    let ticket = applicant.ticket.body();
    let own = applicant.manifest.certification();
    let fits = (own.hive, own.network) == (ticket.hive, ticket.network)
        && own.member_key == applicant.secret.public();
    if !fits {
        return Err(CandidateError::OwnManifest);
    }
    match ticket.guest {
        Some(guest) if guest != own.node => Err(CandidateError::TicketForAnother(guest)),
        _ if now.wall >= ticket.expires => Err(CandidateError::TicketExpired),
        _ => Ok(()),
    }
}
