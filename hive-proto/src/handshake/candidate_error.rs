//! Why a candidate does not get in, and what its operator can do.

use crate::founding::CharterError;
use crate::manifest::ManifestError;
use crate::seal::SealError;
use crate::ticket::TicketError;
use hive_types::NodeId;
use thiserror::Error;

/// The handshake can't begin, or a message of the contact does not count.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CandidateError {
    /// Showing a ticket to somebody is giving it away.
    #[error("neither the ticket nor you named {0}; join through a node that one of you names")]
    NotNamed(NodeId),
    /// The contact is the candidate itself.
    #[error("this is your own node; join through another one")]
    OwnNode,
    /// Past its date.
    #[error("the ticket has expired; ask for a new one")]
    TicketExpired,
    /// It names another guest.
    #[error("the ticket is for {0} only; ask for one for your node")]
    TicketForAnother(NodeId),
    /// Manifest and ticket are not for one fleet on one network, or the secret is another's.
    #[error("manifest, member key and ticket are not for the same hive; make a new manifest")]
    OwnManifest,
    /// A message from somebody else than the contact.
    #[error("{0} is not the contact of this handshake")]
    OtherPeer(NodeId),
    /// A message that this step does not wait for.
    #[error("not a message for this step of the handshake")]
    Unexpected,
    /// The contact's manifest does not count.
    #[error("contact: {0}")]
    Manifest(#[from] ManifestError),
    /// The contact's manifest is another node's.
    #[error("the contact shows the manifest of {0}")]
    ManifestOfAnother(NodeId),
    /// The contact issued the ticket, and did not sign it.
    #[error("{0}; ask for a new one")]
    Ticket(#[from] TicketError),
    /// The contact issued the ticket, and has another member key since.
    #[error("the issuer has a new member key since it wrote the ticket; ask for a new one")]
    TicketOutdated,
    /// The probe is larger than the protocol's.
    #[error("a probe of {0} bytes is more than a member may ask for")]
    ProbeTooLong(usize),
    /// The contact's seal is not over this conversation.
    #[error("welcome: {0}")]
    Welcome(SealError),
    /// What it shows as the charter is not the hive's.
    #[error("welcome: {0}")]
    Charter(#[from] CharterError),
    /// What it shows as the admission admits somebody else, or with another ticket.
    #[error("welcome: the admission is not of this node with this ticket")]
    Admission,
}
