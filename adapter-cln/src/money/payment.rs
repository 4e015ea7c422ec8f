//! Payments to oneself, by a route of one's own.

use super::{acted, unknown};
use crate::limits::{INVOICE_EXPIRY, PAYMENT_PATIENCE};
use crate::rpc::{CallError, Method, Rpc};
use bitcoin::hashes::{Hash, sha256};
use hive_node::backend::{ActError, BackendError, Done, Fault, NotDone, Reconciled};
use hive_policy::Authorized;
use hive_types::limits::ROUTE_HOPS;
use hive_types::{ActionId, Digest, Millis, Msat, NodeId, Rebalance, RouteHop, ShortChannelId};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The one part and the one group under which the node keeps a payment of ours. With both given, the node
/// itself refuses to send a second time while the first is under way or after it has succeeded.
const PART: u64 = 0;
const GROUP: u64 = 1;

/// `invoice`.
#[derive(Debug, Serialize)]
struct InvoiceRequest {
    amount_msat: Msat,
    label: String,
    description: &'static str,
    preimage: Digest,
    /// Seconds.
    expiry: u64,
}

impl Method for InvoiceRequest {
    const NAME: &'static str = "invoice";
    type Reply = Invoice;
}

#[derive(Clone, Debug, Deserialize)]
struct Invoice {
    payment_secret: Digest,
}

/// A label or a preimage that an invoice has already.
const INVOICE_EXISTS: [i32; 2] = [900, 901];

/// `delinvoice`.
#[derive(Debug, Serialize)]
struct DelinvoiceRequest {
    label: String,
    status: String,
}

impl Method for DelinvoiceRequest {
    const NAME: &'static str = "delinvoice";
    type Reply = IgnoredAny;
}

/// `delinvoice`: there is none of this label.
const NO_INVOICE: i32 = 905;

/// `sendpay`.
#[derive(Debug, Serialize)]
struct SendpayRequest {
    route: Vec<SendpayHop>,
    payment_hash: Digest,
    payment_secret: Digest,
    partid: u64,
    groupid: u64,
    label: String,
}

#[derive(Debug, Serialize)]
struct SendpayHop {
    id: NodeId,
    channel: ShortChannelId,
    amount_msat: Msat,
    /// Blocks from the tip until this hop's HTLC expires.
    delay: u32,
}

impl Method for SendpayRequest {
    const NAME: &'static str = "sendpay";
    type Reply = IgnoredAny;
}

/// `waitsendpay`.
#[derive(Debug, Serialize)]
struct Waitsendpay {
    payment_hash: Digest,
    /// Seconds.
    timeout: u64,
    partid: u64,
    groupid: u64,
}

impl Method for Waitsendpay {
    const NAME: &'static str = "waitsendpay";
    // A little longer than the node itself waits.
    const PATIENCE: Millis = Millis::new(PAYMENT_PATIENCE.get() + 10_000);
    const WAITS: bool = true;
    type Reply = Payment;
}

/// `waitsendpay`: still under way.
const IN_PROGRESS: i32 = 200;

/// `waitsendpay`: unparseable onion, failure at the destination, failure on the way, failure not stored.
const FAILED: [i32; 4] = [202, 203, 204, 209];

/// `listsendpays`.
#[derive(Debug, Serialize)]
struct Listsendpays {
    payment_hash: Digest,
}

impl Method for Listsendpays {
    const NAME: &'static str = "listsendpays";
    type Reply = Payments;
}

#[derive(Debug, Deserialize)]
struct Payments {
    payments: Vec<Payment>,
}

#[derive(Clone, Debug, Deserialize)]
struct Payment {
    status: String,
    amount_msat: Option<Msat>,
    amount_sent_msat: Msat,
}

impl Payment {
    fn fee(&self) -> Msat {
        let arrived = self.amount_msat.unwrap_or(self.amount_sent_msat);
        self.amount_sent_msat.saturating_sub(arrived)
    }
}

/// `delpay` of one that failed.
#[derive(Debug, Serialize)]
struct DelpayRequest {
    payment_hash: Digest,
    status: &'static str,
    partid: u64,
    groupid: u64,
}

impl Method for DelpayRequest {
    const NAME: &'static str = "delpay";
    type Reply = IgnoredAny;
}

fn hash(preimage: &[u8]) -> Digest {
    Digest::from_bytes(sha256::Hash::hash(preimage).to_byte_array())
}

