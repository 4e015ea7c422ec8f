//! What one call of the machine wants done: changes to be stored, then everything else in order.

use crate::event::Event;
use crate::io::{AuditEntry, Change, ChangeSet, Output};
use hive_proto::Message;
use hive_types::{ActionId, NodeId, UnixMillis};

/// Collects outputs. All changes of one call become durable together and before anything else of it
/// leaves, so no order between a change and what it guards can be got wrong.
#[derive(Default)]
pub(crate) struct Outbox {
    changes: Vec<Change>,
    effects: Vec<Output>,
}

impl Outbox {
    pub(crate) fn store(&mut self, change: Change) {
        self.changes.push(change);
    }

    pub(crate) fn audit(
        &mut self,
        wall: UnixMillis,
        subject: &str,
        action: Option<ActionId>,
        text: String,
    ) {
        let subject = subject.to_owned();
        self.store(Change::Audit(AuditEntry {
            wall,
            subject,
            action,
            text,
        }));
    }

    pub(crate) fn push(&mut self, effect: Output) {
        self.effects.push(effect);
    }

    pub(crate) fn emit(&mut self, event: Event) {
        self.push(Output::Emit(event));
    }

    /// Sends a message. One that no frame holds is a defect of its maker; it is dropped with an alert
    /// instead of stopping the agent.
    pub(crate) fn send(&mut self, to: NodeId, message: &Message) {
        match message.to_frame() {
            Ok(bytes) => self.push(Output::Send { to, bytes }),
            Err(error) => self.emit(Event::Alert {
                text: format!(
                    "a message to {} was not sent: {error}; report this",
                    to.short()
                ),
            }),
        }
    }

    /// Everything, changes first.
    pub(crate) fn take(&mut self) -> Vec<Output> {
        let changes = std::mem::take(&mut self.changes);
        let mut outputs = Vec::with_capacity(self.effects.len() + 1);
        if !changes.is_empty() {
            outputs.push(Output::Persist(ChangeSet { changes }));
        }
        outputs.append(&mut self.effects);
        outputs
    }
}
