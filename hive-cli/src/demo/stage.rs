//! A world with agents in it: what every scene is played on.

use super::member::Member;
use super::story::Story;
use crate::embedded::Ground;
use crate::failure::Failure;
use hive_core::Reply;
use hive_node::control::CommandName as C;
use hive_proto::Ticket;
use hive_types::{Millis, NodeId, Tier};
use serde_json::{Value, json};
use std::sync::Arc;

/// Waiting is done in steps of this.
pub(crate) const STEP: Millis = Millis::from_secs(2);

/// What takes longer than this will not happen.
pub(crate) const PATIENCE: Millis = Millis::from_secs(900);

/// Full members that tickets may make, founder counted.
const FULL_BY_TICKET: usize = 3;

/// The tier of the ticket for whoever joins at this place.
pub(crate) const fn tier_by_ticket(place: usize) -> &'static str {
    if place < FULL_BY_TICKET {
        "full"
    } else {
        "probationary"
    }
}

/// Agents on one ground, and what is told of them.
pub(crate) struct Stage {
    pub(crate) ground: Arc<Ground>,
    pub(crate) story: Arc<Story>,
    pub(crate) members: Vec<Member>,
    pub(crate) seed: u64,
}

impl Stage {
    /// Starts an agent, as after any stop or crash.
    pub(crate) fn start(&mut self, place: usize) -> Result<(), Failure> {
        self.members[place].start(&self.ground, &self.story)
    }

    /// Starts every member's agent.
    pub(crate) fn start_all(&mut self) -> Result<(), Failure> {
        (0..self.members.len()).try_for_each(|place| self.start(place))
    }

    /// The first member founds a fleet.
    pub(crate) async fn found(&self, place: usize) -> Result<(), Failure> {
        self.command(place, C::HiveInit, Value::Null).await?;
        match self.until_member(place).await {
            true => Ok(()),
            false => Err(Failure::Internal("the founder founds no fleet".into())),
        }
    }

    /// The first member founds a fleet, the others join and become full members.
    pub(crate) async fn gather(&self) -> Result<(), Failure> {
        self.found(0).await?;
        for place in 1..self.members.len() {
            let ticket = self.invite(tier_by_ticket(place)).await?;
            self.join(place, &ticket).await?;
        }
        self.promote(self.members.len()).await
    }

    /// Lets a member join by a ticket.
    pub(crate) async fn join(&self, place: usize, ticket: &Ticket) -> Result<(), Failure> {
        let params = json!({"ticket": ticket.to_string()});
        self.command(place, C::HiveJoin, params).await?;
        if !self.until_member(place).await {
            let text = format!("{} was not let in", self.members[place].name);
            self.story.tell(&text);
        }
        Ok(())
    }

    /// Full members vouch for those among the first `count` that no ticket made full.
    pub(crate) async fn promote(&self, count: usize) -> Result<(), Failure> {
        for place in FULL_BY_TICKET..count {
            let node = json!({"node": self.members[place].node.to_string()});
            for voter in 0..place {
                self.command(voter, C::HiveVouch, node.clone()).await?;
            }
            let is_full = async || {
                let status = self.members[place].status().await;
                status.is_some_and(|status| status.tier == Some(Tier::Full))
            };
            if !self.until(PATIENCE, is_full).await {
                let text = format!("{} is not made full", self.members[place].name);
                self.story.tell(&text);
            }
        }
        Ok(())
    }

    /// A ticket of the founder's.
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
        self.until(PATIENCE, async || {
            let status = self.members[place].status().await;
            status.is_some_and(|status| status.stage == "member" && status.tier.is_some())
        })
        .await
    }

    /// Lets time pass until something is so; `false` when it is not within `limit`.
    pub(crate) async fn until(&self, limit: Millis, is_so: impl AsyncFn() -> bool) -> bool {
        let end = self.ground.now().plus(limit);
        loop {
            if is_so().await {
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

    /// Channels that a member funded, says the chain.
    pub(crate) fn funded(&self, place: usize) -> usize {
        self.fundings(place, |_| true)
    }

    /// Those of them to one target.
    pub(crate) fn funded_to(&self, place: usize, target: &NodeId) -> usize {
        self.fundings(place, |to| to == target)
    }

    fn fundings(&self, place: usize, counts: impl Fn(&NodeId) -> bool) -> usize {
        let node = self.members[place].node;
        let world = self.ground.world();
        let own = world.fundings().iter().filter(|one| one.opener == node);
        own.filter(|one| counts(&one.target)).count()
    }
}
