//! Contradictions, one by one.

use super::*;
use hive_types::{ActionKind, FeeratePerKw, Msat, Ppm, Sat};

fn with(change: impl FnOnce(&mut LimitSettings)) -> Result<Limits, LimitsError> {
    let mut settings = LimitSettings::default();
    change(&mut settings);
    Limits::new(settings)
}

#[test]
fn defaults_agree_with_each_other() {
    assert_eq!(with(|_| ()), Ok(Limits::default()));
}

#[test]
fn contradictions_name_both_sides() {
    let cases: [(Result<Limits, LimitsError>, [&str; 2]); 17] = [
        (
            with(|s| s.budget_per_day = Sat::new(4_999)),
            ["cost_per_action", "budget_per_day"],
        ),
        (
            with(|s| s.rebalance_fee = Msat::new(5_000_001)),
            ["rebalance_fee", "cost_per_action"],
        ),
        (
            with(|s| s.channel_min = Sat::new(5_000_001)),
            ["channel_min", "channel_max"],
        ),
        (
            with(|s| s.capital_per_day = Sat::new(4_999_999)),
            ["channel_max", "capital_per_day"],
        ),
        (
            with(|s| s.opens_per_day = 721),
            ["opens_per_day", "actions_per_hour"],
        ),
        (
            with(|s| s.budget_per_day = Sat::new(u64::MAX)),
            ["budget_per_day", "all bitcoin"],
        ),
        (
            with(|s| s.min_confidence = Ppm::new(1_000_001)),
            ["min_confidence", "1000000"],
        ),
        (with(|s| s.max_cltv = 2_017), ["max_cltv", "2016"]),
        (
            with(|s| s.feerate_ceiling = FeeratePerKw::new(252)),
            ["feerate_ceiling", "253"],
        ),
        (
            with(|s| s.sends_per_hour = 3_601),
            ["sends_per_hour", "3600"],
        ),
        (
            with(|s| s.open_cooldown_days = 31),
            ["open_cooldown_days", "30"],
        ),
        (
            with(|s| s.rebalance_cooldown_minutes = 61),
            ["rebalance_cooldown_minutes", "60"],
        ),
        (
            with(|s| s.policy_base_min = Msat::new(100_001)),
            ["policy_base_min", "policy_base_max"],
        ),
        (
            with(|s| s.policy_rate_min = Ppm::new(50_001)),
            ["policy_rate_min", "policy_rate_max"],
        ),
        (
            with(|s| s.policy_rate_max = Ppm::new(1_000_001)),
            ["policy_rate_max", "1000000"],
        ),
        (
            with(|s| s.policy_htlc_minimum_max = Msat::new(1_000_001)),
            ["policy_htlc_minimum_max", "policy_htlc_maximum_min"],
        ),
        (
            with(|s| s.policy_base_max = Msat::new(u64::MAX)),
            ["policy_base_max", "all bitcoin"],
        ),
    ];
    for (result, words) in cases {
        let text = result.unwrap_err().to_string();
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
    }
}

#[test]
fn unknown_and_contradicting_keys_are_errors() {
    let error = serde_json::from_str::<Limits>(r#"{"budget_per_dya": 5}"#).unwrap_err();
    assert!(error.to_string().contains("budget_per_dya"), "{error}");
    let error = serde_json::from_str::<Limits>(r#"{"budget_per_day": 5}"#).unwrap_err();
    assert!(error.to_string().contains("cost_per_action"), "{error}");
    let read: Limits = serde_json::from_str(r#"{"opted_out_kinds": ["open"]}"#).unwrap();
    assert!(read.opted_out_kinds.contains(&ActionKind::Open));
    let text = serde_json::to_string(&read).unwrap();
    assert_eq!(serde_json::from_str::<Limits>(&text).unwrap(), read);
}
