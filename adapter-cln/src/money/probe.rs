//! Payments that can't be settled, to see how far they get.

use super::payment::{self, Ended, Failure, Known};
use super::{not_read, unknown};
use crate::calls::Getinfo;
use crate::hex;
use crate::rpc::Rpc;
use bitcoin::hashes::{Hash, sha256};
use hive_node::backend::bolt4::failure_kind;
use hive_node::backend::{ActError, Done, Fault, NotDone, ProbeFailure, ProbeFailureKind};
use hive_planner::load::channel_update;
use hive_types::{ChannelPolicy, Digest, Probe};

/// `UPDATE`: the failure carries a `channel_update` (BOLT 4).
const UPDATE: u16 = 0x1000;

/// `amount_below_minimum`, `fee_insufficient`: the amount stands before the update.
const WITH_AMOUNT: [u16; 2] = [0x100b, 0x100c];

/// `incorrect_cltv_expiry`: the expiry stands before the update.
const WITH_EXPIRY: u16 = 0x100d;

/// `channel_disabled`: flags stand before the update.
const WITH_FLAGS: u16 = 0x1014;

/// `permanent_channel_failure`, `required_channel_feature_missing`, `unknown_next_peer`: of the next channel too,
/// though they carry no update.
const OF_A_CHANNEL: [u16; 3] = [0x4008, 0x4009, 0x400a];

pub(super) async fn probe(rpc: &Rpc, probe: &Probe, hash: Digest) -> Result<Done, ActError> {
    let known = payment::known(rpc, hash).await.map_err(not_read)?;
    match known {
        Known::Nothing => {
            let label = format!("hive probe {}", hash);
            payment::send(rpc, label, &probe.hops, hash, secret(hash)).await?;
        }
        Known::Pending | Known::Failed => {}
        Known::Complete(_) => return Err(unknown("somebody settled a probe")),
    }
    match payment::wait(rpc, hash).await? {
        Ended::Complete(_) => Err(unknown("somebody settled a probe")),
        Ended::Failed(failure) => {
            payment::forget(rpc, hash).await;
            result(rpc, probe, &failure).await
        }
    }
}

/// The last node wants a payment secret before it looks at the hash. Any does; the preimage must not show.
fn secret(hash: Digest) -> Digest {
    Digest::from_bytes(sha256::Hash::hash(hash.as_bytes()).to_byte_array())
}

async fn result(rpc: &Rpc, probe: &Probe, failure: &Failure) -> Result<Done, ActError> {
    let last = probe.hops.last().map(|hop| hop.to);
    let kind = match failure.failcode {
        Some(code) => failure_kind(code),
        None => Some(ProbeFailureKind::Other),
    };
    if kind.is_none() && failure.erring_node == last {
        return Ok(Done::Probed {
            arrived: true,
            failure: None,
        });
    }
    let at = failure.erring_node;
    if at.is_some() {
        let own = rpc.call(&Getinfo {}).await.map_err(not_read)?.id;
        if at == Some(own) {
            let reason = format!("the own channel did not carry it: {failure}");
            return Err(NotDone::new(Fault::Node, reason).into());
        }
    }
    Ok(Done::Probed {
        arrived: false,
        failure: Some(ProbeFailure {
            at,
            channel: failure.erring_channel.filter(|_| names_channel(failure)),
            kind: kind.unwrap_or(ProbeFailureKind::Other),
            policy: policy(failure),
        }),
    })
}

/// Whether the failure is about the next channel and not about the node itself.
fn names_channel(failure: &Failure) -> bool {
    let is_named = |code: u16| code & UPDATE != 0 || OF_A_CHANNEL.contains(&code);
    failure.failcode.is_some_and(is_named)
}

/// The policy in the `channel_update` that came with the failure.
fn policy(failure: &Failure) -> Option<ChannelPolicy> {
    let message = hex::decode(failure.raw_message.as_deref()?)?;
    let (code, rest) = message.split_first_chunk::<2>()?;
    let code = u16::from_be_bytes(*code);
    if code & UPDATE == 0 {
        return None;
    }
    let before = match code {
        code if WITH_AMOUNT.contains(&code) => 8,
        WITH_EXPIRY => 4,
        WITH_FLAGS => 2,
        _ => 0,
    };
    let (length, update) = rest.get(before..)?.split_first_chunk::<2>()?;
    let update = update.get(..u16::from_be_bytes(*length).into())?;
    let update = channel_update(update)?;
    let is_same = failure
        .erring_channel
        .is_none_or(|channel| channel == update.scid);
    is_same.then_some(update.policy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(code: u16, raw: &str) -> Failure {
        Failure {
            failcode: Some(code),
            raw_message: Some(raw.into()),
            ..Failure::default()
        }
    }

    #[test]
    fn the_policy_comes_out_of_the_failure() {
        let zeros = |count: usize| "00".repeat(count);
        // Signature, chain, scid, time, message flags, channel flags, delta, minimum, base, rate, maximum.
        let fields = format!(
            "{}{}{}{}0102{}{}{}{}{}",
            zeros(64),
            zeros(32),
            "0000660000010000",
            zeros(4),
            "0028",
            "0000000000000001",
            "00000007",
            "000001b1",
            "0000000000001000"
        );
        let update = format!("0102{fields}");
        let length = format!("{:04x}", update.len() / 2);
        for (code, before) in [(0x1007, 0), (0x100c, 8), (0x100d, 4), (0x1014, 2)] {
            let raw = format!("{code:04x}{}{length}{update}", zeros(before));
            let read = policy(&failure(code, &raw)).unwrap();
            assert_eq!((read.base.get(), read.rate.get()), (7, 433), "{code:x}");
            assert!(read.disabled && read.cltv_delta == 40);
            // Some nodes leave out the type.
            let bare = format!("{:04x}", fields.len() / 2);
            let raw = format!("{code:04x}{}{bare}{fields}", zeros(before));
            assert_eq!(policy(&failure(code, &raw)), Some(read));
        }
        for raw in ["", "10", "1007", "10070000", "100700ff00", "400a", "zz"] {
            assert_eq!(policy(&failure(0x1007, raw)), None, "{raw}");
        }
        let mut other = failure(0x1007, &format!("1007{length}{update}"));
        other.erring_channel = Some("7x7x7".parse().unwrap());
        assert_eq!(policy(&other), None);
    }
}
