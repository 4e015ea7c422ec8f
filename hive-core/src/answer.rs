//! The operator's commands, one by one.

use crate::command::{Command, CommandError, FlagRow, LockRow, Member, ProposalRow, Reply, Status};
use crate::hive::{Hive, Stage};
use crate::io::CommandId;
use crate::member::Membership;
use hive_policy::{Mode, Pending};
use hive_proto::{TicketBody, VoteKind};
use hive_types::limits::ADDRESSES;
use hive_types::{Action, Capabilities, Millis, NodeId, Sat, TicketId, Tier};

type Answer = Result<Reply, CommandError>;

impl Hive {
    /// The answer to a command; none as long as it is awaited.
    pub(crate) fn command(&mut self, id: CommandId, command: Command) -> Option<Answer> {
        Some(match command {
            Command::Plan => return self.show_plan(id).err().map(Err),
            Command::Init => self.found().map(Reply::Done),
            Command::Join { ticket } => self.join(ticket).map(Reply::Done),
            Command::Leave => self.leave().map(Reply::Done),
            Command::Invite {
                tier,
                guest,
                lifetime,
                required,
            } => self.invite(tier, guest, lifetime, required),
            Command::Status => Ok(Reply::Status(self.status())),
            Command::Members => self.members(),
            Command::Pending => Ok(Reply::Proposals(
                self.gate.pending().iter().map(row).collect(),
            )),
            Command::Approve { action, dry_run } => self.approve_command(action, dry_run),
            Command::Reject { action, reason } => self.reject(action, &reason),
            Command::Mode { mode } => self.mode(mode),
            Command::Pause { span } => Ok(self.pause(span)),
            Command::Ban { peer, reason } => self.ban(peer, &reason),
            Command::Allow { peer } => self.allow(peer),
            Command::Disallow { peer } => self.disallow(peer),
            Command::Bans => Ok(self.ban_rows()),
            Command::Unban { peer } => self.unban(peer),
            Command::Vouch { node } => self.vote(node, VoteKind::Promote, ""),
            Command::Expel { node, reason } => self.vote(node, VoteKind::Expel, &reason),
            Command::Locks => self.locks(),
            Command::Contribution { node } => self.contribution(node),
            Command::Report { days } => Ok(Reply::Report(self.report(days))),
            Command::RestoreFees { resume } => self.restore_fees(resume),
            Command::RotateKey => self.rotate_key().map(Reply::Done),
            Command::Refound => self.refound().map(Reply::Done),
        })
    }

    pub(crate) fn in_fleet(&mut self) -> Result<&mut Membership, CommandError> {
        match &mut self.stage {
            Stage::Member(member) => Ok(member),
            _ => Err(CommandError::NoFleet),
        }
    }

    fn as_full_member(&mut self) -> Result<&mut Membership, CommandError> {
        match self.in_fleet()? {
            member if member.tier() == Some(Tier::Full) => Ok(member),
            member if member.tier().is_none() => Err(CommandError::Starting {
                waiting_for: "the fleet's decisions".to_owned(),
            }),
            _ => Err(CommandError::Probationary),
        }
    }

    fn invite(
        &mut self,
        tier: Tier,
        guest: Option<NodeId>,
        lifetime: Millis,
        required: Capabilities,
    ) -> Answer {
        let id = TicketId::from_bytes(self.chance.bytes());
        let expires = self.now.wall.plus(lifetime);
        let own = self.config.node_id;
        let mut addresses = self.config.addresses.clone();
        addresses.truncate(ADDRESSES);
        if addresses.is_empty() {
            // The guest's node may know the address from the graph, or be connected already.
            addresses.push(String::new());
        }
        let contacts = addresses
            .into_iter()
            .map(|address| (own, address))
            .collect();
        let network = self.config.network;
        let member = self.as_full_member()?;
        let (hive, epoch) = (member.identity.hive(), member.identity.epoch());
        let body = TicketBody {
            hive,
            network,
            issuer: own,
            epoch,
            id,
            tier,
            required,
            expires,
            guest,
            contacts,
        };
        let ticket = member
            .write_ticket(body)
            .map_err(|error| CommandError::Ticket {
                reason: error.to_string(),
            })?;
        let text = ticket.to_string();
        self.out
            .audit(self.now.wall, "invite", None, format!("ticket {id}"));
        Ok(Reply::Ticket(text))
    }

