//! Certificates: what proves to anyone, at any time, that a decision was made.

use super::check::{Invalid, reseated};
use super::fold::Folded;
use hive_proto::{
    Acceptance, Ballot, Certificate, Decision, DecisionBody, Epoch, SealDomain, Sealed,
    SignedDecision, Slot, VerifyingKey, codec,
};
use hive_types::limits::MEMBERS;
use hive_types::{Digest, NodeId};
use thiserror::Error;

/// The certificate proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CertificateError {
    /// The decision can't follow.
    #[error("{0}")]
    Decision(#[from] Invalid),
    /// Acceptances stand in order of node ids, each once.
    #[error("the acceptances are not in order, each once")]
    Order,
    /// Someone accepted who has no say, or under a key that does not count.
    #[error("{0} is no full member under that key")]
    Acceptor(NodeId),
    /// An acceptance is not sealed by its acceptor.
    #[error("the acceptance of {0} is not sealed by it")]
    Seal(NodeId),
    /// Too few acceptances.
    #[error("too few full members accepted")]
    Quorum,
}

/// Checks that `certificate` decides what follows `folded`: the decision is valid, its author sealed
/// it, and a quorum of the full members of `folded` accepted it in one ballot.
///
/// # Errors
/// [`CertificateError`] says what is missing.
pub fn verify(folded: &Folded, certificate: &Certificate) -> Result<(), CertificateError> {
    let quorum = folded.quorum();
    let acceptances = &certificate.acceptances;
    let sorted = acceptances
        .windows(2)
        .all(|pair| matches!(pair, [a, b] if a.acceptor < b.acceptor));
    if !sorted {
        return Err(CertificateError::Order);
    }
    let accepted = |node: &NodeId| acceptances.iter().any(|one| one.acceptor == *node);
    if !quorum.reached(accepted) {
        return Err(CertificateError::Quorum);
    }
    folded.check_signed(&certificate.decision)?;
    let body = &certificate.decision.decision.body;
    acceptances.iter().try_for_each(|one| {
        let key = acceptor_key(folded, body, &one.acceptor, one.epoch)
            .ok_or(CertificateError::Acceptor(one.acceptor))?;
        check_acceptance(folded, certificate, one, &key)
    })
}

/// The key under which `node` may accept `body` in `epoch`: its seat's, when it is a full member.
///
/// Where nothing can be decided without the member, its re-seating counts as accepted under the key
/// that it introduces: else a founder of two, or a fleet's only full member, that lost its old key
/// could never be seated again. Anywhere else the others decide it, for a member that begins anew has
/// forgotten what it promised.
pub(crate) fn acceptor_key(
    folded: &Folded,
    body: &DecisionBody,
    node: &NodeId,
    epoch: Epoch,
) -> Option<VerifyingKey> {
    let quorum = folded.quorum();
    let seat = folded
        .member(node)
        .filter(|_| quorum.members().contains(node))?;
    if seat.epoch == epoch {
        return Some(seat.key);
    }
    let (newer, key) = reseated(body, node)?;
    (newer == epoch && quorum.needs(node)).then_some(key)
}

fn check_acceptance(
    folded: &Folded,
    certificate: &Certificate,
    acceptance: &Acceptance,
    key: &VerifyingKey,
) -> Result<(), CertificateError> {
    let body = codec::encode(&certificate.accepted());
    let bytes = Sealed::signed_bytes(&acceptance.acceptor, acceptance.epoch, &body);
    key.verify(
        SealDomain::Statement,
        folded.hive(),
        &bytes,
        &acceptance.signature,
    )
    .map_err(|_| CertificateError::Seal(acceptance.acceptor))
}

/// Checks decision 0 against the state that it founds.
pub(crate) fn verify_charter(
    folded: &Folded,
    certificate: &Certificate,
) -> Result<(), CertificateError> {
    let SignedDecision { decision, .. } = &certificate.decision;
    check_charter(folded, decision)?;
    let seat = folded
        .member(&decision.author)
        .ok_or(Invalid::Author(decision.author))?;
    if certificate.decision.epoch != seat.epoch
        || certificate
            .decision
            .verify(folded.hive(), &seat.key)
            .is_err()
    {
        return Err(Invalid::AuthorSeal(decision.author).into());
    }
    match certificate.acceptances.as_slice() {
        [one] if one.acceptor == decision.author && one.epoch == seat.epoch => {
            check_acceptance(folded, certificate, one, &seat.key)
        }
        _ => Err(CertificateError::Quorum),
    }
}

fn check_charter(folded: &Folded, decision: &Decision) -> Result<(), Invalid> {
    let nothing_before = Digest::from_bytes([0; 32]);
    let founder = *folded.founder();
    let max = usize::from(folded.parameters().members_max);
    let holds = decision.slot == Slot(0)
        && decision.previous == nothing_before
        && decision.author == founder
        && folded.member(&founder).is_some()
        && (1..=MEMBERS).contains(&max);
    if holds { Ok(()) } else { Err(Invalid::Charter) }
}

/// The ballot of decision 0, in which the founder alone accepts.
pub(crate) fn charter_ballot(decision: &Decision) -> Ballot {
    Ballot::new(
        0,
        &decision.previous,
        &decision.body.resource(),
        decision.author,
    )
}

/// Who accepted both of two different decisions with one number. Two such certificates prove a lie:
/// of these members, or of the proposer of the higher ballot, who did not take over what they told it.
/// Members whose seals the roster in `folded` can't check are left out.
pub fn contradiction(folded: &Folded, a: &Certificate, b: &Certificate) -> Vec<NodeId> {
    let (first, second) = (&a.decision.decision, &b.decision.decision);
    if first.slot != second.slot || first.hash() == second.hash() {
        return Vec::new();
    }
    let signed = |certificate: &Certificate, node: &NodeId| {
        let mut acceptances = certificate.acceptances.iter();
        acceptances.any(|one| {
            let seat = folded.member(node).filter(|seat| seat.epoch == one.epoch);
            one.acceptor == *node
                && seat.is_some_and(|seat| {
                    check_acceptance(folded, certificate, one, &seat.key).is_ok()
                })
        })
    };
    let members = folded.members().keys();
    members
        .filter(|node| signed(a, node) && signed(b, node))
        .copied()
        .collect()
}
