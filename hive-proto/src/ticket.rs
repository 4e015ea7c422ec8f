//! The ticket: a member's signed invitation, one redemption each, as `hive1…` text (bech32m).

use crate::codec::{self, DecodeError};
use crate::record::Epoch;
use crate::seal::{MemberSecret, SealDomain, SealError, VerifyingKey, tagged_hash};
use bech32::primitives::decode::{CheckedHrpstring, CheckedHrpstringError};
use bech32::{Bech32m, Hrp};
use core::fmt;
use core::str::FromStr;
use hive_types::limits::{ADDRESS_CHARS, ADDRESSES, TICKET_CHARS};
use hive_types::{
    Capabilities, Digest, HiveId, Network, NodeId, Signature, TicketId, Tier, UnixMillis,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

const HRP: Hrp = Hrp::parse_unchecked("hive");

/// What a ticket says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketBody {
    /// The fleet.
    pub hive: HiveId,
    /// The chain that its nodes are on.
    pub network: Network,
    /// The full member that invites.
    pub issuer: NodeId,
    /// The member key that the ticket is signed with.
    pub epoch: Epoch,
    /// Random; what is redeemed once.
    pub id: TicketId,
    /// What the guest becomes; full only while the fleet has fewer than three full members.
    pub tier: Tier,
    /// What the guest's node must be capable of.
    pub required: Capabilities,
    /// From then on it admits nobody.
    pub expires: UnixMillis,
    /// The only node that may use it, when it names one.
    pub guest: Option<NodeId>,
    /// Members to ask: node id and `host:port`.
    pub contacts: Vec<(NodeId, String)>,
}

/// A signed ticket. The issuer's signature is unchecked until [`Ticket::verify`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    body: TicketBody,
    signature: Signature,
}

/// The text or the bytes are no ticket that counts.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TicketError {
    /// Longer than any ticket.
    #[error("a ticket has at most {TICKET_CHARS} characters; this text has {0}")]
    TooLong(usize),
    /// A typing error, or another kind of text.
    #[error("not a ticket: {0}; copy the whole text, from hive1 to its last character")]
    Text(&'static str),
    /// The payload is not one canonical ticket.
    #[error("ticket: {0}")]
    Body(#[from] DecodeError),
    /// More or longer contacts than allowed.
    #[error("the ticket's contacts are longer than allowed; name fewer addresses")]
    Contacts,
    /// Not signed by the key that it names.
    #[error("ticket: {0}")]
    Seal(#[from] SealError),
}

impl Ticket {
    /// Writes a ticket.
    ///
    /// # Errors
    /// [`TicketError`] when contacts are too many or too long for a ticket's text.
    pub fn sign(body: TicketBody, secret: &MemberSecret) -> Result<Self, TicketError> {
        check_contacts(&body)?;
        let signature = secret.seal(SealDomain::Ticket, &body.hive, &codec::encode(&body));
        let ticket = Self { body, signature };
        let chars = ticket.to_string().len();
        if chars > TICKET_CHARS {
            return Err(TicketError::TooLong(chars));
        }
        Ok(ticket)
    }

    /// Checks the issuer's signature, and that the contacts are within their limits.
    ///
    /// # Errors
    /// [`TicketError::Seal`] when it is not the key's, [`TicketError::Contacts`].
    pub fn verify(&self, issuer: &VerifyingKey) -> Result<(), TicketError> {
        check_contacts(&self.body)?;
        let bytes = codec::encode(&self.body);
        issuer.verify(SealDomain::Ticket, &self.body.hive, &bytes, &self.signature)?;
        Ok(())
    }

    /// What it says.
    pub const fn body(&self) -> &TicketBody {
        &self.body
    }

    /// What HELLO shows instead of the ticket itself.
    pub fn hash(&self) -> Digest {
        tagged_hash("hive/ticket-id", &[&codec::encode(self)])
    }

    /// Whether the ticket names this node as a contact or as its issuer, so that it may see it.
    pub fn may_be_shown_to(&self, node: &NodeId) -> bool {
        self.body.issuer == *node
            || self
                .body
                .contacts
                .iter()
                .any(|(contact, _)| contact == node)
    }
}

fn check_contacts(body: &TicketBody) -> Result<(), TicketError> {
    let fits = body.contacts.len() <= ADDRESSES
        && body
            .contacts
            .iter()
            .all(|(_, address)| address.chars().count() <= ADDRESS_CHARS);
    if fits {
        Ok(())
    } else {
        Err(TicketError::Contacts)
    }
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = bech32::encode_lower::<Bech32m>(HRP, &codec::encode(self));
        let text = text.map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}

impl FromStr for Ticket {
    type Err = TicketError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text.len() > TICKET_CHARS {
            return Err(TicketError::TooLong(text.len()));
        }
        let no_ticket = |why: &'static str| TicketError::Text(why);
        let checked = CheckedHrpstring::new::<Bech32m>(text).map_err(|error| match error {
            CheckedHrpstringError::Checksum(_) => no_ticket("a character is wrong or missing"),
            _ => no_ticket("it holds a character that no ticket has, or mixes cases"),
        })?;
        if checked.hrp() != HRP {
            return Err(no_ticket("it does not start with hive1"));
        }
        let ticket: Self = codec::decode(&checked.byte_iter().collect::<Vec<_>>())?;
        check_contacts(&ticket.body)?;
        Ok(ticket)
    }
}
