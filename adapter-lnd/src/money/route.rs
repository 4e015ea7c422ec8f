//! Routes in LND's form, and how an attempt along one ended.

use super::unknown;
use crate::connect::{Link, is_lost};
use crate::proto::lnrpc::htlc_attempt::HtlcStatus;
use crate::proto::lnrpc::{Failure, Hop, HtlcAttempt, MppRecord, Route};
use crate::proto::routerrpc::SendToRouteRequest;
use hive_node::backend::{ActError, Fault, NotDone};
use hive_types::limits::ROUTE_HOPS;
use hive_types::{BlockHeight, Digest, Msat, RouteHop};
use std::time::Duration;
use tonic::{Response, Status};

/// A route of ours in LND's words. LND counts expiries from the chain's beginning, and names for each hop
/// what the hop after it gets.
pub(super) fn route(
    hops: &[RouteHop],
    tip: BlockHeight,
    payment_addr: Vec<u8>,
) -> Result<Route, NotDone> {
    let (Some(first), Some(last)) = (hops.first(), hops.last()) else {
        return Err(NotDone::new(Fault::Agent, "a route without a hop"));
    };
    if hops.len() > ROUTE_HOPS {
        return Err(NotDone::new(
            Fault::Agent,
            format!("a route of {} hops", hops.len()),
        ));
    }
    let expiry = |hop: &RouteHop| tip.plus(hop.cltv_blocks).get();
    let mut rows = Vec::with_capacity(hops.len());
    for (place, hop) in hops.iter().enumerate() {
        let next = hops.get(place + 1).unwrap_or(last);
        let fee = hop.amount.checked_sub(next.amount);
        let fee = fee.ok_or_else(|| NotDone::new(Fault::Agent, "a route whose amounts grow"))?;
        rows.push(Hop {
            chan_id: hop.channel.to_u64(),
            expiry: expiry(next),
            amt_to_forward_msat: as_i64(next.amount),
            fee_msat: as_i64(fee),
            pub_key: hop.to.to_string(),
            tlv_payload: true,
            mpp_record: None,
        });
    }
    if let Some(row) = rows.last_mut() {
        row.mpp_record = Some(MppRecord {
            total_amt_msat: as_i64(last.amount),
            payment_addr,
        });
    }
    Ok(Route {
        total_time_lock: expiry(first),
        hops: rows,
        total_fees_msat: as_i64(first.amount.saturating_sub(last.amount)),
        total_amt_msat: as_i64(first.amount),
    })
}

fn as_i64(amount: Msat) -> i64 {
    i64::try_from(amount.get()).unwrap_or(i64::MAX)
}

/// How an attempt ended.
pub(super) enum End {
    /// It arrived and cost this.
    Paid(Msat),
    /// It came back.
    Failed(Failure),
}

/// Sends one HTLC along the route, once. Dropping this call stops nothing: LND goes on.
///
/// `None` when it is still under way after `patience`.
pub(super) async fn attempt(
    link: &Link,
    hash: Digest,
    route: Route,
    patience: Duration,
) -> Result<Option<End>, Attempted> {
    let request = SendToRouteRequest {
        payment_hash: hash.as_bytes().to_vec(),
        route: Some(route),
    };
    let mut client = link.router();
    let sending = tokio::spawn(async move { client.send_to_route_v2(request).await });
    let ended = match tokio::time::timeout(patience, sending).await {
        Ok(Ok(ended)) => ended.map(Response::into_inner),
        Ok(Err(error)) => Err(Status::aborted(error.to_string())),
        Err(_) => return Ok(None),
    };
    match ended {
        Ok(attempt) => Ok(as_end(attempt)),
        Err(status) if is_lost(&status) => Err(Attempted::Unknown(status.message().to_owned())),
        Err(status) => {
            let call = "/routerrpc.Router/SendToRouteV2";
            Err(Attempted::Refused(link.error(call, &status).to_string()))
        }
    }
}

/// An attempt that was not answered with its end.
pub(super) enum Attempted {
    /// LND says that it did not do it. Whether it knows the hash tells for certain.
    Refused(String),
    /// Nobody says anything.
    Unknown(String),
}

impl Attempted {
    /// Where nothing further can be asked.
    pub(super) fn or_unknown(self) -> ActError {
        match self {
            Self::Refused(reason) | Self::Unknown(reason) => unknown(reason),
        }
    }
}

fn as_end(attempt: HtlcAttempt) -> Option<End> {
    match attempt.status() {
        HtlcStatus::Succeeded => {
            let fees = attempt.route.map_or(0, |route| route.total_fees_msat);
            Some(End::Paid(crate::convert::msat(fees)))
        }
        HtlcStatus::Failed => Some(End::Failed(attempt.failure.unwrap_or_default())),
        HtlcStatus::InFlight => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hive_types::{NodeId, ShortChannelId};

    fn hop(number: u64, amount: u64, cltv_blocks: u32) -> RouteHop {
        let mut bytes = [number as u8; 33];
        bytes[0] = 2;
        RouteHop {
            channel: ShortChannelId::from_u64(number),
            to: NodeId::from_bytes(bytes).unwrap(),
            amount: Msat::new(amount),
            cltv_blocks,
        }
    }

    #[test]
    fn routes_name_what_the_next_hop_gets() {
        let hops = [hop(1, 1_030, 160), hop(2, 1_010, 80), hop(3, 1_000, 40)];
        let route = route(&hops, BlockHeight::new(500), vec![9; 32]).unwrap();
        assert_eq!((route.total_amt_msat, route.total_fees_msat), (1_030, 30));
        assert_eq!(route.total_time_lock, 660);
        let rows: Vec<_> = route
            .hops
            .iter()
            .map(|hop| (hop.amt_to_forward_msat, hop.fee_msat, hop.expiry))
            .collect();
        assert_eq!(rows, [(1_010, 20, 580), (1_000, 10, 540), (1_000, 0, 540)]);
        let record = route.hops[2].mpp_record.as_ref().unwrap();
        assert_eq!(record.total_amt_msat, 1_000);
        assert!(route.hops[..2].iter().all(|hop| hop.mpp_record.is_none()));
    }

    #[test]
    fn impossible_routes_are_refused() {
        let tip = BlockHeight::new(1);
        assert!(route(&[], tip, vec![]).is_err());
        assert!(route(&[hop(1, 5, 40), hop(2, 6, 40)], tip, vec![]).is_err());
        assert!(route(&[hop(1, 5, 40); ROUTE_HOPS + 1], tip, vec![]).is_err());
    }
}
