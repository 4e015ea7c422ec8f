//! Setting what one channel asks for, complete, and reading it back.

use super::unknown;
use crate::connect::{Link, is_lost};
use crate::convert::{outpoint, policies, scid};
use crate::info;
use crate::proto::lnrpc::policy_update_request::Scope;
use crate::proto::lnrpc::{
    ChannelPoint, InboundFee, PolicyUpdateRequest, PolicyUpdateResponse, channel_point,
};
use crate::snapshot::{channels, edge};
use hive_node::backend::{ActError, BackendError, Done, Fault, NotDone, Prepared, Reconciled};
use hive_types::{ChannelPolicy, OutPoint, SetPolicy, ShortChannelId};
use std::time::Duration;

/// How often the policy is read back. LND writes it within milliseconds.
const LOOKS: usize = 40;

/// The span between two of these.
const LOOK: Duration = Duration::from_millis(250);

/// A channel and what it asks for now.
struct Found {
    funding: OutPoint,
    policy: Option<ChannelPolicy>,
}

async fn find(link: &Link, wanted: ShortChannelId) -> Result<Option<Found>, BackendError> {
    let own = info::own_id(&info::ask(link).await?)?;
    let open = channels(link).await?.open;
    let Some(channel) = open.iter().find(|channel| scid(channel) == Some(wanted)) else {
        return Ok(None);
    };
    let edge = edge(link, channel.chan_id).await?;
    Ok(Some(Found {
        funding: outpoint(&channel.channel_point)?,
        policy: edge.and_then(|edge| policies(&edge, &own).0),
    }))
}

/// LND itself decides whether a direction is disabled.
fn same(now: Option<&ChannelPolicy>, wanted: &ChannelPolicy) -> bool {
    now.is_some_and(|now| {
        let disabled = wanted.disabled;
        ChannelPolicy { disabled, ..*now } == *wanted
    })
}

pub(super) async fn prepare(link: &Link, set: &SetPolicy) -> Result<Prepared, NotDone> {
    let found = find(link, set.channel).await.map_err(NotDone::from)?;
    let found = found.ok_or_else(|| no_channel(set.channel))?;
    Ok(Prepared::Policy {
        channel: set.channel,
        policy: set.policy,
        before: found.policy,
    })
}

fn no_channel(scid: ShortChannelId) -> NotDone {
    NotDone::new(Fault::Agent, format!("there is no open channel {scid}"))
}

pub(super) async fn execute(
    link: &Link,
    set: &SetPolicy,
    before: Option<ChannelPolicy>,
) -> Result<Done, ActError> {
    let found = find(link, set.channel).await.map_err(NotDone::from)?;
    let found = found.ok_or_else(|| no_channel(set.channel))?;
    if same(found.policy.as_ref(), &set.policy) {
        return Ok(Done::Set { before });
    }
    let mut client = link.lightning();
    let said = link
        .wait(client.update_channel_policy(request(&found.funding, &set.policy)))
        .await;
    match said {
        Ok(said) => refused(&said)?,
        Err(status) if is_lost(&status) => return Err(unknown(status.message())),
        Err(status) => {
            let call = "/lnrpc.Lightning/UpdateChannelPolicy";
            return Err(NotDone::from(link.error(call, &status)).into());
        }
    }
    for _ in 0..LOOKS {
        let now = find(link, set.channel).await;
        let now = now.map_err(|reason| unknown(reason.to_string()))?;
        if same(now.and_then(|now| now.policy).as_ref(), &set.policy) {
            return Ok(Done::Set { before });
        }
        tokio::time::sleep(LOOK).await;
    }
    Err(unknown("LND took the policy, and does not show it"))
}

fn request(funding: &OutPoint, policy: &ChannelPolicy) -> PolicyUpdateRequest {
    let txid = funding.txid.as_bytes().to_vec();
    PolicyUpdateRequest {
        scope: Some(Scope::ChanPoint(ChannelPoint {
            funding_txid: Some(channel_point::FundingTxid::FundingTxidBytes(txid)),
            output_index: funding.vout,
        })),
        base_fee_msat: i64::try_from(policy.base.get()).unwrap_or(i64::MAX),
        fee_rate_ppm: policy.rate.get(),
        time_lock_delta: policy.cltv_delta.into(),
        max_htlc_msat: policy.htlc_maximum.get(),
        min_htlc_msat: policy.htlc_minimum.get(),
        min_htlc_msat_specified: true,
        inbound_fee: Some(InboundFee {
            base_fee_msat: policy.inbound_base_msat,
            fee_rate_ppm: policy.inbound_ppm,
        }),
    }
}

fn refused(said: &PolicyUpdateResponse) -> Result<(), NotDone> {
    match said.failed_updates.first() {
        Some(failed) => Err(NotDone::new(
            Fault::Agent,
            format!("LND refused the policy: {}", failed.update_error),
        )),
        None => Ok(()),
    }
}

pub(super) async fn reconcile(
    link: &Link,
    channel: ShortChannelId,
    policy: &ChannelPolicy,
    before: Option<ChannelPolicy>,
) -> Result<Reconciled, BackendError> {
    let now = find(link, channel).await?.and_then(|found| found.policy);
    Ok(match same(now.as_ref(), policy) {
        true => Reconciled::Done(Done::Set { before }),
        false => Reconciled::NotDone,
    })
}
