//! What LND's refusals mean.

use crate::permissions::{Capability, command};
use hive_node::backend::BackendError;
use std::collections::BTreeSet;
use tonic::{Code, Status};

/// Texts with which LND says that it is not ready; it gives them no code of their own.
const NOT_READY: [(&str, &str); 6] = [
    (
        "wallet locked",
        "its wallet is locked; unlock it with `lncli unlock`",
    ),
    (
        "wallet not created",
        "it has no wallet yet; make one with `lncli create`",
    ),
    ("waiting to start", "it waits to be started"),
    ("starting up", "it is starting"),
    ("process of starting", "it is starting"),
    (
        "wallet is fully synced",
        "it has not caught up with the chain",
    ),
];

/// Texts with which LND refuses a macaroon as such.
const BAD_MACAROON: [&str; 5] = [
    "verification failed",
    "cannot get macaroon",
    "macaroon has expired",
    "caveat",
    "cannot retrieve macaroon",
];

/// Whether LND is not ready yet, and what it waits for.
pub(crate) fn not_ready(status: &Status) -> Option<&'static str> {
    let said = status.message();
    let mut known = NOT_READY.iter().filter(|(text, _)| said.contains(text));
    known.next().map(|(_, meaning)| *meaning)
}

/// Whether the call may have reached LND, and what became of it is not known.
pub(crate) fn is_lost(status: &Status) -> bool {
    match status.code() {
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Internal => true,
        // A broken connection has this code and a cause; what LND says has the code alone.
        Code::Unknown => std::error::Error::source(status).is_some(),
        _ => false,
    }
}

/// A call that moves no money failed. `call` is its full method, `there` what the macaroon is for.
pub(crate) fn as_error(
    call: &str,
    status: &Status,
    there: Option<&BTreeSet<Capability>>,
) -> BackendError {
    let said = status.message();
    if let Some(meaning) = not_ready(status) {
        return BackendError::Unreachable(format!("LND answers, but {meaning}"));
    }
    if said.contains("permission denied") {
        let nothing = BTreeSet::new();
        let wanted = Capability::with(call, there.unwrap_or(&nothing));
        let command = command(wanted, there);
        return BackendError::Denied(format!(
            "the macaroon lacks uri:{call}; bake one with the line that {command} prints"
        ));
    }
    if BAD_MACAROON.iter().any(|text| said.contains(text)) {
        let command = command(None, there);
        return BackendError::Denied(format!(
            "LND does not accept the macaroon ({said}); bake a new one with the line that {command} prints"
        ));
    }
    match status.code() {
        Code::Unimplemented => BackendError::Unfit(format!(
            "this LND has no {call}; take a release of {} or later",
            crate::info::LEAST_VERSION
        )),
        Code::OutOfRange => BackendError::Reply(format!("{call}: {said}")),
        _ if is_lost(status) => BackendError::Unreachable(said.to_owned()),
        _ => BackendError::Refused(said.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_what_to_do() {
        let cases = [
            (
                "wallet locked, unlock it to enable full RPC access",
                true,
                "lncli unlock",
            ),
            (
                "the RPC server is in the process of starting up, but not yet ready to accept calls",
                true,
                "starting",
            ),
            (
                "server is still in the process of starting",
                true,
                "starting",
            ),
            ("permission denied", false, "uri:/lnrpc.Lightning/GetInfo"),
            (
                "verification failed: signature mismatch after caveat verification",
                false,
                "bake a new one",
            ),
            ("no such peer", false, "no such peer"),
        ];
        for (said, is_retryable, expected) in cases {
            let error = as_error("/lnrpc.Lightning/GetInfo", &Status::unknown(said), None);
            assert_eq!(error.is_retryable(), is_retryable, "{error}");
            assert!(error.to_string().contains(expected), "{error}");
        }
        let old = as_error("/a.B/C", &Status::unimplemented("unknown service"), None);
        assert!(old.to_string().contains("has no /a.B/C"), "{old}");
    }

    #[test]
    fn what_lnd_says_is_not_lost() {
        assert!(!is_lost(&Status::unknown("peer is not online")));
        assert!(is_lost(&Status::unavailable("")));
        assert!(is_lost(&Status::deadline_exceeded("")));
    }
}
