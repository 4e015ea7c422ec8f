//! The course of the demo: found, join, be attacked, plan, open, push, crash, leave, agree.

use super::chronicle::Chronicle;
use super::member::Member;
use super::report::Trials;
use super::stage::{STEP, Stage, tier_by_ticket};
use super::trials;
use crate::failure::Failure;
use hive_node::control::CommandName as C;
use hive_proto::Ticket;
use hive_sim::world::World;
use hive_types::Millis;
use serde_json::json;
use std::time::{Duration, Instant};

/// Members that are made full; the others stay probationary. More would only vote more.
const FULL_MEMBERS: usize = 7;

/// A machine that is too slow for all hours ends them here, so that the whole stays under a minute.
const WALL_BUDGET: Duration = Duration::from_secs(42);

/// Before the end: one member leaves, the others go on without it.
const LAST_ACT: Millis = Millis::from_secs(1_800);

/// The fleet and what becomes of it.
pub(crate) struct Show {
    pub(crate) stage: Stage,
    pub(crate) stranger: Member,
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
    pub(crate) fn new(stage: Stage, stranger: Member) -> Self {
        Self {
            stage,
            stranger,
            size: (0, 0),
            length: Millis::ZERO,
            started: Instant::now(),
            trials: Trials::default(),
            chronicle: Chronicle::default(),
            tickets: Vec::new(),
            agreed: None,
            payments: 0,
            gone: Vec::new(),
        }
    }

    /// Plays everything, from founding to the last agreement.
    pub(crate) async fn play(&mut self) -> Result<(), Failure> {
        self.stage.start_all()?;
        self.stranger.start(&self.stage.ground, &self.stage.story)?;
        self.found_and_join().await?;
        self.stage.promote(self.full()).await?;
        trials::tickets(self).await?;
        trials::same_target(self).await?;
        trials::reused_approval(self).await?;
        trials::false_ban(self).await?;
        trials::slander(self).await?;
        self.let_go().await?;
        trials::crash(self).await?;
        self.pass_the_time(LAST_ACT).await?;
        trials::leave(self).await?;
        self.pass_the_time(Millis::ZERO).await?;
        self.agree().await?;
        self.remember()
    }

    /// Members that are full once all are in: those at the first places.
    pub(crate) fn full(&self) -> usize {
        self.stage.members.len().min(FULL_MEMBERS)
    }

    pub(crate) fn payments(&self, world: &World) -> u64 {
        self.payments.max(world.traffic_totals().succeeded)
    }

    async fn found_and_join(&mut self) -> Result<(), Failure> {
        self.stage.found(0).await?;
        let last = self.stage.members.len() - 1;
        for place in 1..=last {
            let ticket = self.stage.invite(tier_by_ticket(place)).await?;
            self.tickets.push(ticket.clone());
            if place == last {
                let params = json!({"ticket": ticket.to_string()});
                trials::flood(self, params).await?;
            } else {
                self.stage.join(place, &ticket).await?;
            }
        }
        self.remember()
    }

    /// The operators read what was proposed, decline it, and let their agents act by themselves.
    async fn let_go(&mut self) -> Result<(), Failure> {
        for place in 0..self.stage.members.len() {
            for id in trials::pending(&self.stage.members[place])
                .await
                .into_values()
            {
                let params = json!({"id": id.to_string(), "reason": "autonomous from now on"});
                // What ran out meanwhile needs no rejection.
                let _ = self.stage.members[place].call(C::HiveReject, params).await;
            }
            self.stage
                .command(place, C::HiveMode, json!({"mode": "autonomous"}))
                .await?;
        }
        self.stage
            .story
            .tell("-- all operators switch to autonomous, within their limits");
        Ok(())
    }

    /// The fleet works by itself until this long before the end.
    async fn pass_the_time(&mut self, before: Millis) -> Result<(), Failure> {
        let until = Millis::new(self.length.get().saturating_sub(before.get()));
        let mut next = Millis::ZERO;
        while self.stage.story.elapsed() < until && self.started.elapsed() < WALL_BUDGET {
            if self.stage.story.elapsed() >= next {
                next = Millis::new(self.stage.story.elapsed().get() + 3_600_000);
                self.remember()?;
                self.tell_state().await;
            }
            self.stage.pause(Millis::from_secs(30)).await;
        }
        if self.stage.story.elapsed() < until && before != Millis::ZERO {
            self.stage
                .story
                .tell("-- this machine is slow: fewer hours than asked for");
        }
        Ok(())
    }

    async fn tell_state(&self) {
        let mut states = Vec::new();
        for member in &self.stage.members {
            states.extend(member.status().await.map(|status| status.state));
        }
        let same = states.windows(2).all(|pair| pair[0] == pair[1]);
        let (opened, earned) = {
            let world = self.stage.ground.world();
            let opens = super::audit::opens(&world, &self.stage.members);
            let earned = self.stage.members.iter();
            let earned = earned.map(|member| world.fees_earned(member.node).unwrap_or_default());
            (opens.fundings.len(), earned.sum::<hive_types::Msat>())
        };
        let bytes: u64 = self
            .stage
            .members
            .iter()
            .map(|member| member.backend.meter().bytes)
            .sum();
        let agree = if same {
            "all agree"
        } else {
            "gossip under way"
        };
        self.stage.story.tell(&format!(
            "-- {opened} channels opened, {earned} earned, {bytes} bytes of gossip, {agree}"
        ));
    }

    /// People stop paying; then all that stayed must come to hold the same.
    async fn agree(&mut self) -> Result<(), Failure> {
        {
            let mut world = self.stage.ground.world();
            self.payments = world.traffic_totals().succeeded;
            world.set_traffic(None);
        }
        let begun = self.stage.ground.now();
        let limit = Millis::from_secs(1_800);
        while self.stage.ground.now() < begun.plus(limit) && self.agreed.is_none() {
            self.stage.pause(STEP).await;
            self.agreed = self.common_state().await;
        }
        let text = match &self.agreed {
            Some(_) => "-- all that stayed hold the same records and decisions",
            None => "-- the members do not come to agree",
        };
        self.stage.story.tell(text);
        Ok(())
    }

    async fn common_state(&self) -> Option<String> {
        let mut common = None;
        for place in self.staying() {
            let status = self.stage.members[place].status().await?;
            let state = (status.head, status.state);
            if *common.get_or_insert(state.clone()) != state {
                return None;
            }
        }
        common.map(|(_, state)| state)
    }

    /// Places of members that have not left.
    pub(crate) fn staying(&self) -> Vec<usize> {
        let places = 0..self.stage.members.len();
        places.filter(|place| !self.gone.contains(place)).collect()
    }

    /// Reads the decisions from every store.
    pub(crate) fn remember(&mut self) -> Result<(), Failure> {
        for member in &self.stage.members {
            if let Some(store) = member.store() {
                self.chronicle.read(&member.name, store)?;
            }
        }
        Ok(())
    }
}
