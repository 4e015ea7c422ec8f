//! LND's words as the hive's types. What LND says is taken as it is or not at all: nothing is guessed.

use crate::proto::lnrpc;
use hive_node::backend::BackendError;
use hive_types::{
    ChannelId, ChannelPolicy, Msat, NodeId, OutPoint, Ppm, Sat, ShortChannelId, Txid,
};
use std::collections::HashMap;

/// Feature bits above this are no features: BOLT 9 assigns none near it, and a bit costs its place.
const FEATURE_BITS_MAX: u32 = 16_384;

/// Blocks that short channel ids above this name are far in the future: LND makes its aliases there.
const ALIAS_BLOCK: u32 = 16_000_000;

/// An answer that does not say what it should.
pub(crate) fn unclear(what: &str, said: impl std::fmt::Display) -> BackendError {
    BackendError::Reply(format!("{what} is {said}"))
}

pub(crate) fn node_id(hex: &str) -> Result<NodeId, BackendError> {
    hex.parse().map_err(|_| unclear("a node id", hex))
}

pub(crate) fn outpoint(text: &str) -> Result<OutPoint, BackendError> {
    text.parse().map_err(|_| unclear("an outpoint", text))
}

/// An output in the form that lists of the wallet have.
pub(crate) fn wallet_outpoint(from: &lnrpc::OutPoint) -> Result<OutPoint, BackendError> {
    let txid: Txid = match from.txid_str.is_empty() {
        true => {
            let bytes = from.txid_bytes.as_slice().try_into();
            Txid::from_bytes(bytes.map_err(|_| unclear("a txid", "of another length"))?)
        }
        false => from
            .txid_str
            .parse()
            .map_err(|_| unclear("a txid", &from.txid_str))?,
    };
    Ok(OutPoint {
        txid,
        vout: from.output_index,
    })
}

/// BOLT 2: the funding's txid, its last two bytes xored with the output's index.
pub(crate) fn channel_id(funding: &OutPoint) -> ChannelId {
    let mut bytes = *funding.txid.as_bytes();
    let index = (funding.vout as u16).to_be_bytes();
    for (byte, part) in bytes.iter_mut().rev().zip(index.iter().rev()) {
        *byte ^= part;
    }
    ChannelId::from_bytes(bytes)
}

/// The real place in the chain, never an alias.
pub(crate) fn scid(channel: &lnrpc::Channel) -> Option<ShortChannelId> {
    let said = match channel.zero_conf_confirmed_scid {
        0 => channel.chan_id,
        confirmed => confirmed,
    };
    let scid = ShortChannelId::from_u64(said);
    (said != 0 && scid.block() < ALIAS_BLOCK).then_some(scid)
}

/// BOLT 9 bits as they travel: big-endian, without leading zeros.
pub(crate) fn features(bits: &HashMap<u32, lnrpc::Feature>) -> Vec<u8> {
    let known = bits.keys().filter(|bit| **bit < FEATURE_BITS_MAX);
    let Some(highest) = known.clone().max() else {
        return Vec::new();
    };
    let mut bytes = vec![0u8; *highest as usize / 8 + 1];
    let length = bytes.len();
    for bit in known {
        if let Some(byte) = bytes.get_mut(length - 1 - *bit as usize / 8) {
            *byte |= 1 << (bit % 8);
        }
    }
    bytes
}

pub(crate) fn sat(amount: i64) -> Sat {
    Sat::new(u64::try_from(amount).unwrap_or_default())
}

pub(crate) fn msat(amount: i64) -> Msat {
    Msat::new(u64::try_from(amount).unwrap_or_default())
}

/// `None` where a field does not fit what BOLT 7 can carry.
pub(crate) fn policy(from: &lnrpc::RoutingPolicy) -> Option<ChannelPolicy> {
    Some(ChannelPolicy {
        base: Msat::new(u32::try_from(from.fee_base_msat).ok()?.into()),
        rate: Ppm::new(from.fee_rate_milli_msat.try_into().ok()?),
        cltv_delta: from.time_lock_delta.try_into().ok()?,
        htlc_minimum: Msat::new(from.min_htlc.try_into().ok()?),
        htlc_maximum: Msat::new(from.max_htlc_msat),
        disabled: from.disabled,
        inbound_base_msat: from.inbound_fee_base_msat,
        inbound_ppm: from.inbound_fee_rate_milli_msat,
    })
}

/// What each end of a channel asks for: that of `own` first.
pub(crate) fn policies(
    edge: &lnrpc::ChannelEdge,
    own: &NodeId,
) -> (Option<ChannelPolicy>, Option<ChannelPolicy>) {
    let [first, second] =
        [&edge.node1_policy, &edge.node2_policy].map(|said| said.as_ref().and_then(policy));
    match edge.node1_pub == own.to_string() {
        true => (first, second),
        false => (second, first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channel_ids_mix_in_the_output() {
        let mut bytes = [0u8; 32];
        bytes[31] = 0b1000;
        let funding = OutPoint {
            txid: Txid::from_bytes(bytes),
            vout: 0x0103,
        };
        let id = channel_id(&funding).to_bytes();
        assert_eq!((id[30], id[31]), (0x01, 0b1011));
    }

    #[test]
    fn aliases_are_no_place() {
        let mut channel = lnrpc::Channel {
            chan_id: ShortChannelId::new(16_000_001, 2, 3).unwrap().to_u64(),
            ..Default::default()
        };
        assert_eq!(scid(&channel), None);
        channel.zero_conf_confirmed_scid = ShortChannelId::new(800_000, 1, 0).unwrap().to_u64();
        assert_eq!(scid(&channel).unwrap().to_string(), "800000x1x0");
        assert_eq!(scid(&lnrpc::Channel::default()), None);
    }

    #[test]
    fn features_travel_big_endian() {
        let bits = |list: &[u32]| -> HashMap<u32, lnrpc::Feature> {
            list.iter().map(|bit| (*bit, lnrpc::Feature {})).collect()
        };
        assert_eq!(features(&bits(&[0, 9, 23])), [0b1000_0000, 0b10, 1]);
        assert_eq!(features(&bits(&[])), Vec::<u8>::new());
        assert_eq!(features(&bits(&[u32::MAX, 1])), [2]);
    }

    #[test]
    fn policies_that_no_gossip_carries_are_none() {
        let fits = lnrpc::RoutingPolicy {
            fee_base_msat: 1_000,
            time_lock_delta: 80,
            inbound_fee_rate_milli_msat: -5,
            ..Default::default()
        };
        assert_eq!(policy(&fits).unwrap().inbound_ppm, -5);
        let too_much = lnrpc::RoutingPolicy {
            fee_base_msat: 1 << 40,
            ..fits
        };
        assert_eq!(policy(&too_much), None);
        let negative = lnrpc::RoutingPolicy {
            min_htlc: -1,
            ..fits
        };
        assert_eq!(policy(&negative), None);
    }
}
