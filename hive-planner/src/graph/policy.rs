//! A policy in 40 bytes.

use hive_types::{ChannelPolicy, Msat, Ppm};

const KNOWN: u8 = 1;
const DISABLED: u8 = 2;

/// [`ChannelPolicy`] with the field widths of BOLT 7; all zero where no update is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PackedPolicy {
    htlc_minimum: u64,
    htlc_maximum: u64,
    base: u32,
    rate: u32,
    inbound_base: i32,
    inbound_rate: i32,
    cltv_delta: u16,
    flags: u8,
}

impl PackedPolicy {
    /// `None` when the base fee is beyond the 32 bits that BOLT 7 gives it.
    pub(super) fn pack(policy: &ChannelPolicy) -> Option<Self> {
        Some(Self {
            htlc_minimum: policy.htlc_minimum.get(),
            htlc_maximum: policy.htlc_maximum.get(),
            base: u32::try_from(policy.base.get()).ok()?,
            rate: policy.rate.get(),
            inbound_base: policy.inbound_base_msat,
            inbound_rate: policy.inbound_ppm,
            cltv_delta: policy.cltv_delta,
            flags: KNOWN | if policy.disabled { DISABLED } else { 0 },
        })
    }

    pub(super) fn unpack(&self) -> Option<ChannelPolicy> {
        (self.flags & KNOWN != 0).then(|| ChannelPolicy {
            base: Msat::new(u64::from(self.base)),
            rate: Ppm::new(self.rate),
            cltv_delta: self.cltv_delta,
            htlc_minimum: Msat::new(self.htlc_minimum),
            htlc_maximum: Msat::new(self.htlc_maximum),
            disabled: self.flags & DISABLED != 0,
            inbound_base_msat: self.inbound_base,
            inbound_ppm: self.inbound_rate,
        })
    }

    pub(super) fn inbound(&self) -> (i32, i32) {
        (self.inbound_base, self.inbound_rate)
    }
}
