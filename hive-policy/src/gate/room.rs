//! What earlier spending leaves for one more action.

use super::{ledger::Usage, rules::Want};
use crate::{limits::Limits, refusal::Refusal};
use hive_types::{ActionKind, LocalSnapshot, limits::UNSETTLED_ACTIONS};

/// How many actions.
pub(super) fn check_counts(limits: &Limits, usage: &Usage, want: &Want) -> Result<(), Refusal> {
    if usage.unsettled >= UNSETTLED_ACTIONS {
        return Err(Refusal::Unsettled {
            limit: UNSETTLED_ACTIONS,
        });
    }
    if usage.actions >= limits.actions_per_hour {
        return Err(Refusal::ActionsPerHour {
            actions: usage.actions,
            limit: limits.actions_per_hour,
        });
    }
    let is_send = matches!(want.kind, ActionKind::Rebalance | ActionKind::Probe);
    if is_send && usage.sends >= limits.sends_per_hour {
        return Err(Refusal::SendsPerHour {
            sends: usage.sends,
            limit: limits.sends_per_hour,
        });
    }
    if want.kind == ActionKind::Open && usage.opens >= limits.opens_per_day {
        return Err(Refusal::OpensPerDay {
            opens: usage.opens,
            limit: limits.opens_per_day,
        });
    }
    Ok(())
}

/// How much. Sums saturate above every limit; what takes nothing is not held up by others.
pub(super) fn check_money(limits: &Limits, usage: &Usage, want: &Want) -> Result<(), Refusal> {
    let (cost, used) = (want.cost, usage.cost());
    let budget = limits.budget_per_day;
    if !cost.is_zero() && used.saturating_add(cost) > budget.to_msat_saturating() {
        return Err(Refusal::Budget { cost, used, budget });
    }
    let (capital, used, limit) = (want.capital, usage.capital, limits.capital_per_day);
    if !capital.is_zero() && used.saturating_add(capital) > limit {
        return Err(Refusal::Capital {
            capital,
            used,
            limit,
        });
    }
    let (amount, used, limit) = (want.in_flight, usage.in_flight, limits.max_in_flight);
    if !amount.is_zero() && used.saturating_add(amount) > limit {
        return Err(Refusal::InFlight {
            amount,
            used,
            limit,
        });
    }
    Ok(())
}

/// What the node has on chain. Unconfirmed money does not count.
pub(super) fn check_on_chain(
    limits: &Limits,
    usage: &Usage,
    want: &Want,
    local: &LocalSnapshot,
) -> Result<(), Refusal> {
    if want.kind != ActionKind::Open {
        return Ok(());
    }
    let need = want.capital.saturating_add(want.cost.to_sat_ceil());
    let (confirmed, held) = (local.on_chain.confirmed, usage.on_chain);
    let reserve = limits.on_chain_reserve.max(local.on_chain.reserve);
    if need > confirmed.saturating_sub(reserve).saturating_sub(held) {
        return Err(Refusal::Reserve {
            need,
            confirmed,
            reserve,
            held,
        });
    }
    Ok(())
}
