//! Permissions: which ones the agent wants, how to bake them, and which ones LND has granted.

mod bake;
mod capability;

pub(crate) use bake::{command, for_mode, text};
pub(crate) use capability::Capability;

use crate::connect::{Link, held};
use crate::proto::lnrpc::{CheckMacPermRequest, MacaroonPermission};
use crate::warnings::Topic;
use capability::{CHECK, Call};
use hive_node::backend::{BackendError, Fault, NotDone};
use hive_types::ActionKind;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use tonic::Code;

/// What LND said of each capability: the calls that are missing. Nothing is known before it was asked, and
/// nothing is refused then: LND itself refuses.
#[derive(Debug, Default)]
pub(crate) struct Grants(Mutex<BTreeMap<Capability, Vec<&'static str>>>);

impl Grants {
    /// Asks LND what the macaroon allows, and tells the operator what changed.
    pub(crate) async fn ask(&self, link: &Link) -> Result<(), BackendError> {
        let mut missing = BTreeMap::<Capability, Vec<&'static str>>::new();
        for capability in Capability::ALL {
            for call in capability.calls() {
                match is_granted(link, call).await? {
                    Some(true) => {}
                    Some(false) => missing.entry(capability).or_default().push(call.method),
                    None => return Ok(()),
                }
            }
        }
        let there: BTreeSet<Capability> = Capability::ALL
            .into_iter()
            .filter(|one| missing.get(one).is_none_or(|calls| one.is_meant(calls)))
            .collect();
        *held(&link.there) = Some(there.clone());
        let lacks = |one: Capability, calls: &[&str]| lacks(one, calls, &there);
        let lacking: Vec<String> = missing
            .iter()
            .filter(|(one, _)| matches!(one, Capability::Member | Capability::Fees))
            .map(|(one, calls)| lacks(*one, calls))
            .collect();
        let lacking = (!lacking.is_empty()).then(|| lacking.join("; "));
        link.warnings.say(Topic::Macaroon, lacking);
        let before = std::mem::replace(&mut *held(&self.0), missing.clone());
        for (capability, calls) in &missing {
            if before.get(capability) != Some(calls) {
                tracing::warn!("switched off: {}", lacks(*capability, calls));
            }
        }
        for capability in before.keys().filter(|one| !missing.contains_key(one)) {
            tracing::info!("switched on: {}", capability.about());
        }
        Ok(())
    }

    /// Refuses an action that LND would refuse.
    pub(crate) fn admit(&self, link: &Link, kind: ActionKind) -> Result<(), NotDone> {
        let capability = Capability::of(kind);
        if !held(&self.0).contains_key(&capability) {
            return Ok(());
        }
        let there = held(&link.there).clone().unwrap_or_default();
        let lacks = lacks(capability, &[], &there);
        Err(NotDone::new(Fault::Operator, lacks))
    }
}

/// What is switched off, and what to do.
fn lacks(capability: Capability, calls: &[&str], there: &BTreeSet<Capability>) -> String {
    let about = capability.about();
    let named = match calls {
        [] => String::new(),
        calls => format!(" (it lacks {})", calls.join(", ")),
    };
    let command = command(Some(capability), Some(there));
    let wish = match capability {
        Capability::Member | Capability::Fees => "",
        _ => " if you want that",
    };
    format!(
        "the macaroon does not let the agent {about}{named}; bake one with the line that {command} prints{wish}"
    )
}

/// `None` when LND does not answer such questions with this macaroon.
async fn is_granted(link: &Link, call: &Call) -> Result<Option<bool>, BackendError> {
    let request = CheckMacPermRequest {
        macaroon: link.macaroon(),
        // A broad macaroon has this, a baked one the method itself; either is enough.
        permissions: vec![MacaroonPermission {
            entity: call.entity.to_owned(),
            action: call.action.to_owned(),
        }],
        full_method: call.method.to_owned(),
    };
    let mut client = link.lightning();
    match link.wait(client.check_macaroon_permissions(request)).await {
        Ok(said) => Ok(Some(said.valid)),
        Err(status) if status.code() == Code::InvalidArgument => Ok(Some(false)),
        Err(status) => match link.error(CHECK, &status) {
            BackendError::Denied(reason) => {
                tracing::warn!(reason, "what the macaroon allows is not known");
                Ok(None)
            }
            error => Err(error),
        },
    }
}
