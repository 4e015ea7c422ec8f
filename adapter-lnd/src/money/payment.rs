//! A payment to oneself around a circle: one invoice, one route, one hash.

use super::route::{Attempted, End, attempt, route};
use super::{probe, unknown};
use crate::connect::{Link, is_lost};
use crate::info;
use crate::proto::invoicesrpc::CancelInvoiceMsg;
use crate::proto::lnrpc::invoice::InvoiceState;
use crate::proto::lnrpc::payment::PaymentStatus;
use crate::proto::lnrpc::{Invoice, Payment, PaymentHash};
use crate::proto::routerrpc::TrackPaymentRequest;
use hive_node::backend::{ActError, BackendError, Done, Fault, NotDone, Reconciled};
use hive_types::{ActionId, BlockHeight, Digest, Msat, Rebalance};
use std::time::Duration;
use tonic::{Code, Status};

/// A payment that is not over by then counts as unknown, and is asked for later.
const PATIENCE: Duration = Duration::from_secs(120);

/// Seconds that an invoice of ours can be paid: the payment begins at once.
const INVOICE_EXPIRY_SECONDS: i64 = 3_600;

/// Blocks that LND wants to be left when the payment arrives: the least that it takes.
const INVOICE_CLTV_BLOCKS: u64 = 24;

pub(super) async fn execute(
    link: &Link,
    id: ActionId,
    moved: &Rebalance,
    cost: Msat,
    preimage: [u8; 32],
    hash: Digest,
) -> Result<Done, ActError> {
    if let Some(known) = known(link, hash).await? {
        return known;
    }
    let (sent, arrives) = match (moved.hops.first(), moved.hops.last()) {
        (Some(first), Some(last)) => (first.amount, last.amount),
        _ => return Err(NotDone::new(Fault::Agent, "a route without a hop").into()),
    };
    let fee = sent.saturating_sub(arrives);
    if arrives != moved.amount || fee > moved.fee || fee > cost {
        let reason =
            format!("the route costs {fee} and brings {arrives}, which is not what is permitted");
        return Err(NotDone::new(Fault::Agent, reason).into());
    }
    let tip = info::ask(link).await.map_err(NotDone::from)?.block_height;
    let payment_addr = invoice(link, id, moved.amount, preimage, hash).await?;
    let route = match route(&moved.hops, BlockHeight::new(tip), payment_addr) {
        Ok(route) => route,
        Err(reason) => {
            cancel(link, hash)
                .await
                .map_err(|reason| unknown(reason.to_string()))?;
            return Err(reason.into());
        }
    };
    match attempt(link, hash, route, PATIENCE).await {
        Ok(Some(End::Paid(fee))) => Ok(Done::Paid { fee }),
        Ok(Some(End::Failed(failure))) => {
            let said = format!(
                "it failed at hop {}: {}",
                failure.failure_source_index,
                failure.code().as_str_name()
            );
            ended(link, hash, Fault::Peer, said).await
        }
        Ok(None) => Err(unknown("the payment is still under way")),
        Err(Attempted::Refused(said)) => ended(link, hash, Fault::Node, said).await,
        Err(lost @ Attempted::Unknown(_)) => Err(lost.or_unknown()),
    }
}

/// What LND says of its end counts once the payment itself says so, and the invoice is gone.
async fn ended(link: &Link, hash: Digest, fault: Fault, said: String) -> Result<Done, ActError> {
    match reconcile(link, hash).await {
        Ok(Reconciled::NotDone) => Err(NotDone::new(fault, said).into()),
        Ok(Reconciled::Done(done)) => Ok(done),
        Ok(Reconciled::Unknown) => Err(unknown(said)),
        Err(reason) => Err(unknown(reason.to_string())),
    }
}

/// The answer where the node knows the hash: it is never sent along it again.
async fn known(link: &Link, hash: Digest) -> Result<Option<Result<Done, ActError>>, ActError> {
    match track(link, hash).await {
        Ok(None) => Ok(None),
        Ok(Some(_)) => {
            let said = "an earlier attempt failed; a new one takes a new hash".to_owned();
            Ok(Some(ended(link, hash, Fault::Peer, said).await))
        }
        Err(reason) => Err(unknown(reason.to_string())),
    }
}

