//! The course of the demo: found, join, be attacked, plan, open, push, crash, leave, agree.

use super::chronicle::Chronicle;
use super::member::Member;
use super::report::Outcome;
use super::story::Story;
use super::trials;
use crate::embedded::Ground;
use crate::failure::Failure;
use hive_core::Reply;
use hive_node::control::CommandName as C;
use hive_proto::Ticket;
use hive_sim::world::World;
use hive_types::{Millis, Tier};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Members that are made full; the others stay probationary. More would only vote more.
const FULL_MEMBERS: usize = 7;

/// Full members that tickets may make, founder counted.
const FULL_BY_TICKET: usize = 3;

/// A machine that is too slow for all hours ends them here, so that the whole stays under a minute.
const WALL_BUDGET: Duration = Duration::from_secs(42);

/// Waiting is done in steps of this.
const STEP: Millis = Millis::from_secs(2);

/// What takes longer than this will not happen.
const PATIENCE: Millis = Millis::from_secs(900);

/// Before the end: one member leaves, the others go on without it.
const LAST_ACT: Millis = Millis::from_secs(1_800);

/// How the trials ended.
#[derive(Default)]
pub(crate) struct Trials(BTreeMap<&'static str, (Outcome, String)>);

impl Trials {
    pub(crate) fn end(&mut self, name: &'static str, held: bool, how: String) {
        let outcome = if held { Outcome::Held } else { Outcome::Failed };
        self.0.insert(name, (outcome, how));
    }

    pub(crate) fn outcomes(&self) -> BTreeMap<&'static str, Outcome> {
        let outcomes = self.0.iter();
        outcomes
            .map(|(name, (outcome, _))| (*name, *outcome))
            .collect()
    }

    pub(crate) fn details(&self) -> BTreeMap<&'static str, String> {
        let details = self.0.iter();
        details
            .map(|(name, (_, how))| (*name, how.clone()))
            .collect()
    }
}

/// Everything on the stage.
pub(crate) struct Show {
    pub(crate) ground: Arc<Ground>,
    pub(crate) story: Arc<Story>,
    pub(crate) members: Vec<Member>,
    pub(crate) stranger: Member,
    pub(crate) seed: u64,
    /// Nodes and channels of the network at the beginning.
    pub(crate) size: (usize, usize),
    pub(crate) length: Millis,
    pub(crate) started: Instant,
    pub(crate) trials: Trials,
    pub(crate) chronicle: Chronicle,
    /// Tickets by the member that used them.
    pub(crate) tickets: Vec<Ticket>,
    /// The digest that all agreed on at the end.
    pub(crate) agreed: Option<String>,
    /// Payments that people made while they did.
    pub(crate) payments: u64,
    /// Places of members that have left.
    pub(crate) gone: Vec<usize>,
}

impl Show {
    /// Plays everything, from founding to the last agreement.
    pub(crate) async fn play(&mut self) -> Result<(), Failure> {
        self.start_all()?;
        self.found_and_join().await?;
        self.promote().await?;
        trials::tickets(self).await?;
        trials::same_target(self).await?;
        self.let_go().await?;
        trials::crash(self).await?;
        self.pass_the_time(LAST_ACT).await?;
        trials::leave(self).await?;
        self.pass_the_time(Millis::ZERO).await?;
        self.agree().await?;
        self.remember()
    }

    pub(crate) fn payments(&self, world: &World) -> u64 {
        self.payments.max(world.traffic_totals().succeeded)
    }

    fn start_all(&mut self) -> Result<(), Failure> {
        for member in self.members.iter_mut().chain([&mut self.stranger]) {
            member.start(&self.ground, &self.story)?;
        }
        Ok(())
    }

    async fn found_and_join(&mut self) -> Result<(), Failure> {
        self.command(0, C::HiveInit, Value::Null).await?;
        if !self.until_member(0).await {
            return Err(Failure::Internal("the founder founds no fleet".into()));
        }
        let last = self.members.len() - 1;
        for place in 1..=last {
            let tier = if place < FULL_BY_TICKET {
                "full"
            } else {
                "probationary"
            };
            let ticket = self.invite(tier).await?;
            let params = json!({"ticket": ticket.to_string()});
            self.tickets.push(ticket);
            if place == last {
                trials::flood(self, params).await?;
            } else {
                self.command(place, C::HiveJoin, params).await?;
                if !self.until_member(place).await {
                    let text = format!("{} was not let in", self.members[place].name);
                    self.story.tell(&text);
                }
            }
        }
        self.remember()
    }

    pub(crate) async fn invite(&self, tier: &str) -> Result<Ticket, Failure> {
        let reply = self.members[0]
            .ask(C::HiveInvite, json!({"tier": tier}))
            .await;
        match reply {
            Ok(Reply::Ticket(text)) => text
                .parse()
                .map_err(|error| Failure::Internal(format!("the founder's ticket: {error}"))),
            other => Err(Failure::Internal(format!("no ticket: {other:?}"))),
        }
    }

