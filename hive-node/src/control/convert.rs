//! From a request to the state machine's command, and from its answer to a reply.

use super::{CommandName as C, ControlError, Reply, Request};
use hive_core::{Command, CommandError};
use hive_policy::Mode;
use hive_proto::Ticket;
use hive_types::{ActionId, Capabilities, Millis, NodeId, Tier};

/// A ticket is valid this long when nothing else is said: time to reach the guest and be used.
const TICKET_HOURS: u64 = 24;

/// Days that a report covers when nothing else is said.
const REPORT_DAYS: u64 = 30;

/// Rows of the log that are shown when nothing else is said.
const LOG_ROWS: u32 = 50;

/// Who answers a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The state machine.
    Machine(Box<Command>),
    /// The store: the newest rows of the audit log.
    Log {
        /// How many.
        limit: u32,
        /// Of one action only.
        action: Option<ActionId>,
    },
}

impl Request {
    /// What the request asks for.
    ///
    /// # Errors
    /// [`ControlError`] when a parameter has the right form and a value that makes no sense.
    pub fn wanted(&self) -> Result<Wanted, ControlError> {
        let reason = || self.text("reason").unwrap_or_default().to_owned();
        let command = match self.command {
            C::HiveInit => Command::Init,
            C::HiveInvite => self.invite()?,
            C::HiveJoin => Command::Join {
                ticket: self.ticket()?,
            },
            C::HiveLeave => Command::Leave,
            C::HiveStatus => Command::Status,
            C::HiveMembers => Command::Members,
            C::HivePlan => Command::Plan,
            C::HivePending => Command::Pending,
            C::HiveApprove => Command::Approve {
                action: self.id()?,
                dry_run: self.flag("dry_run"),
            },
            C::HiveReject => Command::Reject {
                action: self.id()?,
                reason: reason(),
            },
            C::HiveMode => Command::Mode {
                mode: self.text("mode").map(|word| match word {
                    "autonomous" => Mode::Autonomous,
                    "oracle" => Mode::Oracle,
                    _ => Mode::Advisor,
                }),
            },
            C::HivePause => Command::Pause {
                span: self.count("minutes").map(minutes),
            },
            C::HiveBan => Command::Ban {
                peer: self.peer()?,
                reason: reason(),
            },
            C::HiveUnban => Command::Unban { peer: self.peer()? },
            C::HiveAllow => Command::Allow { peer: self.peer()? },
            C::HiveDisallow => Command::Disallow { peer: self.peer()? },
            C::HiveBans => Command::Bans,
            C::HiveVouch => Command::Vouch { node: self.peer()? },
            C::HiveExpel => Command::Expel {
                node: self.peer()?,
                reason: reason(),
            },
            C::HiveLocks => Command::Locks,
            C::HiveContribution => Command::Contribution {
                node: self.node("node"),
            },
            C::HiveReport => Command::Report {
                days: self.small("days", REPORT_DAYS)?,
            },
            C::HiveLog => {
                return Ok(Wanted::Log {
                    limit: self.small("limit", LOG_ROWS.into())?,
                    action: self.action("action"),
                });
            }
            C::HiveRestoreFees => Command::RestoreFees {
                resume: self.flag("resume"),
            },
            C::HiveRotateKey => Command::RotateKey,
            C::HiveRefound => Command::Refound,
        };
        Ok(Wanted::Machine(Box::new(command)))
    }

    fn invite(&self) -> Result<Command, ControlError> {
        let named = |word: &String| {
            let known = Capabilities::from_name(word);
            known.ok_or_else(|| self.wrong(format!("there is no capability {word:?}")))
        };
        let required = self.list("requires").iter().map(named);
        Ok(Command::Invite {
            tier: match self.text("tier") {
                Some("full") => Tier::Full,
                _ => Tier::Probationary,
            },
            guest: self.node("node"),
            lifetime: Millis::from_hours(self.count("hours").unwrap_or(TICKET_HOURS)),
            required: required
                .collect::<Result<Vec<_>, _>>()?
                .into_iter()
                .fold(Capabilities::NONE, |all, capability| all.union(capability)),
        })
    }

    fn ticket(&self) -> Result<Ticket, ControlError> {
        let text = self.text("ticket").unwrap_or_default();
        let ticket = text.parse::<Ticket>();
        ticket.map_err(|reason| self.wrong(format!("ticket: {reason}")))
    }

    fn peer(&self) -> Result<NodeId, ControlError> {
        let missing = || self.wrong("node is missing".into());
        self.node("node").ok_or_else(missing)
    }

    fn id(&self) -> Result<ActionId, ControlError> {
        let missing = || self.wrong("id is missing".into());
        self.action("id").ok_or_else(missing)
    }