/// Moves balance around a circle.
pub(super) async fn rebalance(
    rpc: &Rpc,
    id: ActionId,
    moved: &Rebalance,
    permit: &Authorized,
    preimage: &[u8; 32],
) -> Result<Done, ActError> {
    check(moved, permit.cost())?;
    let payment_hash = hash(preimage);
    let known = known(rpc, payment_hash).await.map_err(super::not_read)?;
    let sent = match known {
        Known::Complete(fee) => return Ok(Done::Paid { fee }),
        Known::Pending => Ok(()),
        Known::Failed => {
            Err(NotDone::new(Fault::Node, "the node tried this payment, and it failed").into())
        }
        Known::Nothing => {
            let invoice = invoice(rpc, id, moved.amount, *preimage).await?;
            let secret = invoice.payment_secret;
            send(rpc, id, &moved.hops, payment_hash, secret).await
        }
    };
    let ended = match sent {
        Ok(()) => wait(rpc, payment_hash).await,
        Err(error) => Err(error),
    };
    match ended {
        Ok(Ended::Complete(fee)) => Ok(Done::Paid { fee }),
        Ok(Ended::Failed(failure)) => {
            cancel(rpc, id, NotDone::new(Fault::Peer, failure.to_string())).await
        }
        Err(ActError::NotDone(reason)) => cancel(rpc, id, reason).await,
        Err(unknown) => Err(unknown),
    }
}

/// The route ends with what it should, and costs no more than what is permitted.
pub(super) fn check(moved: &Rebalance, cost: Msat) -> Result<(), NotDone> {
    let ends = (moved.hops.first(), moved.hops.last());
    let (Some(first), Some(last)) = ends else {
        return Err(NotDone::new(Fault::Agent, "the route is empty"));
    };
    let fee = first.amount.checked_sub(moved.amount);
    let is_priced = fee.is_some_and(|fee| fee <= moved.fee && fee <= cost);
    if last.amount != moved.amount || !is_priced || moved.hops.len() > ROUTE_HOPS {
        return Err(NotDone::new(
            Fault::Agent,
            "the route costs more than its permit says",
        ));
    }
    Ok(())
}

/// The invoice. One that an earlier execution left, and that nothing was sent to, makes place for a new one:
/// the node tells an invoice's payment secret only once.
async fn invoice(
    rpc: &Rpc,
    id: ActionId,
    amount_msat: Msat,
    preimage: [u8; 32],
) -> Result<Invoice, ActError> {
    let request = InvoiceRequest {
        amount_msat,
        label: id.to_string(),
        description: "The Hive: balance between own channels",
        preimage: Digest::from_bytes(preimage),
        expiry: INVOICE_EXPIRY.as_secs(),
    };
    let mut made = rpc.call(&request).await;
    let exists = |error: &CallError| error.is_refusal(&INVOICE_EXISTS);
    if made.as_ref().is_err_and(exists) {
        match withdraw(rpc, id).await {
            Ok(true) => made = rpc.call(&request).await,
            Ok(false) => return Err(unknown("the invoice is paid already")),
            Err(error) => return Err(super::not_read(error).into()),
        }
    }
    // An invoice alone moves nothing: where the answer was lost, still nothing was sent.
    made.map_err(|error| NotDone::new(Fault::Node, error.to_string()).into())
}

/// Hands the payment to the node, once.
pub(super) async fn send(
    rpc: &Rpc,
    id: impl ToString,
    hops: &[RouteHop],
    payment_hash: Digest,
    payment_secret: Digest,
) -> Result<(), ActError> {
    let hop = |hop: &RouteHop| SendpayHop {
        id: hop.to,
        channel: hop.channel,
        amount_msat: hop.amount,
        delay: hop.cltv_blocks,
    };
    let request = SendpayRequest {
        route: hops.iter().map(hop).collect(),
        payment_hash,
        payment_secret,
        partid: PART,
        groupid: GROUP,
        label: id.to_string(),
    };
    match rpc.call(&request).await {
        Ok(_) => Ok(()),
        Err(CallError::Refused {
            code,
            message,
            data,
        }) => {
            // Refused at the first channel: nothing left the node, and waiting tells where it failed.
            match known(rpc, payment_hash).await {
                Ok(Known::Nothing | Known::Failed) => Err(NotDone::new(
                    Fault::Node,
                    format!(
                        "{message} (code {code}{})",
                        Failure::read(data.as_ref()).place()
                    ),
                )
                .into()),
                Ok(Known::Pending | Known::Complete(_)) => Ok(()),
                Err(error) => Err(unknown(error.to_string())),
            }
        }
        Err(error) => Err(acted(error)),
    }
}

/// How a payment ended.
pub(super) enum Ended {
    Complete(Msat),
    Failed(Failure),
}

