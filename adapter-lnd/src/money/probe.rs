//! A payment that nobody can claim, to see how far it gets.

use super::route::{Attempted, End, attempt, route};
use super::unknown;
use crate::connect::Link;
use crate::info;
use crate::proto::lnrpc::failure::FailureCode;
use crate::proto::lnrpc::htlc_attempt::HtlcStatus;
use crate::proto::lnrpc::{
    ChannelUpdate, DeletePaymentRequest, Failure, Hop, HtlcAttempt, Payment,
};
use bitcoin::hashes::{Hash, sha256};
use hive_node::backend::bolt4::failure_kind;
use hive_node::backend::{
    ActError, Done, Fault, NotDone, ProbeFailure, ProbeFailureKind, Reconciled,
};
use hive_types::{BlockHeight, ChannelPolicy, Digest, Msat, NodeId, Ppm, Probe, ShortChannelId};
use std::time::Duration;

/// A probe that did not come back by then is asked for later: whether a node holds it, or is slow, nobody knows yet.
const PATIENCE: Duration = Duration::from_secs(60);

/// The `disable` bit of a `channel_update`'s channel flags (BOLT 7).
const DISABLED: u32 = 2;

/// The record of a `channel_update` with the inbound fee: type 55555 as BigSize, eight bytes long.
const INBOUND_RECORD: [u8; 4] = [0xfd, 0xd9, 0x03, 8];

pub(super) async fn execute(link: &Link, probe: &Probe, hash: Digest) -> Result<Done, ActError> {
    let own = info::ask(link).await.map_err(NotDone::from)?;
    let tip = BlockHeight::new(own.block_height);
    let wanted = route(&probe.hops, tip, address(hash).to_vec())?;
    let ways: Vec<Way> = probe.hops.iter().map(|hop| (hop.channel, hop.to)).collect();
    match attempt(link, hash, wanted, PATIENCE).await {
        Ok(Some(End::Failed(failure))) => {
            forget(link, hash).await;
            judge(&ways, &failure)
        }
        // Nobody knows a preimage that was thrown away.
        Ok(Some(End::Paid(_))) => Ok(ARRIVED),
        Ok(None) => Err(unknown("the probe is still under way")),
        Err(Attempted::Refused(said)) => Err(NotDone::new(Fault::Node, said).into()),
        Err(lost @ Attempted::Unknown(_)) => Err(lost.or_unknown()),
    }
}

/// Where a probe went: a channel, and the node at its end.
type Way = (ShortChannelId, NodeId);

const ARRIVED: Done = Done::Probed {
    arrived: true,
    failure: None,
};

/// A payment address that no invoice has: to the last node the probe looks like any payment, to this one it does not.
fn address(hash: Digest) -> [u8; 32] {
    sha256::Hash::hash(hash.as_bytes()).to_byte_array()
}

/// The attempt of a payment that is a probe of ours; `None` for every other payment.
pub(super) fn attempt_of(payment: &Payment, hash: Digest) -> Option<&HtlcAttempt> {
    let attempt = payment.htlcs.last()?;
    let last = attempt.route.as_ref()?.hops.last()?;
    let record = last.mpp_record.as_ref()?;
    (record.payment_addr == address(hash)).then_some(attempt)
}

/// What a probe that was found again came to. It is over: LND says so of its payment.
pub(super) async fn found(link: &Link, hash: Digest, attempt: &HtlcAttempt) -> Reconciled {
    if attempt.status() == HtlcStatus::Succeeded {
        return Reconciled::Done(ARRIVED);
    }
    let judged = match (&attempt.failure, ways(attempt)) {
        (Some(failure), Some(ways)) => judge(&ways, failure).ok(),
        // LND lost it, in a restart say: that is nobody's fault.
        _ => None,
    };
    forget(link, hash).await;
    judged.map_or(Reconciled::NotDone, Reconciled::Done)
}

fn ways(attempt: &HtlcAttempt) -> Option<Vec<Way>> {
    let hops = attempt.route.as_ref()?.hops.iter();
    let way = |hop: &Hop| {
        let to = hop.pub_key.parse().ok()?;
        Some((ShortChannelId::from_u64(hop.chan_id), to))
    };
    hops.map(way).collect()
}

/// LND keeps every failed payment; probes come each hour, and are none to the operator. One that is left is no
/// harm: whether it is there changes nothing that [`reconcile`](super::payment::reconcile) finds.
async fn forget(link: &Link, hash: Digest) {
    let request = DeletePaymentRequest {
        payment_hash: hash.as_bytes().to_vec(),
        failed_htlcs_only: false,
    };
    let mut client = link.lightning();
    if let Err(status) = link.wait(client.delete_payment(request)).await {
        tracing::debug!(
            reason = status.message(),
            "a probe stays in LND's list of payments"
        );
    }
}

const fn failed(failure: ProbeFailure) -> Done {
    Done::Probed {
        arrived: false,
        failure: Some(failure),
    }
}

