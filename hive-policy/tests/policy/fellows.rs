//! Fees among fellows and bans of outsiders.

use crate::common::*;
use hive_policy::bans::{BanError, BanList, effective};
use hive_policy::corridor::{self, FeePlan, SavedFees, fellow_policy, restore_changes};
use hive_policy::{Gate, Mode, Refusal};
use hive_types::{
    ChannelPolicy, FleetView, LocalSnapshot, Millis, Msat, ObservationView, Ppm, Tier, Toxicity,
    UnixMillis,
    limits::{BAN_LIFETIME, BANS, EVIDENCE_LIFETIME},
};

fn fee_changes(fleet: &FleetView, local: &LocalSnapshot, saved: &SavedFees) -> FeePlan {
    corridor::fee_changes(&terms(fleet, saved), local)
}

#[test]
fn t11_fees_are_half_while_probationary_and_nothing_after() {
    let base = ChannelPolicy {
        inbound_base_msat: -100,
        inbound_ppm: 50,
        ..policy(1_001, 300)
    };
    for (me, other) in [
        (Tier::Full, Tier::Probationary),
        (Tier::Probationary, Tier::Full),
        (Tier::Probationary, Tier::Probationary),
    ] {
        let half = fellow_policy(me, &base, other);
        assert_eq!((half.base.get(), half.rate.get()), (500, 150));
        assert_eq!((half.inbound_base_msat, half.inbound_ppm), (-100, 25));
        assert_eq!(half.htlc_maximum, base.htlc_maximum);
    }
    let none = fellow_policy(Tier::Full, &base, Tier::Full);
    assert_eq!((none.base, none.rate), (Msat::ZERO, Ppm::ZERO));
    assert_eq!((none.inbound_base_msat, none.inbound_ppm), (0, 0));
}

#[test]
fn t62_leaving_restores_the_fees_from_before_joining() {
    let (mut local, mut saved) = (two_channels(), SavedFees::new());
    let probation = fleet(&[(ME, Tier::Full), (10, Tier::Probationary)]);
    let plan = fee_changes(&probation, &local, &saved);
    carry_out(&plan, &mut local, &mut saved);
    assert_eq!(
        (fees(&local, 0), fees(&local, 1)),
        ((500, 50), (1_000, 100))
    );
    assert_eq!(fee_changes(&probation, &local, &saved), FeePlan::default());

    let promoted = fleet(&[(ME, Tier::Full), (10, Tier::Full), (11, Tier::Full)]);
    let plan = fee_changes(&promoted, &local, &saved);
    carry_out(&plan, &mut local, &mut saved);
    assert_eq!((fees(&local, 0), fees(&local, 1)), ((0, 0), (0, 0)));
    assert_eq!(fee_changes(&promoted, &local, &saved), FeePlan::default());

    // A splice moves the short channel id; the operator raises htlc_maximum meanwhile.
    local.channels[0].scid = Some(scid(99));
    let mut current = local.channels[0].local_policy.unwrap();
    current.htlc_maximum = Msat::new(1);
    local.channels[0].local_policy = Some(current);
    let plan = restore_changes(&local, &saved);
    carry_out(&plan, &mut local, &mut saved);
    assert_eq!(
        (fees(&local, 0), fees(&local, 1)),
        ((1_000, 100), (1_000, 100))
    );
    let restored = local.channels[0].local_policy.unwrap();
    assert_eq!(restored.htlc_maximum, Msat::new(1));
    let plan = restore_changes(&local, &saved);
    assert!(plan.set.is_empty());
    carry_out(&plan, &mut local, &mut saved);
    assert!(saved.is_empty());
}

#[test]
fn t62_fees_restore_in_any_mode_halted_opted_out_and_outside_of_a_fleet() {
    let (mut local, mut saved) = (two_channels(), SavedFees::new());
    let all = fleet(&[(ME, Tier::Full), (10, Tier::Full)]);
    let plan = fee_changes(&all, &local, &saved);
    carry_out(&plan, &mut local, &mut saved);
    let opted_out = limits(|settings| {
        settings.opted_out_peers.insert(node(10));
        settings
            .opted_out_kinds
            .insert(hive_types::ActionKind::SetPolicy);
    });
    let mut gate = Gate::new(opted_out, Mode::Advisor);
    gate.pause(after(0), Millis::new(DAY));
    gate.stop();
    let set = restore_changes(&local, &saved).set[0].set;
    let mut other = set;
    other.policy.rate = Ppm::new(1);
    let refused = gate.authorize_restore(after(0), id(1), &other, &saved, &local);
    assert!(
        matches!(refused, Err(Refusal::NotSaved { .. })),
        "{refused:?}"
    );
    let permit = gate.authorize_restore(after(0), id(1), &set, &saved, &local);
    assert_eq!(
        permit.unwrap().action(),
        &hive_types::Action::SetPolicy(set)
    );
    let again = gate.authorize_restore(after(0), id(1), &set, &saved, &local);
    assert_eq!(again, Err(Refusal::DuplicateId { id: id(1) }));
    assert!(
        gate.authorize_restore(after(0), id(2), &set, &saved, &local)
            .is_ok()
    );
    let third = gate.authorize_restore(after(0), id(3), &set, &saved, &local);
    assert!(matches!(third, Err(Refusal::UnderWay { .. })), "{third:?}");
}

