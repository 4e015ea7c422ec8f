//! Policies of own channels.

use super::{acted, not_read};
use crate::calls::Listpeerchannels;
use crate::rpc::{CallError, Method, Rpc};
use crate::snapshot;
use hive_node::backend::{ActError, BackendError, Done, Fault, NotDone, Prepared, Reconciled};
use hive_types::{ChannelPolicy, Msat, SetPolicy, ShortChannelId};
use serde::Serialize;
use serde::de::IgnoredAny;

/// `setchannel`, complete. The node goes on taking the old fee for ten minutes, until the network has heard
/// of the new one.
#[derive(Debug, Serialize)]
struct SetchannelRequest {
    id: ShortChannelId,
    feebase: Msat,
    feeppm: u32,
    htlcmin: Msat,
    htlcmax: Msat,
}

impl SetchannelRequest {
    fn new(id: ShortChannelId, policy: &ChannelPolicy) -> Self {
        Self {
            id,
            feebase: policy.base,
            feeppm: policy.rate.get(),
            htlcmin: policy.htlc_minimum,
            htlcmax: policy.htlc_maximum,
        }
    }
}

impl Method for SetchannelRequest {
    const NAME: &'static str = "setchannel";
    type Reply = IgnoredAny;
}

pub(super) async fn prepare(rpc: &Rpc, set: &SetPolicy) -> Result<Prepared, NotDone> {
    let before = current(rpc, set.channel).await.map_err(not_read)?;
    let Some(before) = before else {
        let reason = format!("there is no channel {} with a policy", set.channel);
        return Err(NotDone::new(Fault::Agent, reason));
    };
    check(&before, &set.policy)?;
    Ok(Prepared::Policy {
        channel: set.channel,
        policy: set.policy,
        before: Some(before),
    })
}

/// What Core Lightning can't set for one channel.
fn check(before: &ChannelPolicy, wanted: &ChannelPolicy) -> Result<(), NotDone> {
    let refuse = |reason: String| Err(NotDone::new(Fault::Operator, reason));
    if wanted.cltv_delta != before.cltv_delta {
        return refuse(format!(
            "Core Lightning has one cltv_expiry_delta for all channels, {} now; set cltv-delta in its configuration",
            before.cltv_delta
        ));
    }
    if wanted.inbound_base_msat != 0 || wanted.inbound_ppm != 0 {
        return refuse("Core Lightning has no inbound fees; ask for none".into());
    }
    if wanted.disabled {
        return refuse("Core Lightning disables no channel whose peer is there".into());
    }
    Ok(())
}

pub(super) async fn execute(
    rpc: &Rpc,
    set: &SetPolicy,
    before: Option<ChannelPolicy>,
) -> Result<Done, ActError> {
    if let Some(before) = &before {
        check(before, &set.policy)?;
    }
    let wanted = SetchannelRequest::new(set.channel, &set.policy);
    rpc.call(&wanted).await.map_err(acted)?;
    let now = current(rpc, set.channel).await;
    match now {
        Ok(Some(now)) if now == set.policy => Ok(Done::Set { before }),
        Ok(now) => {
            // The node bent a value to what the channel allows. Half a policy is worse than the old one.
            if let Some(before) = &before {
                let back = SetchannelRequest::new(set.channel, before);
                rpc.call(&back).await.map_err(|error| match acted(error) {
                    ActError::NotDone(reason) => super::unknown(reason.reason),
                    unknown => unknown,
                })?;
            }
            let reason = format!("the node set {now:?} instead; the old policy is back");
            Err(NotDone::new(Fault::Agent, reason).into())
        }
        Err(error) => Err(super::unknown(error.to_string())),
    }
}

pub(super) async fn reconcile(
    rpc: &Rpc,
    channel: ShortChannelId,
    policy: ChannelPolicy,
    before: Option<ChannelPolicy>,
) -> Result<Reconciled, BackendError> {
    Ok(match current(rpc, channel).await? {
        Some(now) if now == policy => Reconciled::Done(Done::Set { before }),
        _ => Reconciled::NotDone,
    })
}

/// The channel's policy as the node has it now; `None` without such a channel or policy.
async fn current(rpc: &Rpc, scid: ShortChannelId) -> Result<Option<ChannelPolicy>, CallError> {
    let channels = rpc.call(&Listpeerchannels { id: None }).await?.channels;
    let mut with_scid = channels
        .iter()
        .filter(|channel| channel.short_channel_id == Some(scid));
    let update = with_scid.next().and_then(|channel| channel.updates.local);
    Ok(update.map(snapshot::policy))
}