/// Where it ended. Nodes on a route count from zero, which is this one.
fn judge(ways: &[Way], failure: &Failure) -> Result<Done, ActError> {
    let source = failure.failure_source_index as usize;
    let Some(before) = source.checked_sub(1) else {
        let said = failure.code().as_str_name();
        return Err(NotDone::new(
            Fault::Node,
            format!("the own channel does not take it: {said}"),
        )
        .into());
    };
    let code = code(failure.code);
    let is_last = source == ways.len();
    let kind = match failure_kind(code) {
        None if is_last => {
            return Ok(ARRIVED);
        }
        // Only the last node can say so.
        None => ProbeFailureKind::Other,
        Some(kind) => kind,
    };
    Ok(failed(ProbeFailure {
        at: ways.get(before).map(|(_, to)| *to),
        channel: ways.get(source).map(|(channel, _)| *channel),
        kind,
        policy: failure.channel_update.as_ref().and_then(policy),
    }))
}

/// BOLT 4's code of LND's; zero for those that are not told apart.
fn code(lnd: i32) -> u16 {
    match FailureCode::try_from(lnd).ok() {
        Some(FailureCode::IncorrectOrUnknownPaymentDetails) => 0x400f,
        Some(FailureCode::FeeInsufficient) => 0x100c,
        Some(FailureCode::ChannelDisabled) => 0x1014,
        Some(FailureCode::TemporaryChannelFailure) => 0x1007,
        Some(FailureCode::UnknownNextPeer) => 0x400a,
        Some(FailureCode::Reserved) | None => 0,
    }
}

/// The policy that came with a failure.
fn policy(update: &ChannelUpdate) -> Option<ChannelPolicy> {
    let (inbound_base_msat, inbound_ppm) = inbound(&update.extra_opaque_data);
    (ShortChannelId::from_u64(update.chan_id).block() != 0).then_some(())?;
    Some(ChannelPolicy {
        base: Msat::new(update.base_fee.into()),
        rate: Ppm::new(update.fee_rate),
        cltv_delta: update.time_lock_delta.try_into().ok()?,
        htlc_minimum: Msat::new(update.htlc_minimum_msat),
        htlc_maximum: Msat::new(update.htlc_maximum_msat),
        disabled: update.channel_flags & DISABLED != 0,
        inbound_base_msat,
        inbound_ppm,
    })
}

