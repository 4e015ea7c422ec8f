//! Fleets: what operators say to several agents.

use crate::failure::{Context, Outcome, ensure, wrong};
use crate::wait;
use crate::world::World;
use hive_core::{Member, Reply, Status};
use hive_node::control::CommandName;
use hive_types::{NodeId, Tier};
use serde_json::{Value, json};
use std::fs;

/// What operators say to several agents.
impl World {
    /// How a member fares.
    ///
    /// # Errors
    /// What the agent says.
    pub fn status(&self, place: usize) -> Outcome<Status> {
        match self.ask(place, CommandName::HiveStatus, &Value::Null)? {
            Reply::Status(status) => Ok(status),
            other => wrong(format!("hive-status gave {other:?}")),
        }
    }

    /// The roster as a member sees it.
    ///
    /// # Errors
    /// What the agent says.
    pub fn members(&self, place: usize) -> Outcome<Vec<Member>> {
        match self.ask(place, CommandName::HiveMembers, &Value::Null)? {
            Reply::Members(members) => Ok(members),
            other => wrong(format!("hive-members gave {other:?}")),
        }
    }

    /// Founds a fleet.
    ///
    /// # Errors
    /// What the agent says.
    pub fn found(&self, place: usize) -> Outcome {
        self.call(place, CommandName::HiveInit, &Value::Null)?;
        self.stage(place, "member")
    }

    /// A ticket for one node.
    ///
    /// # Errors
    /// What the agent says.
    pub fn invite(&self, place: usize, guest: Option<NodeId>, tier: &str) -> Outcome<String> {
        let mut params = json!({"tier": tier});
        if let (Some(guest), Some(params)) = (guest, params.as_object_mut()) {
            params.insert("node".into(), guest.to_string().into());
        }
        match self.ask(place, CommandName::HiveInvite, &params)? {
            Reply::Ticket(ticket) => Ok(ticket),
            other => wrong(format!("hive-invite gave {other:?}")),
        }
    }

    /// Invites a node and waits until it is a member.
    ///
    /// # Errors
    /// When it does not come in.
    pub fn join(&self, host: usize, guest: usize, tier: &str) -> Outcome {
        let ticket = self.invite(host, Some(self.id(guest)?), tier)?;
        self.call(guest, CommandName::HiveJoin, &json!({"ticket": ticket}))?;
        self.stage(guest, "member")
    }

    /// Waits until a member is at a stage: `alone`, `joining`, `starting`, `member`.
    ///
    /// # Errors
    /// When it never is.
    pub fn stage(&self, place: usize, stage: &str) -> Outcome {
        wait::until(format!("member {place} is at the stage {stage}"), || {
            let status = self.status(place)?;
            ensure(status.stage == stage, || format!("{status:?}"))
        })
    }

    /// A fleet of the nodes at these places: agents beside all of them, founded by the first, the others full
    /// members by its tickets or, from the fourth on, by votes of those before.
    ///
    /// # Errors
    /// When it does not come together.
    pub fn fleet(&mut self, places: &[usize], settings: &[(&str, &str)]) -> Outcome {
        for &place in places {
            self.agent(place, settings)?;
        }
        let (&founder, guests) = places.split_first().during("a founder")?;
        self.found(founder)?;
        for (before, &guest) in (1..).zip(guests) {
            // The founder grants full tier until there are three.
            let tier = if before < 3 { "full" } else { "probationary" };
            self.join(founder, guest, tier)?;
            self.converged(places.get(..=before).unwrap_or_default())?;
            if before >= 3 {
                self.promote(guest, places.get(..before).unwrap_or_default())?;
            }
        }
        self.converged(places)
    }

    /// Makes a member full by the votes of others.
    ///
    /// # Errors
    /// When it does not become full.
    pub fn promote(&self, place: usize, voters: &[usize]) -> Outcome {
        let id = self.id(place)?;
        for &voter in voters {
            let params = json!({"node": id.to_string()});
            self.call(voter, CommandName::HiveVouch, &params)?;
        }
        wait::until(format!("member {place} is full"), || {
            let status = self.status(place)?;
            let is_full = status.tier == Some(Tier::Full);
            ensure(is_full, || format!("{status:?}"))
        })
    }

    /// Something that a member has to say and the fleet to decide, a new epoch of its own, reaches others.
    ///
    /// # Errors
    /// When one never hears of it.
    pub fn hears(&self, from: usize, to: &[usize]) -> Outcome {
        let before = self.status(from)?.head;
        self.call(from, CommandName::HiveRotateKey, &Value::Null)?;
        for &place in to {
            wait::until(format!("member {place} hears member {from}"), || {
                let status = self.status(place)?;
                ensure(status.head > before, || format!("{status:?}"))
            })?;
        }
        Ok(())
    }

    /// Waits until `hive-status` has an alert with these words.
    ///
    /// # Errors
    /// When it never has.
    pub fn alerted(&self, place: usize, words: &str) -> Outcome {
        self.alert(place, words, true)
    }

    /// Waits until `hive-status` has no alert with these words any more.
    ///
    /// # Errors
    /// When it keeps it.
    pub fn relieved(&self, place: usize, words: &str) -> Outcome {
        self.alert(place, words, false)
    }

    fn alert(&self, place: usize, words: &str, expected: bool) -> Outcome {
        let what = if expected { "warns" } else { "does not warn" };
        wait::until(format!("agent {place} {what} of {words:?}"), || {
            let alerts = self.status(place)?.alerts;
            let is_told = alerts.iter().any(|alert| alert.contains(words));
            ensure(is_told == expected, || format!("{alerts:?}"))
        })
    }

    /// How many lines of an agent's log have these words.
    ///
    /// # Errors
    /// When there is no log.
    pub fn lines_with(&self, place: usize, words: &str) -> Outcome<usize> {
        self.lines(place, |line| line.contains(words))
    }

    /// How many lines of an agent's log are such.
    ///
    /// # Errors
    /// When there is no log.
    pub fn lines(&self, place: usize, is_such: impl Fn(&str) -> bool) -> Outcome<usize> {
        let log = self.agent_at(place).log();
        let text = fs::read(log).during(log.display())?;
        let text = String::from_utf8_lossy(&text);
        Ok(text.lines().filter(|line| is_such(line)).count())
    }

    /// Waits until these members agree on decisions and records.
    ///
    /// # Errors
    /// When they never do.
    pub fn converged(&self, places: &[usize]) -> Outcome {
        wait::until(format!("members {places:?} agree"), || {
            let statuses: Outcome<Vec<Status>> =
                places.iter().map(|&place| self.status(place)).collect();
            let statuses = statuses?;
            let is_equal = statuses.windows(2).all(|pair| match pair {
                [one, next] => one.state == next.state && one.members == next.members,
                _ => true,
            });
            let all_in = statuses.iter().all(|status| status.stage == "member");
            let shown = || {
                let line = |status: &Status| {
                    format!(
                        "{} of {} at {}: {}",
                        status.stage, status.members, status.head, status.state
                    )
                };
                statuses.iter().map(line).collect::<Vec<_>>().join("; ")
            };
            ensure(is_equal && all_in, shown)
        })
    }
}