/// Waits until the payment ends.
pub(super) async fn wait(rpc: &Rpc, payment_hash: Digest) -> Result<Ended, ActError> {
    let request = Waitsendpay {
        payment_hash,
        timeout: PAYMENT_PATIENCE.as_secs(),
        partid: PART,
        groupid: GROUP,
    };
    match rpc.call(&request).await {
        Ok(payment) => Ok(Ended::Complete(payment.fee())),
        Err(CallError::Refused {
            code,
            message,
            data,
        }) if FAILED.contains(&code) => {
            let mut failure = Failure::read(data.as_ref());
            failure.message = message;
            Ok(Ended::Failed(failure))
        }
        Err(error) if error.is_refusal(&[IN_PROGRESS]) => {
            Err(unknown("the payment is still under way"))
        }
        Err(error) => Err(unknown(error.to_string())),
    }
}

/// Where and why a payment failed, as the node found out.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Failure {
    pub(super) erring_node: Option<NodeId>,
    pub(super) erring_channel: Option<ShortChannelId>,
    pub(super) failcode: Option<u16>,
    pub(super) raw_message: Option<String>,
    #[serde(skip)]
    pub(super) message: String,
}

impl Failure {
    fn read(data: Option<&Value>) -> Self {
        let read = data.and_then(|data| Self::deserialize(data).ok());
        read.unwrap_or_default()
    }

    fn place(&self) -> String {
        match (self.erring_node, self.erring_channel) {
            (Some(node), Some(channel)) => format!(", at {node}, channel {channel}"),
            _ => String::new(),
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.message, self.place())
    }
}

/// What the node knows of a hash.
pub(super) enum Known {
    Nothing,
    Pending,
    Complete(Msat),
    Failed,
}

pub(super) async fn known(rpc: &Rpc, payment_hash: Digest) -> Result<Known, CallError> {
    let payments = rpc.call(&Listsendpays { payment_hash }).await?.payments;
    let of = |status: &str| payments.iter().find(|one| one.status == status);
    Ok(match (of("complete"), of("pending")) {
        (Some(payment), _) => Known::Complete(payment.fee()),
        (None, Some(_)) => Known::Pending,
        (None, None) if payments.is_empty() => Known::Nothing,
        (None, None) => Known::Failed,
    })
}

/// Takes the invoice away, so that nothing can settle any more, and only then calls it not done.
async fn cancel(rpc: &Rpc, id: ActionId, reason: NotDone) -> Result<Done, ActError> {
    match withdraw(rpc, id).await {
        Ok(true) => Err(reason.into()),
        Ok(false) => Err(unknown(format!("{reason}, and yet its invoice is paid"))),
        Err(error) => Err(unknown(format!("{reason}; {error}"))),
    }
}

/// Deletes the action's invoice; `false` where it is paid.
async fn withdraw(rpc: &Rpc, id: ActionId) -> Result<bool, CallError> {
    let mut refusal = None;
    for status in ["unpaid", "expired"] {
        let request = DelinvoiceRequest {
            label: id.to_string(),
            status: status.into(),
        };
        match rpc.call(&request).await {
            Ok(_) => return Ok(true),
            Err(error) if error.is_refusal(&[NO_INVOICE]) => return Ok(true),
            Err(error @ CallError::Refused { .. }) => refusal = Some(error),
            Err(error) => return Err(error),
        }
    }
    match refusal {
        Some(CallError::Refused {
            data: Some(data), ..
        }) if data.get("current_status").and_then(Value::as_str) == Some("paid") => Ok(false),
        Some(error) => Err(error),
        None => Ok(true),
    }
}

/// A failed probe leaves no trace: a node that probes by the hour would keep thousands of them.
pub(super) async fn forget(rpc: &Rpc, payment_hash: Digest) {
    let request = DelpayRequest {
        payment_hash,
        status: "failed",
        partid: PART,
        groupid: GROUP,
    };
    // One that stays harms nothing.
    let _ = rpc.call(&request).await;
}

pub(super) async fn reconcile(
    rpc: &Rpc,
    id: ActionId,
    payment_hash: Digest,
) -> Result<Reconciled, BackendError> {
    Ok(match known(rpc, payment_hash).await? {
        Known::Pending => Reconciled::Unknown,
        Known::Complete(fee) => Reconciled::Done(Done::Paid { fee }),
        Known::Nothing | Known::Failed => match withdraw(rpc, id).await? {
            true => Reconciled::NotDone,
            false => Reconciled::Unknown,
        },
    })
}