    /// Full members vouch for the others.
    async fn promote(&mut self) -> Result<(), Failure> {
        let count = self.members.len().min(FULL_MEMBERS);
        for place in FULL_BY_TICKET..count {
            let node = json!({"node": self.members[place].node.to_string()});
            for voter in 0..place {
                self.command(voter, C::HiveVouch, node.clone()).await?;
            }
            let is_full = async |show: &Self| {
                let status = show.members[place].status().await;
                status.is_some_and(|status| status.tier == Some(Tier::Full))
            };
            if !self.until(PATIENCE, is_full).await {
                let text = format!("{} is not made full", self.members[place].name);
                self.story.tell(&text);
            }
        }
        Ok(())
    }

    /// The operators read what was proposed, decline it, and let their agents act by themselves.
    async fn let_go(&mut self) -> Result<(), Failure> {
        for place in 0..self.members.len() {
            for id in trials::pending(&self.members[place]).await.into_values() {
                let params = json!({"id": id.to_string(), "reason": "autonomous from now on"});
                // What ran out meanwhile needs no rejection.
                let _ = self.members[place].call(C::HiveReject, params).await;
            }
            self.command(place, C::HiveMode, json!({"mode": "autonomous"}))
                .await?;
        }
        self.story
            .tell("-- all operators switch to autonomous, within their limits");
        Ok(())
    }

    /// The fleet works by itself until this long before the end.
    async fn pass_the_time(&mut self, before: Millis) -> Result<(), Failure> {
        let until = Millis::new(self.length.get().saturating_sub(before.get()));
        let mut next = Millis::ZERO;
        while self.story.elapsed() < until && self.started.elapsed() < WALL_BUDGET {
            if self.story.elapsed() >= next {
                next = Millis::new(self.story.elapsed().get() + 3_600_000);
                self.remember()?;
                self.tell_state().await;
            }
            self.pause(Millis::from_secs(30)).await;
        }
        if self.story.elapsed() < until && before != Millis::ZERO {
            self.story
                .tell("-- this machine is slow: fewer hours than asked for");
        }
        Ok(())
    }

    async fn tell_state(&self) {
        let mut states = Vec::new();
        for member in &self.members {
            states.extend(member.status().await.map(|status| status.state));
        }
        let same = states.windows(2).all(|pair| pair[0] == pair[1]);
        let (opened, earned) = {
            let world = self.ground.world();
            let opens = super::audit::opens(&world, &self.members);
            let earned = self.members.iter();
            let earned = earned.map(|member| world.fees_earned(member.node).unwrap_or_default());
            (opens.fundings.len(), earned.sum::<hive_types::Msat>())
        };
        let bytes: u64 = self
            .members
            .iter()
            .map(|member| member.backend.meter().bytes)
            .sum();
        let agree = if same {
            "all agree"
        } else {
            "gossip under way"
        };
        self.story.tell(&format!(
            "-- {opened} channels opened, {earned} earned, {bytes} bytes of gossip, {agree}"
        ));
    }

    /// People stop paying; then all that stayed must come to hold the same.
    async fn agree(&mut self) -> Result<(), Failure> {
        {
            let mut world = self.ground.world();
            self.payments = world.traffic_totals().succeeded;
            world.set_traffic(None);
        }
        let begun = self.ground.now();
        let limit = Millis::from_secs(1_800);
        while self.ground.now() < begun.plus(limit) && self.agreed.is_none() {
            self.pause(STEP).await;
            self.agreed = self.common_state().await;
        }
        let text = match &self.agreed {
            Some(_) => "-- all that stayed hold the same records and decisions",
            None => "-- the members do not come to agree",
        };
        self.story.tell(text);
        Ok(())
    }

    async fn common_state(&self) -> Option<String> {
        let mut common = None;
        for place in self.staying() {
            let status = self.members[place].status().await?;
            let state = (status.head, status.state);
            if *common.get_or_insert(state.clone()) != state {
                return None;
            }
        }
        common.map(|(_, state)| state)
    }

    /// Places of members that have not left.
    pub(crate) fn staying(&self) -> Vec<usize> {
        let places = 0..self.members.len();
        places.filter(|place| !self.gone.contains(place)).collect()
    }

    /// Reads the decisions from every store.
    pub(crate) fn remember(&mut self) -> Result<(), Failure> {
        for member in &self.members {
            if let Some(store) = member.store() {
                self.chronicle.read(&member.name, store)?;
            }
        }
        Ok(())
    }

    /// A command that must work.
    pub(crate) async fn command(
        &self,
        place: usize,
        command: C,
        params: Value,
    ) -> Result<Value, Failure> {
        let member = &self.members[place];
        let reply = member.call(command, params).await;
        reply.map_err(|error| Failure::Internal(format!("{} {command}: {error}", member.name)))
    }

    pub(crate) async fn until_member(&self, place: usize) -> bool {
        self.until(PATIENCE, async |show: &Self| {
            let status = show.members[place].status().await;
            status.is_some_and(|status| status.stage == "member" && status.tier.is_some())
        })
        .await
    }

    /// Lets time pass until something is so; `false` when it is not within `limit`.
    pub(crate) async fn until(&self, limit: Millis, is_so: impl AsyncFn(&Self) -> bool) -> bool {
        let end = self.ground.now().plus(limit);
        loop {
            if is_so(self).await {
                return true;
            }
            if self.ground.now() >= end {
                return false;
            }
            self.pause(STEP).await;
        }
    }

    pub(crate) async fn pause(&self, span: Millis) {
        self.ground.time().sleep(span).await;
        self.story.tick();
    }
}