/// Base and rate, both big-endian; zero where there is no such record.
fn inbound(records: &[u8]) -> (i32, i32) {
    let numbers = || {
        let at = records
            .windows(INBOUND_RECORD.len())
            .position(|part| part == INBOUND_RECORD)?;
        let value = records.get(at + INBOUND_RECORD.len()..)?;
        let number = |from: usize| -> Option<i32> {
            let bytes: [u8; 4] = value.get(from..from + 4)?.try_into().ok()?;
            Some(i32::from_be_bytes(bytes))
        };
        Some((number(0)?, number(4)?))
    };
    numbers().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::payment::reconcile;
    use super::*;
    use crate::connect::held;
    use crate::fake::Stand;
    use crate::proto::lnrpc::payment::PaymentStatus;
    use hive_types::RouteHop;

    fn hops() -> Vec<RouteHop> {
        let hop = |number: u8| {
            let mut bytes = [number; 33];
            bytes[0] = 2;
            RouteHop {
                channel: ShortChannelId::from_u64(number.into()),
                to: NodeId::from_bytes(bytes).unwrap(),
                amount: Msat::new(1_000),
                cltv_blocks: 40,
            }
        };
        vec![hop(1), hop(2), hop(3)]
    }

    fn all_ways() -> Vec<Way> {
        let hops = hops().into_iter();
        hops.map(|hop| (hop.channel, hop.to)).collect()
    }

    /// A slow probe is no failure of the fellow: what became of it is asked for, and told like any other's end.
    #[tokio::test]
    async fn t56_a_probe_that_is_late_is_judged_by_its_end() {
        let stand = Stand::new().await;
        let link = stand.link();
        let hash = Digest::from_bytes([4; 32]);
        let tip = BlockHeight::new(100);
        let sent = |failure| HtlcAttempt {
            status: HtlcStatus::Failed.into(),
            route: route(&hops(), tip, address(hash).to_vec()).ok(),
            failure,
        };
        let told = |status: PaymentStatus, attempt: HtlcAttempt| {
            held(&stand.fake.script).payment = Some(Payment {
                status: status.into(),
                fee_msat: 0,
                htlcs: vec![attempt],
            });
        };
        let ask = async || reconcile(&link, hash).await.unwrap();
        told(PaymentStatus::InFlight, sent(None));
        assert_eq!(ask().await, Reconciled::Unknown);
        assert_eq!(stand.fake.asked("DeletePayment"), 0);
        told(PaymentStatus::Failed, sent(Some(failure(1, 3))));
        assert_eq!(ask().await, Reconciled::Done(ARRIVED));
        told(PaymentStatus::Failed, sent(Some(failure(15, 1))));
        let Reconciled::Done(Done::Probed {
            failure: Some(found),
            ..
        }) = ask().await
        else {
            panic!("it is not told where it failed");
        };
        assert_eq!(found.at, Some(hops()[0].to));
        assert_eq!(found.channel, Some(hops()[1].channel));
        assert_eq!(found.kind, ProbeFailureKind::TemporaryChannel);
        // The own channel's fault, or nobody's.
        for failure in [Some(failure(15, 0)), None] {
            told(PaymentStatus::Failed, sent(failure));
            assert_eq!(ask().await, Reconciled::NotDone);
        }
        assert_eq!(held(&stand.fake.script).deleted, vec![vec![4; 32]; 4]);
        assert_eq!(stand.fake.asked("CancelInvoice"), 0);
        // A payment to an invoice is the operator's to see, and is no probe.
        let mut other = sent(Some(failure(1, 3)));
        other.route = route(&hops(), tip, vec![8; 32]).ok();
        told(PaymentStatus::Failed, other);
        assert_eq!(ask().await, Reconciled::NotDone);
        assert_eq!(stand.fake.asked("DeletePayment"), 4);
    }

    #[tokio::test]
    async fn a_probe_that_came_back_is_forgotten_where_lnd_lets_it() {
        let stand = Stand::new().await;
        let link = stand.link();
        held(&stand.fake.script).attempt = Some(HtlcAttempt {
            status: HtlcStatus::Failed.into(),
            failure: Some(failure(1, 3)),
            ..HtlcAttempt::default()
        });
        let probe = Probe {
            amount: Msat::new(1_000),
            hops: hops(),
        };
        for (is_denied, hash) in [(false, [1; 32]), (true, [2; 32])] {
            if is_denied {
                held(&stand.fake.script).denied = vec!["/lnrpc.Lightning/DeletePayment"];
            }
            let hash = Digest::from_bytes(hash);
            let done = execute(&link, &probe, hash).await.unwrap();
            assert!(matches!(done, Done::Probed { arrived: true, .. }));
        }
        assert_eq!(held(&stand.fake.script).deleted, [vec![1; 32]]);
        // One that may still be under way is left alone.
        held(&stand.fake.script).attempt = Some(HtlcAttempt::default());
        let hash = Digest::from_bytes([3; 32]);
        let ended = execute(&link, &probe, hash).await;
        assert!(matches!(ended, Err(ActError::Unknown { .. })), "{ended:?}");
        assert_eq!(stand.fake.asked("DeletePayment"), 2);
    }

    fn failure(code: i32, failure_source_index: u32) -> Failure {
        Failure {
            code,
            channel_update: None,
            failure_source_index,
        }
    }

    #[test]
    fn t56_the_end_is_told_from_the_way() {
        let arrived = Done::Probed {
            arrived: true,
            failure: None,
        };
        assert_eq!(judge(&all_ways(), &failure(1, 3)).unwrap(), arrived);
        // Another than the last node claims that it arrived.
        let Done::Probed {
            failure: Some(lie), ..
        } = judge(&all_ways(), &failure(1, 2)).unwrap()
        else {
            panic!("it counts as arrived");
        };
        assert_eq!(lie.kind, ProbeFailureKind::Other);
        // The own channel is nobody's fault.
        assert!(matches!(
            judge(&all_ways(), &failure(15, 0)),
            Err(ActError::NotDone(_))
        ));
    }

    #[test]
    fn the_second_of_three_is_blamed_with_its_channel() {
        let mut said = failure(12, 1);
        said.channel_update = Some(ChannelUpdate {
            chan_id: ShortChannelId::new(7, 1, 1).unwrap().to_u64(),
            channel_flags: 3,
            time_lock_delta: 80,
            htlc_minimum_msat: 1,
            base_fee: 5,
            fee_rate: 6,
            htlc_maximum_msat: 9,
            extra_opaque_data: vec![0xfd, 0xd9, 0x03, 8, 0xff, 0xff, 0xff, 0xfe, 0, 0, 0, 3],
        });
        let Done::Probed {
            failure: Some(found),
            ..
        } = judge(&all_ways(), &said).unwrap()
        else {
            panic!("it counts as arrived");
        };
        assert_eq!(found.at, Some(hops()[0].to));
        assert_eq!(found.channel, Some(hops()[1].channel));
        assert_eq!(found.kind, ProbeFailureKind::FeeInsufficient);
        let policy = found.policy.unwrap();
        assert!(policy.disabled && policy.rate == Ppm::new(6));
        assert_eq!((policy.inbound_base_msat, policy.inbound_ppm), (-2, 3));
    }

    #[test]
    fn codes_are_bolt_4s() {
        for (lnd, kind) in [
            (12, ProbeFailureKind::FeeInsufficient),
            (14, ProbeFailureKind::ChannelDisabled),
            (15, ProbeFailureKind::TemporaryChannel),
            (18, ProbeFailureKind::UnknownNextPeer),
            (999, ProbeFailureKind::Other),
        ] {
            assert_eq!(failure_kind(code(lnd)), Some(kind));
        }
        assert_eq!(failure_kind(code(1)), None);
    }
}
