//! What a fellow does on the wire and in the chain that no honest one does: forged signatures, floods,
//! forks that stay open, two acceptances in one ballot, locks that nobody uses.
//!
//! What is not proven by signatures is blamed on the neighbour that handed it over, as BOLT 8 names it:
//! an honest one passes on only what it has verified itself.

use crate::hive::{Hive, Stage};
use crate::judge::Judgement;
use crate::member::Membership;
use hive_policy::conduct::FlagKind;
use hive_proto::{RecordKind, Sealed, Slot};
use hive_state::merged::Standing;
use hive_types::limits::{
    FELLOW_FRAMES_PER_MINUTE, FLOOD_SPAN, FORGERIES, FORGERY_WINDOW, FORK_GRACE, HEARTBEAT_STALE,
    IDLE_LOCKS, LOCK_KEPT_BLOCKS, LOCK_START_BLOCKS, LOCK_WORD_BLOCKS,
};
use hive_types::{BlockHeight, Elapsed, Millis, NodeId};
use std::collections::{BTreeMap, VecDeque};

/// How often what needs patience is looked at.
const LOOK: Millis = Millis::from_secs(60);

/// What was seen and has made no blame yet. A restart begins anew: to the fellows' favour.
#[derive(Default)]
pub(crate) struct Misconduct {
    forgeries: BTreeMap<NodeId, VecDeque<Elapsed>>,
    floods: BTreeMap<NodeId, Flood>,
    /// How long authors of open forks were connected since.
    forks: BTreeMap<NodeId, Millis>,
    /// Locks that their holders neither used nor gave back, by the decision that granted them.
    idle: BTreeMap<NodeId, BTreeMap<Slot, Idle>>,
    looked: Option<Elapsed>,
    /// Items whose signatures failed in this run.
    forged_items: u64,
}

/// A lock that its holder neither used nor gave back.
#[derive(Clone, Copy)]
struct Idle {
    /// The height at which it was found idle.
    since: BlockHeight,
    /// The newest decision then.
    head: Slot,
}

impl Idle {
    /// As many locks as this one counts for: one that is kept although the fleet decided other things
    /// since, so that it could have been given back, is as bad as another one taken.
    fn counts(&self, height: BlockHeight, head: Slot) -> usize {
        let is_kept = height >= self.since.plus(LOCK_KEPT_BLOCKS) && head > self.head;
        1 + usize::from(is_kept)
    }
}

/// Frames refused without a pause.
struct Flood {
    since: Elapsed,
    last: Elapsed,
}

impl Flood {
    /// Whether refusals go on for longer than one window of the quota explains.
    fn goes_on(flood: Option<&Flood>, now: Elapsed) -> (Flood, bool) {
        let since = flood
            .filter(|flood| now.since(flood.last) < FLOOD_SPAN)
            .map_or(now, |flood| flood.since);
        (Flood { since, last: now }, now.since(since) >= FLOOD_SPAN)
    }
}

impl Misconduct {
    /// Items whose signatures failed so far, for [`Misconduct::was_forged`].
    pub(crate) const fn forgeries(&self) -> u64 {
        self.forged_items
    }

    /// Whether one more came since.
    pub(crate) const fn was_forged(&self, before: u64) -> bool {
        self.forged_items != before
    }

    pub(crate) const fn note_forgery(&mut self) {
        self.forged_items += 1;
    }

    /// Counts a forgery; the number within the window once that is enough.
    fn forged(&mut self, by: NodeId, now: Elapsed) -> bool {
        let times = self.forgeries.entry(by).or_default();
        times.retain(|at| now.since(*at) < FORGERY_WINDOW);
        times.push_back(now);
        if times.len() > FORGERIES {
            times.pop_front();
        }
        times.len() >= FORGERIES
    }