    fn small(&self, name: &str, default: u64) -> Result<u32, ControlError> {
        let count = self.count(name).unwrap_or(default);
        let large = |_| self.wrong(format!("{name} is at most {}", u32::MAX));
        u32::try_from(count).map_err(large)
    }

    fn wrong(&self, message: String) -> ControlError {
        let usage = format!("usage: {}", self.command.usage());
        ControlError::new("bad_params", message, usage)
    }
}

fn minutes(count: u64) -> Millis {
    Millis::from_secs(count.saturating_mul(60))
}

/// The state machine's answer as the caller sees it.
pub(crate) fn reply(answer: Result<hive_core::Reply, CommandError>) -> Reply {
    match answer {
        Ok(reply) => serde_json::to_value(reply).map_err(|reason| {
            let message = format!("the answer has no JSON form: {reason}");
            ControlError::new("internal", message, "report this")
        }),
        Err(error) => Err(refusal(&error)),
    }
}

/// The error's text says what happened before the semicolon and what to do after it.
fn refusal(error: &CommandError) -> ControlError {
    let code = serde_json::to_value(error).ok();
    let code = code.as_ref().and_then(|value| value.get("code")?.as_str());
    let text = error.to_string();
    let (message, what_to_do) = match text.split_once("; ") {
        Some((message, what_to_do)) => (message, what_to_do),
        None if matches!(error, CommandError::Ticket { .. }) => (
            text.as_str(),
            "ask the member who made it for one that fits this node",
        ),
        None => (text.as_str(), "look at hive-status and hive-log"),
    };
    ControlError::new(code.unwrap_or("refused"), message, what_to_do)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NODE: &str = "03864ef025fde8fb587d989186ce6a4a186895ee44a926bfc370e2c366597a3f8f";

    fn wanted(command: C, params: serde_json::Value) -> Result<Wanted, ControlError> {
        Request::new(command, &params).unwrap().wanted()
    }

    #[test]
    fn requests_become_commands() {
        let invite =
            json!({"tier": "full", "node": NODE, "hours": 2, "requires": "splice,anchors"});
        let expected = Command::Invite {
            tier: Tier::Full,
            guest: Some(NODE.parse().unwrap()),
            lifetime: Millis::from_hours(2),
            required: Capabilities::SPLICE.union(Capabilities::ANCHORS),
        };
        let machine = |command| Ok(Wanted::Machine(Box::new(command)));
        assert_eq!(wanted(C::HiveInvite, invite), machine(expected));
        let pause = Command::Pause {
            span: Some(Millis::ZERO),
        };
        assert_eq!(wanted(C::HivePause, json!([0])), machine(pause));
        assert_eq!(
            wanted(C::HiveLog, json!([])),
            Ok(Wanted::Log {
                limit: LOG_ROWS,
                action: None
            })
        );
        let action: ActionId = "07".repeat(16).parse().unwrap();
        for (given, dry_run) in [(json!([action]), false), (json!([action, true]), true)] {
            let approve = Command::Approve { action, dry_run };
            assert_eq!(wanted(C::HiveApprove, given), machine(approve));
        }
        let oracle = Command::Mode {
            mode: Some(Mode::Oracle),
        };
        assert_eq!(wanted(C::HiveMode, json!(["oracle"])), machine(oracle));
        for (given, resume) in [(json!([]), false), (json!({"resume": "true"}), true)] {
            let restore = Command::RestoreFees { resume };
            assert_eq!(wanted(C::HiveRestoreFees, given), machine(restore));
        }
        let ban = Command::Ban {
            peer: NODE.parse().unwrap(),
            reason: "jams".into(),
        };
        assert_eq!(wanted(C::HiveBan, json!([NODE, "jams"])), machine(ban));
    }

    #[test]
    fn values_without_sense_are_refused() {
        let wrong = [
            (C::HiveJoin, json!(["hive1nonsense"]), "ticket: "),
            (C::HiveInvite, json!({"requires": "wings"}), "\"wings\""),
            (C::HiveReport, json!([4_294_967_296u64]), "at most"),
        ];
        for (command, params, expected) in wrong {
            let error = wanted(command, params).unwrap_err();
            assert!(error.message.contains(expected), "{error}");
            assert!(error.what_to_do.starts_with("usage: "), "{error}");
        }
    }

    #[test]
    fn refusals_say_what_to_do() {
        let error = reply(Err(CommandError::NoFleet)).unwrap_err();
        assert_eq!(error.code, "no_fleet");
        assert_eq!(error.message, "this node is in no fleet");
        assert!(error.what_to_do.contains("hive-init"), "{error}");
        let reason = "it names another node as its guest".to_owned();
        let error = reply(Err(CommandError::Ticket { reason })).unwrap_err();
        assert_eq!(error.code, "ticket");
        assert!(error.what_to_do.contains("ask the member"), "{error}");
    }
}
