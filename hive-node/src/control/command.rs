//! The operator's commands: their names, their parameters, their usage lines.
//!
//! One table serves the socket, the Core Lightning plugin and the `hive` program, so that a command
//! means the same in each.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A command by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the table below says what each one does")]
pub enum CommandName {
    HiveInit,
    HiveInvite,
    HiveJoin,
    HiveLeave,
    HiveStatus,
    HiveMembers,
    HivePlan,
    HivePending,
    HiveApprove,
    HiveReject,
    HiveMode,
    HivePause,
    HiveBan,
    HiveUnban,
    HiveAllow,
    HiveDisallow,
    HiveBans,
    HiveVouch,
    HiveExpel,
    HiveLocks,
    HiveContribution,
    HiveReport,
    HiveLog,
    HiveRestoreFees,
    HiveRotateKey,
    HiveRefound,
}

/// What a parameter holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamKind {
    /// A node id, 66 hex digits.
    Node,
    /// An action's id, 32 hex digits.
    Action,
    /// A whole number from 0.
    Count,
    /// Any text.
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Words separated by commas.
    List,
    /// Yes or no.
    Flag,
}

/// One parameter of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParamSpec {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: ParamKind,
    /// Whether the command needs it.
    pub required: bool,
    /// What it is for, in a few words.
    pub about: &'static str,
}

/// One command.
#[derive(Clone, Copy, Debug)]
pub struct CommandSpec {
    /// The command.
    pub name: CommandName,
    /// Its name as it is typed.
    pub text: &'static str,
    /// Its parameters, in the order in which they may be given without names.
    pub params: &'static [ParamSpec],
    /// What it does, in one line.
    pub about: &'static str,
}

const fn needs(name: &'static str, kind: ParamKind, about: &'static str) -> ParamSpec {
    ParamSpec {
        name,
        kind,
        required: true,
        about,
    }
}

const fn takes(name: &'static str, kind: ParamKind, about: &'static str) -> ParamSpec {
    ParamSpec {
        name,
        kind,
        required: false,
        about,
    }
}

const fn command(
    name: CommandName,
    text: &'static str,
    params: &'static [ParamSpec],
    about: &'static str,
) -> CommandSpec {
    CommandSpec {
        name,
        text,
        params,
        about,
    }
}

use CommandName as C;
use ParamKind::{Action, Count, Flag, List, Node, Text, Word};

/// Other names of commands: the seed's for `hive-approve`.
pub const ALIASES: &[(&str, CommandName)] = &[("revenue-hive-approve", C::HiveApprove)];