    fn retain(&mut self, is_kept: impl Fn(&NodeId) -> bool) {
        self.forgeries.retain(|node, _| is_kept(node));
        self.floods.retain(|node, _| is_kept(node));
        self.forks.retain(|node, _| is_kept(node));
        self.idle.retain(|node, _| is_kept(node));
    }
}

impl Hive {
    /// A fellow handed over something whose signature fails.
    pub(crate) fn forged(&mut self, from: NodeId, author: NodeId) {
        self.bad_peer(from, format!("a signature of {author} that fails"));
        let is_fellow = matches!(&self.stage, Stage::Member(member) if member.is_fellow(&from));
        if is_fellow && self.misconduct.forged(from, self.now.elapsed) {
            let evidence = format!(
                "handed over {FORGERIES} signatures within an hour that fail, the last one of {author}"
            );
            self.flag(from, FlagKind::Forgery, &evidence);
        }
    }

    /// A fellow's frame was refused, as it sent more than is looked at.
    pub(crate) fn flooded(&mut self, from: NodeId) {
        let now = self.now.elapsed;
        let (flood, goes_on) = Flood::goes_on(self.misconduct.floods.get(&from), now);
        let lasts = now.since(flood.since).get() / 1_000;
        self.misconduct.floods.insert(from, flood);
        if goes_on {
            let evidence = format!(
                "more than {FELLOW_FRAMES_PER_MINUTE} frames a minute for {lasts} s without a pause"
            );
            self.flag(from, FlagKind::Flooding, &evidence);
        }
    }

    /// A member signed two acceptances in one ballot. Who finds it hands both on, once.
    pub(crate) fn accepted_twice(&mut self, acceptor: NodeId, slot: Slot, proof: [Sealed; 2]) {
        if self.flags.has(&acceptor, FlagKind::DoubleAcceptance) {
            return;
        }
        let evidence = format!(
            "signed two acceptances in one ballot of decision {}",
            slot.0
        );
        self.flag(acceptor, FlagKind::DoubleAcceptance, &evidence);
        let Stage::Member(member) = &self.stage else {
            return;
        };
        let told: Vec<NodeId> = member.fellows().filter(|node| *node != acceptor).collect();
        for fellow in told {
            for sealed in &proof {
                self.send_statement(fellow, sealed.clone());
            }
        }
    }

    /// What needs time to show.
    pub(crate) fn tend_misconduct(&mut self) {
        let now = self.now.elapsed;
        let before = self.misconduct.looked.unwrap_or(now);
        if self.misconduct.looked.is_some() && now.since(before) < LOOK {
            return;
        }
        self.misconduct.looked = Some(now);
        let Stage::Member(member) = &self.stage else {
            return;
        };
        self.misconduct.retain(|node| member.is_fellow(node));
        self.tend_forks(now.since(before));
        self.tend_idle_locks();
    }

    /// A restored backup closes its fork as soon as it hears of it; whoever leaves it open lies.
    fn tend_forks(&mut self, passed: Millis) {
        let Stage::Member(member) = &self.stage else {
            return;
        };
        let mut blamed = Vec::new();
        let mut cleared = Vec::new();
        for node in member.fellows() {
            match member.merged.standing(&node) {
                Some(Standing::Equivocator) => {
                    let text =
                        "closed two forks with new epochs, too close to each other for backups";
                    blamed.push((node, text.to_owned()));
                }
                Some(Standing::Forked) => {
                    let open = self.misconduct.forks.entry(node).or_default();
                    if self.peers.is_connected(&node) {
                        *open = Millis::new(open.get().saturating_add(passed.get()));
                    }
                    let version = member
                        .merged
                        .proofs(&node)
                        .last()
                        .map(|proof| proof.version());
                    if let Some(version) = version.filter(|_| *open >= FORK_GRACE) {
                        let text = format!(
                            "signed two records under version {version} and closes the fork by no new epoch"
                        );
                        blamed.push((node, text));
                    }
                }
                _ => {
                    self.misconduct.forks.remove(&node);
                    if self.flags.has(&node, FlagKind::Equivocation) {
                        cleared.push(node);
                    }
                }
            }
        }
        for (node, evidence) in blamed {
            self.flag(node, FlagKind::Equivocation, &evidence);
        }
        for node in cleared {
            self.unflag(node, FlagKind::Equivocation);
        }
    }

