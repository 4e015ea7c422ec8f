//! Decision 0: how a founder begins a fleet, and what makes a charter's certificate count.

use crate::codec;
use crate::decision::{
    Acceptance, Ballot, Certificate, Charter, Decision, DecisionBody, SignedDecision, Slot,
    Statement,
};
use crate::manifest::{Manifest, ManifestError, VerifiedManifest};
use crate::record::Epoch;
use crate::seal::{MemberSecret, SealDomain, SealError, Sealed, VerifyingKey};
use hive_types::{Digest, HiveId, NodeId};
use thiserror::Error;

/// A certificate does not found the fleet that it is shown for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CharterError {
    /// Another decision than number 0, or not a charter.
    #[error("the certificate is not a charter's")]
    NotACharter,
    /// The charter's hash is another id.
    #[error("the charter is another hive's")]
    OtherHive,
    /// Author, manifest or acceptance is not the founder's, or the ballot is not the first.
    #[error("the charter is not its founder's own act")]
    NotTheFounders,
    /// The founder's manifest does not count.
    #[error("founder: {0}")]
    Manifest(#[from] ManifestError),
    /// The founder's seal on decision or acceptance does not match.
    #[error("charter: {0}")]
    Seal(#[from] SealError),
}

impl Acceptance {
    /// Accepts: the seal is that of the sealed [`Statement::Accepted`] as it travels.
    pub fn sign(
        accepted: &Statement,
        acceptor: NodeId,
        epoch: Epoch,
        secret: &MemberSecret,
        hive: &HiveId,
    ) -> Self {
        let bytes = Sealed::signed_bytes(&acceptor, epoch, &codec::encode(accepted));
        Self {
            acceptor,
            epoch,
            signature: secret.seal(SealDomain::Statement, hive, &bytes),
        }
    }

    /// Checks the acceptor's seal over the statement, which [`Certificate::accepted`] gives.
    ///
    /// # Errors
    /// [`SealError::Signature`] when it does not match.
    pub fn verify(
        &self,
        accepted: &Statement,
        hive: &HiveId,
        key: &VerifyingKey,
    ) -> Result<(), SealError> {
        let bytes = Sealed::signed_bytes(&self.acceptor, self.epoch, &codec::encode(accepted));
        key.verify(SealDomain::Statement, hive, &bytes, &self.signature)
    }
}

impl Certificate {
    /// Founds a fleet: decision 0, by the founder alone, in the first ballot.
    ///
    /// # Errors
    /// [`CharterError`] when the manifest is not the founder's for this fleet, or the secret is not
    /// the manifest's.
    pub fn found(
        charter: Charter,
        manifest: &VerifiedManifest,
        secret: &MemberSecret,
    ) -> Result<Self, CharterError> {
        let hive = charter.hive_id();
        let (founder, epoch) = (charter.founder, manifest.epoch());
        let decision = Decision {
            slot: Slot(0),
            previous: Digest::from_bytes([0; 32]),
            author: founder,
            body: DecisionBody::Charter {
                charter,
                manifest: Box::new(manifest.manifest().clone()),
            },
        };
        let mut certificate = Self {
            ballot: first_ballot(&decision, founder),
            decision: SignedDecision::sign(decision, epoch, secret, &hive),
            acceptances: Vec::new(),
        };
        let accepted = certificate.accepted();
        let acceptance = Acceptance::sign(&accepted, founder, epoch, secret, &hive);
        certificate.acceptances.push(acceptance);
        certificate.verify_charter(&hive)?;
        Ok(certificate)
    }

    /// Checks that this certificate founds `hive`, and gives the charter and its founder.
    ///
    /// # Errors
    /// [`CharterError`] that says what is wrong.
    pub fn verify_charter(
        &self,
        hive: &HiveId,
    ) -> Result<(Charter, VerifiedManifest), CharterError> {
        let decision = &self.decision.decision;
        let DecisionBody::Charter { charter, manifest } = &decision.body else {
            return Err(CharterError::NotACharter);
        };
        if decision.slot != Slot(0) || decision.previous != Digest::from_bytes([0; 32]) {
            return Err(CharterError::NotACharter);
        }
        if charter.hive_id() != *hive {
            return Err(CharterError::OtherHive);
        }
        let [acceptance] = self.acceptances.as_slice() else {
            return Err(CharterError::NotTheFounders);
        };
        let epoch = self.decision.epoch;
        let founders = decision.author == charter.founder
            && manifest.node_id() == &charter.founder
            && manifest.certification().epoch == epoch
            && (acceptance.acceptor, acceptance.epoch) == (charter.founder, epoch)
            && self.ballot == first_ballot(decision, charter.founder);
        if !founders {
            return Err(CharterError::NotTheFounders);
        }
        let founder = Manifest::clone(manifest).verify(hive, charter.network)?;
        self.decision.verify(hive, founder.key())?;
        acceptance.verify(&self.accepted(), hive, founder.key())?;
        Ok((*charter, founder))
    }
}

fn first_ballot(decision: &Decision, founder: NodeId) -> Ballot {
    Ballot::new(0, &decision.previous, &decision.body.resource(), founder)
}