#[test]
fn t11_joining_consents_to_the_agreed_fee_and_to_no_other() {
    let (local, mut saved) = (two_channels(), SavedFees::new());
    let all = fleet(&[(ME, Tier::Full), (10, Tier::Full)]);
    let plan = fee_changes(&all, &local, &saved);
    let set = plan.set[0].set;
    let proposal = |set| crate::common::proposal(hive_types::Action::SetPolicy(set), 0);
    let standing = full();
    let mut gate = Gate::new(limits(|_| {}), Mode::Advisor);
    let unsaved = gate.authorize_agreed(
        after(0),
        id(1),
        &proposal(set),
        &terms(&all, &saved),
        &local,
        standing,
    );
    assert!(
        matches!(unsaved, Err(Refusal::NotAgreed { .. })),
        "{unsaved:?}"
    );
    saved.extend(plan.save);
    let mut other = set;
    other.policy.rate = Ppm::new(1);
    let refused = gate.authorize_agreed(
        after(0),
        id(1),
        &proposal(other),
        &terms(&all, &saved),
        &local,
        standing,
    );
    assert!(
        matches!(refused, Err(Refusal::NotAgreed { .. })),
        "{refused:?}"
    );
    gate.stop();
    let stopped = gate.authorize_agreed(
        after(0),
        id(1),
        &proposal(set),
        &terms(&all, &saved),
        &local,
        standing,
    );
    assert_eq!(stopped, Err(Refusal::Stopped));
    gate.release();
    let permit = gate.authorize_agreed(
        after(0),
        id(1),
        &proposal(set),
        &terms(&all, &saved),
        &local,
        standing,
    );
    assert_eq!(
        permit.unwrap().action(),
        &hive_types::Action::SetPolicy(set)
    );
}

#[test]
fn former_fellows_pay_again_and_strangers_always_did() {
    let (mut local, mut saved) = (two_channels(), SavedFees::new());
    let both = fleet(&[(ME, Tier::Full), (10, Tier::Full), (11, Tier::Full)]);
    let plan = fee_changes(&both, &local, &saved);
    carry_out(&plan, &mut local, &mut saved);
    let one = fleet(&[(ME, Tier::Full), (11, Tier::Full)]);
    let plan = fee_changes(&one, &local, &saved);
    carry_out(&plan, &mut local, &mut saved);
    assert_eq!((fees(&local, 0), fees(&local, 1)), ((1_000, 100), (0, 0)));
    let nowhere = FleetView::default();
    assert_eq!(fee_changes(&nowhere, &local, &saved), FeePlan::default());
    local.channels.remove(0);
    let plan = fee_changes(&one, &local, &saved);
    assert_eq!(plan.forget, [channel(10).channel_id], "closed");
}

#[test]
fn a_discounted_fee_is_left_alone_while_it_is_near() {
    let (mut local, mut saved) = (two_channels(), SavedFees::new());
    let probation = fleet(&[(ME, Tier::Full), (10, Tier::Probationary)]);
    let plan = fee_changes(&probation, &local, &saved);
    carry_out(&plan, &mut local, &mut saved);
    for (rate, changes) in [(55, 0), (45, 0), (56, 1), (44, 1)] {
        local.channels[0].local_policy = Some(policy(500, rate));
        let plan = fee_changes(&probation, &local, &saved);
        assert_eq!(plan.set.len(), changes, "{rate}");
        assert!(plan.save.is_empty(), "the first save stands");
    }
    let full = fleet(&[(ME, Tier::Full), (10, Tier::Full)]);
    local.channels[0].local_policy = Some(policy(1, 0));
    assert_eq!(
        fee_changes(&full, &local, &saved).set.len(),
        1,
        "zero is exact"
    );
}