    fn status(&self) -> Status {
        let local = self.local.as_ref();
        let member = match &self.stage {
            Stage::Member(member) => Some(member),
            _ => None,
        };
        let members = member
            .map(|member| member.fellows().collect::<Vec<_>>())
            .unwrap_or_default();
        Status {
            node_id: self.config.node_id,
            hive: member.map(|member| member.identity.hive()),
            stage: self.stage_name().to_owned(),
            tier: self.tier(),
            members: members.len() + usize::from(self.tier().is_some()),
            connected: members
                .iter()
                .filter(|node| self.peers.is_connected(node))
                .count(),
            head: member.map_or(0, |member| member.head().0),
            mode: self.gate.mode(),
            paused_until: self.gate.halt().paused_until,
            height: local.map(|local| local.height).unwrap_or_default(),
            synced: local.is_some_and(|local| local.synced),
            pending: self.gate.pending().len(),
            acting: self.actions.acting().count(),
            state: member
                .map(|member| member.state_digest().to_string())
                .unwrap_or_default(),
            alerts: self.alerts(),
            votes_proposed: self.vote_proposals.rows().cloned().collect(),
        }
    }

    fn stage_name(&self) -> &'static str {
        match &self.stage {
            Stage::Alone => "alone",
            Stage::Founding(_) | Stage::Joining(_) => "joining",
            Stage::Member(member) if member.is_starting() => "starting",
            Stage::Member(_) => "member",
            Stage::Halted(_) => "halted",
        }
    }

    fn alerts(&self) -> Vec<String> {
        let mut alerts = Vec::new();
        let mut say = |condition: bool, text: &str| {
            if condition {
                alerts.push(text.to_owned());
            }
        };
        say(self.local.is_none(), "the node was not read yet");
        say(
            self.local.as_ref().is_some_and(|local| !local.synced),
            "the node is not synced; nothing is opened until it is",
        );
        say(
            self.gate.halt().stopped,
            "the kill switch is on; nothing is done until it is released",
        );
        say(
            self.gate.is_dry(),
            "dry run: everything is checked and said, nothing is done",
        );
        say(
            self.gate.mode() == Mode::Oracle && self.config.oracle_secret.is_none(),
            "mode oracle without oracle.secret_file: the operator decides",
        );
        say(
            !self.unreconciled.is_empty(),
            "the end of earlier actions is unknown; nothing is spent until the node has told",
        );
        say(
            matches!(&self.stage, Stage::Member(member) if member.is_starting()),
            "waiting for a fellow to return this member's newest records",
        );
        say(
            matches!(&self.stage, Stage::Member(member) if member.clocks.own_is_off()),
            "this machine's clock differs from most fellows'; set it, by NTP say",
        );
        say(
            self.corridors.is_restored(),
            "fees are as before the hive, by hive-restore-fees; hive-restore-fees resume=true ends that",
        );
        if let Stage::Halted(reason) = &self.stage {
            alerts.push(reason.clone());
        }
        if let (Stage::Alone | Stage::Joining(_), Some(reason)) = (&self.stage, &self.join_failure)
        {
            alerts.push(reason.clone());
        }
        alerts
    }

    fn members(&mut self) -> Answer {
        self.in_fleet()?;
        let fleet = self.fleet_view();
        let Stage::Member(member) = &self.stage else {
            return Err(CommandError::NoFleet);
        };
        let rows = fleet.members.iter().map(|fellow| Member {
            node_id: fellow.node_id,
            tier: fellow.tier,
            connected: fellow.node_id == self.config.node_id
                || self.peers.is_connected(&fellow.node_id),
            fresh: fellow.fresh,
            channels: fellow.channels.len(),
            equivocated: member
                .merged
                .standing(&fellow.node_id)
                .is_some_and(|standing| standing.is_flagged()),
            flags: self.flag_rows(&fellow.node_id),
            reputation: self.reputation_row(&fellow.node_id),
            uptime: self.conduct_of(&fellow.node_id).uptime,
            software: member.software(&fellow.node_id),
            confirmed: self
                .confirmed(&fellow.node_id)
                .names()
                .into_iter()
                .map(str::to_owned)
                .collect(),
        });
        Ok(Reply::Members(rows.collect()))
    }

    fn flag_rows(&self, node: &NodeId) -> Vec<FlagRow> {
        let rows = self.flags.of(node).map(|(kind, flag)| FlagRow {
            kind,
            since: flag.since,
            evidence: flag.evidence.clone(),
        });
        rows.collect()
    }

    fn approve_command(&mut self, action: hive_types::ActionId, dry_run: bool) -> Answer {
        let line = match dry_run || self.gate.is_dry() {
            true => self.rehearse(action),
            false => {
                let by = "approved by the operator".to_owned();
                let approved = self.approve(action, None, by);
                approved.map_err(|refusal| refusal.to_string())
            }
        };
        line.map(Reply::Done)
            .map_err(|reason| CommandError::NoProposal { reason })
    }

    fn reject(&mut self, action: hive_types::ActionId, reason: &str) -> Answer {
        let target = self.pending_target(&action);
        self.gate
            .reject(self.now, action)
            .map_err(|refusal| CommandError::NoProposal {
                reason: refusal.to_string(),
            })?;
        self.questions.close(&action);
        if let Some(target) = target {
            self.retract_intent(&target);
        }
        self.out.audit(
            self.now.wall,
            "reject",
            Some(action),
            format!("rejected: {reason}"),
        );
        Ok(Reply::Done("rejected".to_owned()))
    }

    /// What a waiting open is to.
    pub(crate) fn pending_target(&self, action: &hive_types::ActionId) -> Option<NodeId> {
        let mut pending = self.gate.pending().iter();
        match pending
            .find(|pending| pending.id == *action)?
            .proposal
            .action
        {
            Action::Open(open) => Some(open.target),
            _ => None,
        }
    }

    fn mode(&mut self, mode: Option<Mode>) -> Answer {
        if mode == Some(Mode::Oracle) && self.config.oracle_secret.is_none() {
            return Err(CommandError::Refused {
                reason: "mode oracle needs an oracle: set oracle.url and oracle.secret_file, then start the agent again".to_owned(),
            });
        }
        if let Some(mode) = mode {
            self.gate.set_mode(mode);
            self.drop_questions();
            self.out
                .audit(self.now.wall, "mode", None, format!("{mode:?}"));
        }
        Ok(Reply::Mode(self.gate.mode()))
    }

    fn pause(&mut self, span: Option<Millis>) -> Reply {
        let line = match span {
            None => {
                self.gate.stop();
                "stopped: nothing is done until hive-pause 0".to_owned()
            }
            Some(Millis::ZERO) => {
                self.gate.release();
                self.gate.resume();
                "released".to_owned()
            }
            Some(span) => {
                self.gate.pause(self.now, span);
                format!("paused for {span}")
            }
        };
        self.out.audit(self.now.wall, "pause", None, line.clone());
        Reply::Done(line)
    }

    fn locks(&mut self) -> Answer {
        self.in_fleet()?;
        let locks = self.fleet_view().locks;
        let rows = locks.into_iter().map(|lock| LockRow {
            target: lock.target,
            holder: lock.holder,
            height: lock.height,
            until: lock.until,
        });
        Ok(Reply::Locks(rows.collect()))
    }

    fn vote(&mut self, node: NodeId, kind: VoteKind, reason: &str) -> Answer {
        let member = self.as_full_member()?;
        if !member.is_fellow(&node) {
            return Err(CommandError::NoMember { node });
        }
        self.cast_vote(node, kind)?;
        self.out.audit(
            self.now.wall,
            "vote",
            None,
            format!("{kind:?} {node}: {reason}"),
        );
        Ok(Reply::Done(
            "voted; it is decided when a majority of all full members has".to_owned(),
        ))
    }
}

fn row(pending: &Pending) -> ProposalRow {
    ProposalRow {
        id: Some(pending.id),
        proposal: pending.proposal.clone(),
        expires: Some(pending.expires()),
    }
}

/// Capital that the member would put into channels: what it is willing to, as far as it has it.
pub(crate) fn free_capital(willing: Sat, confirmed: Sat, reserve: Sat) -> Sat {
    let free = confirmed.saturating_sub(reserve);
    if free < willing { free } else { willing }
}
