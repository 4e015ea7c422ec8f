//! Whose fault it was that Core Lightning opened no channel.

use crate::rpc::CallError;
use hive_node::backend::{BackendError, Fault};
use serde_json::Value;

/// lightningd's codes for a peer that is not there.
const AWAY: [i32; 5] = [305, 306, 400, 401, 402];

/// Codes with which `fundchannel` hands on that the talk with the peer came to nothing: in general, by the
/// size that the peer takes at most, and in a state that the peer left it in.
const TALK: [i32; 3] = [-1, 300, 312];

/// How a talk that broke off is told, where none of the above is.
const BROKEN_OFF: [&str; 3] = ["isconnect", "onnection lost", "Owning subdaemon"];

/// A talk that did not begin, as lightningd has another one with this peer.
const BUSY: &str = "Already funding";

/// Of a `connect` or a `fundchannel` that failed. The latter is made of calls of its own, and names the peer where
/// one of those failed that a peer takes part in.
pub(super) fn of_open(error: &CallError) -> Fault {
    let CallError::Refused {
        code,
        message,
        data,
    } = error
    else {
        return BackendError::from(error.clone()).fault();
    };
    let detail = |name: &str| {
        let data = data.as_ref()?;
        data.get(name).and_then(Value::as_str)
    };
    let is_broken_off = BROKEN_OFF.iter().any(|text| message.contains(text));
    let is_talk = TALK.contains(code) && detail("id").is_some();
    match is_talk {
        _ if AWAY.contains(code) || detail("method") == Some("connect") => Fault::PeerAway,
        true if is_broken_off => Fault::PeerAway,
        true if !message.contains(BUSY) => Fault::Peer,
        _ => Fault::Node,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn codes_and_the_failed_call_tell_a_refusal_from_an_own_fault() {
        let of_peer = |method: &str| Some(json!({"id": "02ab", "method": method}));
        let cases = [
            (
                -1,
                "They sent ERROR: channel too small",
                of_peer("fundchannel_start"),
                Fault::Peer,
            ),
            (
                -1,
                "They sent WARNING: no",
                of_peer("openchannel_init"),
                Fault::Peer,
            ),
            (
                300,
                "Amount exceeded",
                of_peer("fundchannel_start"),
                Fault::Peer,
            ),
            (
                -1,
                "Disconnected",
                of_peer("fundchannel_start"),
                Fault::PeerAway,
            ),
            (
                -1,
                "Already funding channel",
                of_peer("fundchannel_start"),
                Fault::Node,
            ),
            (
                401,
                "All addresses failed",
                of_peer("connect"),
                Fault::PeerAway,
            ),
            (400, "no address known", None, Fault::PeerAway),
            (
                305,
                "Peer not connected",
                of_peer("fundchannel_start"),
                Fault::PeerAway,
            ),
            (301, "Could not afford", None, Fault::Node),
            (304, "Still syncing with bitcoin", None, Fault::Node),
            (-1, "an input is reserved", None, Fault::Node),
        ];
        for (code, message, data, expected) in cases {
            let message = message.to_owned();
            let said = format!("{code} {message}");
            let error = CallError::Refused {
                code,
                message,
                data,
            };
            assert_eq!(of_open(&error), expected, "{said}");
        }
        let unsent = CallError::Unsent("no socket".into());
        assert_eq!(of_open(&unsent), Fault::Node);
    }
}
