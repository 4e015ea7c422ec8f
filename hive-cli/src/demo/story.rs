//! What happens, as lines for people and as a record for the checks.

use super::view::View;
use crate::embedded::Ground;
use hive_core::Event;
use hive_types::{Action, Millis, NodeId, UnixMillis};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::broadcast::{self, error::RecvError};

/// One event of one member.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) who: String,
    pub(crate) event: Event,
}

/// Everything that members told.
pub(crate) struct Story {
    ground: Arc<Ground>,
    begin: UnixMillis,
    names: BTreeMap<NodeId, String>,
    view: Arc<View>,
    /// Whether only the narrator speaks.
    is_narrated: bool,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    heard: Vec<Heard>,
    lines: Vec<String>,
    /// What the fleet decided is told once, not by every member.
    told: BTreeSet<String>,
}

impl Story {
    pub(crate) fn new(
        ground: Arc<Ground>,
        names: BTreeMap<NodeId, String>,
        view: Arc<View>,
    ) -> Arc<Self> {
        Arc::new(Self::of(ground, names, view, false))
    }

    /// A story of which only the narrator's lines are shown.
    pub(crate) fn narrated(
        ground: Arc<Ground>,
        names: BTreeMap<NodeId, String>,
        view: Arc<View>,
    ) -> Arc<Self> {
        Arc::new(Self::of(ground, names, view, true))
    }

    fn of(
        ground: Arc<Ground>,
        names: BTreeMap<NodeId, String>,
        view: Arc<View>,
        is_narrated: bool,
    ) -> Self {
        Self {
            begin: ground.now(),
            ground,
            names,
            view,
            is_narrated,
            inner: Mutex::default(),
        }
    }

    /// Listens to a member until its agent ends.
    pub(crate) async fn follow(
        self: Arc<Self>,
        who: String,
        mut events: broadcast::Receiver<Event>,
    ) {
        loop {
            match events.recv().await {
                Ok(event) => self.hear(&who, event),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// Simulated time since the beginning.
    pub(crate) fn elapsed(&self) -> Millis {
        Millis::new(self.ground.now().get() - self.begin.get())
    }

    /// A line of the narrator's.
    pub(crate) fn tell(&self, text: &str) {
        self.line("", text);
    }

    /// How the member or node is called.
    pub(crate) fn name(&self, node: &NodeId) -> String {
        let name = self.names.get(node).cloned();
        name.unwrap_or_else(|| node.short())
    }

    /// Events so far.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.inner().heard.clone()
    }

    /// Lines so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.inner().lines.clone()
    }

    /// Keeps the live view's clock going.
    pub(crate) fn tick(&self) {
        self.view.tick(self.elapsed());
    }

    fn hear(&self, who: &str, event: Event) {
        let (who_says, text) = match &event {
            event if fleet_event(event) => ("the fleet", self.fleet_line(event)),
            event => (who, self.member_line(event)),
        };
        let is_new = {
            let mut inner = self.inner();
            let key = format!("{who_says} {text:?}");
            let heard = Heard {
                who: who.to_owned(),
                event,
            };
            inner.heard.push(heard);
            who_says != "the fleet" || inner.told.insert(key)
        };
        if let Some(text) = text.filter(|_| is_new && !self.is_narrated) {
            self.line(who_says, &text);
        }
    }

    fn line(&self, who: &str, text: &str) {
        let secs = self.elapsed().as_secs();
        let at = format!("{}:{:02}:{:02}", secs / 3_600, secs / 60 % 60, secs % 60);
        let line = match who {
            "" => format!("{at}  {text}"),
            who => format!("{at}  {who:<10} {text}"),
        };
        self.view.line(&line);
        self.inner().lines.push(line);
    }

    fn fleet_line(&self, event: &Event) -> Option<String> {
        Some(match event {
            Event::MemberAdmitted { node } => format!("admits {}", self.name(node)),
            Event::MemberPromoted { node } => format!("makes {} a full member", self.name(node)),
            Event::MemberExpelled { node } => format!("expels {}", self.name(node)),
            Event::MemberLeft { node } => format!("goes on without {}", self.name(node)),
            Event::Locked {
                target,
                holder,
                height,
            } => format!(
                "locks {} for {} at block {height}",
                self.name(target),
                self.name(holder)
            ),
            Event::Unlocked { target, holder } => {
                format!("frees {}, held by {}", self.name(target), self.name(holder))
            }
            _ => return None,
        })
    }

    fn member_line(&self, event: &Event) -> Option<String> {
        Some(match event {
            Event::Founded { hive } => format!("founds the hive {}", short(&hive.to_string())),
            Event::Joined { hive } => format!("joins the hive {}", short(&hive.to_string())),
            Event::Left => "has left the fleet".to_owned(),
            Event::HandshakeFailed { peer, reason } => {
                format!("ends the handshake with {}: {reason}", self.name(peer))
            }
            Event::LockLost { target, reason } => {
                format!("does not get {}: {reason}", self.name(target))
            }
            Event::Proposed { proposal, .. } => {
                format!("proposes: {}", proposal.explanation.summary)
            }
            Event::Acting { proposal, .. } if is_spending(&proposal.action) => {
                format!("begins: {}", proposal.explanation.summary)
            }
            Event::Opened {
                target, capacity, ..
            } => format!("opened {capacity} to {}", self.name(target)),
            Event::Pushed {
                beneficiary,
                amount,
                fee,
                ..
            } => {
                let to = beneficiary.map_or_else(String::new, |to| self.name(&to));
                format!("pushed {} to {to} for {fee}", amount.to_sat_floor())
            }
            Event::ActionFailed { reason, .. } => format!("could not act: {reason}"),
            Event::Equivocation { author } => {
                format!("holds proof that {} forked", self.name(author))
            }
            Event::Restored => "was restored from a backup: begins a new epoch".to_owned(),
            Event::CloneMet => "met a copy of itself and stops".to_owned(),
            Event::BadPeer { peer, reason } => format!("refuses {}: {reason}", self.name(peer)),
            Event::Alert { text } => format!("alert: {text}"),
            _ => return None,
        })
    }

    /// Whole after every statement.
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What all members tell alike.
fn fleet_event(event: &Event) -> bool {
    matches!(
        event,
        Event::MemberAdmitted { .. }
            | Event::MemberPromoted { .. }
            | Event::MemberExpelled { .. }
            | Event::MemberLeft { .. }
            | Event::Locked { .. }
            | Event::Unlocked { .. }
    )
}

const fn is_spending(action: &Action) -> bool {
    matches!(action, Action::Open(_) | Action::Rebalance(_))
}

fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}