    /// A holder that may not start its open any more, is heard of, and neither told of a funding nor gave
    /// the lock back, squats on it.
    fn tend_idle_locks(&mut self) {
        let (Stage::Member(member), Some(local)) = (&self.stage, &self.local) else {
            return;
        };
        if !local.synced || !member.decider.takes_part() {
            return;
        }
        let judge = Judgement::new(
            self.now,
            self.local.as_ref(),
            self.graph.as_deref(),
            &member.merged,
            &self.flags,
        );
        let mut squatters = Vec::new();
        let mut idle_of = std::mem::take(&mut self.misconduct.idle);
        for (target, lock) in member.folded().locks() {
            if !member.is_fellow(&lock.holder) {
                continue;
            }
            let is_heard = self.is_heard(member, &lock.holder);
            let idle = idle_of.entry(lock.holder).or_default();
            if judge.is_used(lock, target) {
                // In a row: what it used in between starts the count anew.
                idle.retain(|slot, _| *slot > lock.slot);
            } else if local.height >= lock.height.plus(LOCK_START_BLOCKS + LOCK_WORD_BLOCKS)
                && is_heard
            {
                let head = member.head();
                let since = local.height;
                idle.entry(lock.slot).or_insert(Idle { since, head });
                while idle.len() > IDLE_LOCKS {
                    idle.pop_first();
                }
                let of_each = idle.values().map(|idle| idle.counts(local.height, head));
                if of_each.sum::<usize>() >= IDLE_LOCKS {
                    squatters.push((lock.holder, *target));
                }
            }
        }
        self.misconduct.idle = idle_of;
        for (holder, target) in squatters {
            let evidence = format!(
                "took locks, the last one on {target}, and neither opened nor gave them back"
            );
            self.flag(holder, FlagKind::Squatting, &evidence);
        }
    }

    /// Whether the holder's agent runs: connected, and with a heartbeat that is fresh.
    fn is_heard(&self, member: &Membership, holder: &NodeId) -> bool {
        let mut beats = member.merged.live(holder).filter(|held| {
            let kind = held.record().fields().kind;
            kind == RecordKind::HEARTBEAT_FULL || kind == RecordKind::HEARTBEAT_CHANGE
        });
        let is_fresh = beats.any(|held| self.now.elapsed.since(held.arrived()) < HEARTBEAT_STALE);
        is_fresh && self.peers.is_connected(holder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> NodeId {
        format!("02{:064x}", 1).parse().unwrap()
    }

    #[test]
    fn three_forgeries_within_an_hour_are_enough_and_two_are_not() {
        let mut seen = Misconduct::default();
        let at = |minutes: u64| Elapsed::new(minutes * 60_000);
        assert!(!seen.forged(node(), at(0)));
        assert!(!seen.forged(node(), at(30)));
        assert!(!seen.forged(node(), at(61)), "the first is forgotten");
        assert!(seen.forged(node(), at(62)));
    }

    #[test]
    fn one_window_of_refusals_is_no_flood() {
        let at = |secs: u64| Elapsed::new(secs * 1_000);
        let (flood, goes_on) = Flood::goes_on(None, at(0));
        assert!(!goes_on);
        let (flood, goes_on) = Flood::goes_on(Some(&flood), at(59));
        assert!(!goes_on);
        let (flood, goes_on) = Flood::goes_on(Some(&flood), at(61));
        assert!(goes_on);
        let (_, goes_on) = Flood::goes_on(Some(&flood), at(200));
        assert!(!goes_on, "a pause ends it");
    }
}