/// What the node knows of a payment; `None` where it never heard of it.
async fn track(link: &Link, hash: Digest) -> Result<Option<Payment>, BackendError> {
    let request = TrackPaymentRequest {
        payment_hash: hash.as_bytes().to_vec(),
        no_inflight_updates: false,
    };
    let mut client = link.router();
    // The first update is what is known now; later ones are not waited for.
    let first = async move {
        let mut updates = client.track_payment_v2(request).await?;
        let first = updates.get_mut().message().await?;
        first
            .map(tonic::Response::new)
            .ok_or_else(|| Status::unavailable("LND ended the stream early"))
    };
    match link.wait(first).await {
        Ok(payment) => Ok(Some(payment)),
        Err(status) if status.code() == Code::NotFound => Ok(None),
        Err(status) => Err(link.error("/routerrpc.Router/TrackPaymentV2", &status)),
    }
}

/// The invoice's payment address: of the one that is there, or of a new one.
async fn invoice(
    link: &Link,
    id: ActionId,
    amount: Msat,
    preimage: [u8; 32],
    hash: Digest,
) -> Result<Vec<u8>, ActError> {
    if let Some(there) = look_up(link, hash).await.map_err(NotDone::from)? {
        return match there.state() {
            InvoiceState::Open => Ok(there.payment_addr),
            InvoiceState::Canceled => {
                Err(NotDone::new(Fault::Agent, "its invoice was cancelled").into())
            }
            InvoiceState::Settled | InvoiceState::Accepted => {
                Err(unknown("somebody else pays this invoice"))
            }
        };
    }
    let wanted = Invoice {
        memo: id.to_string(),
        r_preimage: preimage.to_vec(),
        expiry: INVOICE_EXPIRY_SECONDS,
        cltv_expiry: INVOICE_CLTV_BLOCKS,
        private: false,
        value_msat: i64::try_from(amount.get()).unwrap_or(i64::MAX),
        ..Invoice::default()
    };
    let mut client = link.lightning();
    let call = "/lnrpc.Lightning/AddInvoice";
    match link.wait(client.add_invoice(wanted)).await {
        Ok(made) => Ok(made.payment_addr),
        // An invoice alone moves nothing; reconciling cancels it.
        Err(status) if is_lost(&status) => Err(unknown(status.message())),
        Err(status) => Err(NotDone::from(link.error(call, &status)).into()),
    }
}

async fn look_up(link: &Link, hash: Digest) -> Result<Option<Invoice>, BackendError> {
    let request = PaymentHash {
        r_hash: hash.as_bytes().to_vec(),
    };
    let mut client = link.lightning();
    match link.wait(client.lookup_invoice(request)).await {
        Ok(invoice) => Ok(Some(invoice)),
        Err(status) if is_unknown_invoice(&status) => Ok(None),
        Err(status) => Err(link.error("/lnrpc.Lightning/LookupInvoice", &status)),
    }
}

fn is_unknown_invoice(status: &Status) -> bool {
    let said = status.message();
    status.code() == Code::NotFound
        || said.contains("unable to locate invoice")
        || said.contains("there are no existing invoices")
}

/// From here on nothing settles by this hash. An invoice that is gone, or was never there, is as good.
async fn cancel(link: &Link, hash: Digest) -> Result<(), BackendError> {
    let request = CancelInvoiceMsg {
        payment_hash: hash.as_bytes().to_vec(),
    };
    let mut client = link.invoices();
    match link.wait(client.cancel_invoice(request)).await {
        Ok(_) => Ok(()),
        Err(status) if is_unknown_invoice(&status) => Ok(()),
        Err(status) if status.message().contains("already") => Ok(()),
        Err(status) => Err(link.error("/invoicesrpc.Invoices/CancelInvoice", &status)),
    }
}

pub(super) async fn reconcile(link: &Link, hash: Digest) -> Result<Reconciled, BackendError> {
    let Some(payment) = track(link, hash).await? else {
        cancel(link, hash).await?;
        // One that set out before the invoice was gone is known now.
        return Ok(match track(link, hash).await? {
            Some(_) => Reconciled::Unknown,
            None => Reconciled::NotDone,
        });
    };
    let status = payment.status();
    let is_over = matches!(status, PaymentStatus::Succeeded | PaymentStatus::Failed);
    if let Some(attempt) = probe::attempt_of(&payment, hash).filter(|_| is_over) {
        return Ok(probe::found(link, hash, attempt).await);
    }
    match status {
        PaymentStatus::Succeeded => {
            let fee = crate::convert::msat(payment.fee_msat);
            Ok(Reconciled::Done(Done::Paid { fee }))
        }
        PaymentStatus::Failed => {
            cancel(link, hash).await?;
            Ok(Reconciled::NotDone)
        }
        PaymentStatus::InFlight | PaymentStatus::Initiated | PaymentStatus::Unknown => {
            Ok(Reconciled::Unknown)
        }
    }
}