/// Every command.
pub const COMMANDS: &[CommandSpec] = &[
    command(
        C::HiveInit,
        "hive-init",
        &[],
        "found a fleet with this node as its first member",
    ),
    command(
        C::HiveInvite,
        "hive-invite",
        &[
            takes(
                "tier",
                Word(&["probationary", "full"]),
                "what the ticket grants",
            ),
            takes("node", Node, "the only node that may use the ticket"),
            takes("hours", Count, "how long the ticket is valid"),
            takes("requires", List, "capabilities that the newcomer must have"),
        ],
        "make a ticket for one newcomer",
    ),
    command(
        C::HiveJoin,
        "hive-join",
        &[needs("ticket", Text, "the ticket, hive1...")],
        "join the fleet that a ticket invites to",
    ),
    command(
        C::HiveLeave,
        "hive-leave",
        &[],
        "leave the fleet, free locks, restore fees",
    ),
    command(
        C::HiveStatus,
        "hive-status",
        &[],
        "show how this member fares",
    ),
    command(
        C::HiveMembers,
        "hive-members",
        &[],
        "list the members of the fleet",
    ),
    command(
        C::HivePlan,
        "hive-plan",
        &[],
        "show what this member would do next, and why",
    ),
    command(
        C::HivePending,
        "hive-pending",
        &[],
        "list proposals that wait for approval",
    ),
    command(
        C::HiveApprove,
        "hive-approve",
        &[
            needs("id", Action, "the proposal, as hive-pending shows it"),
            takes(
                "dry_run",
                Flag,
                "only say what would be done, and do nothing",
            ),
        ],
        "approve a proposal; everything is checked again before it runs",
    ),
    command(
        C::HiveReject,
        "hive-reject",
        &[
            needs("id", Action, "the proposal, as hive-pending shows it"),
            takes("reason", Text, "why, for the log"),
        ],
        "reject a proposal",
    ),
    command(
        C::HiveMode,
        "hive-mode",
        &[takes(
            "mode",
            Word(&["advisor", "autonomous", "oracle"]),
            "the mode to go to",
        )],
        "show or change who decides about spending",
    ),
    command(
        C::HivePause,
        "hive-pause",
        &[takes(
            "minutes",
            Count,
            "how long; 0 ends a pause, none pauses until told",
        )],
        "spend nothing for a while",
    ),
    command(
        C::HiveBan,
        "hive-ban",
        &[
            needs("node", Node, "the outside peer"),
            takes("reason", Text, "the evidence, for the fellows"),
        ],
        "keep away from an outside peer and tell the fleet",
    ),
    command(
        C::HiveUnban,
        "hive-unban",
        &[needs("node", Node, "the outside peer")],
        "take back a ban",
    ),
    command(
        C::HiveAllow,
        "hive-allow",
        &[needs("node", Node, "the outside peer")],
        "never keep away from an outside peer, whoever says what",
    ),
    command(
        C::HiveDisallow,
        "hive-disallow",
        &[needs("node", Node, "the outside peer")],
        "take a peer off the allow-list",
    ),
    command(
        C::HiveBans,
        "hive-bans",
        &[],
        "list outside peers that are banned, allowed or accused",
    ),
    command(
        C::HiveVouch,
        "hive-vouch",
        &[needs("node", Node, "the probationary member")],
        "vote to make a member full",
    ),
    command(
        C::HiveExpel,
        "hive-expel",
        &[
            needs("node", Node, "the member"),
            takes("reason", Text, "why, for the fellows"),
        ],
        "vote to expel a member",
    ),
    command(
        C::HiveLocks,
        "hive-locks",
        &[],
        "list the targets that members hold",
    ),
    command(
        C::HiveContribution,
        "hive-contribution",
        &[takes("node", Node, "one member only")],
        "show who forwarded how much for whom",
    ),
    command(
        C::HiveReport,
        "hive-report",
        &[takes("days", Count, "how far back")],
        "show what the fleet cost and earned",
    ),
    command(
        C::HiveLog,
        "hive-log",
        &[
            takes("limit", Count, "how many rows, the newest ones"),
            takes("action", Action, "rows about one action only"),
        ],
        "show what happened and why, and whether the log was changed",
    ),
    command(
        C::HiveRestoreFees,
        "hive-restore-fees",
        &[takes(
            "resume",
            Flag,
            "true: set fees as agreed among fellows again",
        )],
        "set the fees from before joining again, with or without the fleet",
    ),
    command(
        C::HiveRotateKey,
        "hive-rotate-key",
        &[],
        "begin a new epoch with a new member key; the old one is void",
    ),
    command(
        C::HiveRefound,
        "hive-refound",
        &[],
        "found the fleet again after it lost its majority for good",
    ),
];

impl CommandName {
    /// The command of this name or alias.
    pub fn find(text: &str) -> Option<Self> {
        let alias = ALIASES.iter().find(|(alias, _)| *alias == text);
        let spec = COMMANDS.iter().find(|spec| spec.text == text);
        spec.map(|spec| spec.name)
            .or(alias.map(|(_, command)| *command))
    }

    /// Its row in the table.
    pub fn spec(self) -> &'static CommandSpec {
        COMMANDS
            .iter()
            .find(|spec| spec.name == self)
            .expect("the table has a row for each name, as a test says")
    }

    /// Its name as it is typed.
    pub fn as_str(self) -> &'static str {
        self.spec().text
    }

    /// One line that shows the parameters.
    pub fn usage(self) -> String {
        let spec = self.spec();
        let params = spec.params.iter().map(|param| {
            let (open, close) = if param.required { ("", "") } else { ("[", "]") };
            format!(" {open}{}={}{close}", param.name, param.kind)
        });
        format!("{}{}", spec.text, params.collect::<String>())
    }
}

impl fmt::Display for CommandName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for ParamKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Node => f.write_str("<node id>"),
            Action => f.write_str("<action id>"),
            Count => f.write_str("<number>"),
            Text => f.write_str("<text>"),
            List => f.write_str("<word,word>"),
            Flag => f.write_str("true|false"),
            Word(words) => f.write_str(&words.join("|")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_table_names_every_command_once() {
        for spec in COMMANDS {
            assert_eq!(CommandName::find(spec.text), Some(spec.name));
            assert_eq!(json!(spec.name), json!(spec.text));
            let rest = spec.params.iter().skip_while(|param| param.required);
            assert!(rest.clone().all(|param| !param.required), "{}", spec.text);
        }
        // The last name's number: names without a row make the table too short.
        assert_eq!(COMMANDS.len(), CommandName::HiveRefound as usize + 1);
        assert_eq!(
            CommandName::find("revenue-hive-approve"),
            Some(C::HiveApprove)
        );
        assert_eq!(CommandName::find("hive-close"), None);
    }
}