fn accusation(author: u8, peer: u8, last_seen: u64) -> ObservationView {
    ObservationView {
        author: node(author),
        peer: node(peer),
        toxicity: Some(Toxicity {
            force_closes: 5,
            stuck_htlcs: 0,
            failure_rate: Ppm::ZERO,
            last_seen: UnixMillis::new(last_seen),
            ..Toxicity::default()
        }),
        opportunity: None,
    }
}

#[test]
fn t48_one_rogue_bans_nobody() {
    let now = after(0);
    let mut fleet = fleet(&[
        (ME, Tier::Full),
        (2, Tier::Full),
        (3, Tier::Full),
        (4, Tier::Probationary),
    ]);
    let mut own = BanList::default();
    let (best, fresh) = (99, START);
    let old = START - EVIDENCE_LIFETIME.get();
    // One rogue, however often it says so; a probationary member; one that is no member.
    fleet.observations = vec![
        accusation(2, best, fresh),
        accusation(2, best, fresh - 1),
        accusation(4, best, fresh),
        accusation(77, best, fresh),
        accusation(3, best, old),
    ];
    assert!(effective(now, &fleet, &own).is_empty());
    fleet.observations.push(accusation(3, best, fresh));
    assert!(effective(now, &fleet, &own).contains(&node(best)));
    own.allow(node(best)).unwrap();
    assert!(effective(now, &fleet, &own).is_empty(), "allow-list first");
    own.disallow(node(best));
    let later = after(EVIDENCE_LIFETIME.get());
    assert!(effective(later, &fleet, &own).is_empty(), "evidence ages");
    // Members are for votes, own evidence is enough, the far future is no date.
    let ahead = START + 3 * DAY;
    fleet.observations = vec![
        accusation(2, 3, fresh),
        accusation(ME, 3, fresh),
        accusation(ME, 98, fresh),
        accusation(2, 97, ahead),
        accusation(3, 97, ahead),
    ];
    let banned: Vec<_> = effective(now, &fleet, &own).into_iter().collect();
    assert_eq!(banned, [node(98)]);
}

#[test]
fn t48_own_bans_expire_and_end_and_change_no_channel() {
    let mut own = BanList::default();
    let until = UnixMillis::new(START + DAY);
    own.ban(after(0), node(10), "fee sniping", until).unwrap();
    assert!(own.is_banned(after(DAY - 1), node(10)));
    assert!(!own.is_banned(after(DAY), node(10)));
    let banned: Vec<_> = effective(after(0), &fleet(&[]), &own).into_iter().collect();
    let gate = Gate::new(wide(|_| ()), Mode::Autonomous);
    let standing = hive_policy::Standing {
        banned: &banned,
        ..full()
    };
    let check = |proposal| gate.check(after(0), id(1), &proposal, &local(), standing);
    let refused = Err(Refusal::PeerBanned { peer: node(10) });
    assert_eq!(check(open(10)), refused);
    assert_eq!(check(probe(10, 1_000)), refused);
    assert_eq!(check(rebalance(30, 10, 1_000_000, 10)), refused);
    assert_eq!(check(set_policy(10, 5)), Ok(()));
    assert!(own.unban(node(10)));
    assert!(!own.is_banned(after(0), node(10)));
}

#[test]
fn bans_have_bounds() {
    let mut own = BanList::default();
    let until = UnixMillis::new(START + DAY);
    let ban = |own: &mut BanList, until| own.ban(after(0), node(10), "", until);
    assert_eq!(ban(&mut own, UnixMillis::new(START)), Err(BanError::Past));
    let too_long = UnixMillis::new(START + BAN_LIFETIME.get() + 1);
    assert_eq!(ban(&mut own, too_long), Err(BanError::TooLong));
    own.allow(node(10)).unwrap();
    assert_eq!(ban(&mut own, until), Err(BanError::Allowed(node(10))));
    let many = |number: usize| {
        let mut bytes = [2; 33];
        bytes[1..9].copy_from_slice(&number.to_be_bytes());
        hive_types::NodeId::from_bytes(bytes).unwrap()
    };
    for number in 0..BANS {
        own.ban(after(0), many(number), "", until).unwrap();
    }
    let full = own.ban(after(0), many(BANS), "", until);
    assert_eq!(full, Err(BanError::Full));
    own.ban(after(DAY), many(BANS), "", UnixMillis::new(START + 2 * DAY))
        .expect("expired ones make room");
    let text = serde_json::to_string(&own).unwrap();
    assert_eq!(serde_json::from_str::<BanList>(&text).unwrap(), own);
}
