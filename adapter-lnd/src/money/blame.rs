//! Whose fault it was that LND opened no channel.
//!
//! LND has one code for all of these, so its words tell. What is in neither list is the own node's.

use hive_node::backend::Fault;

/// The peer says no, or LND refuses the terms on which it would say yes.
const REFUSED: [&str; 12] = [
    "received funding error from",
    "channel type not echoed",
    "channel type mismatch",
    "unexpected channel type",
    "minimum depth of",
    "CSV delay too large",
    "channel reserve",
    "minimum HTLC value is too large",
    "maxHtlcs is too",
    "maxValueInFlight too small",
    "dust limit",
    "option upfront shutdown",
];

/// The peer is not there, or went silent on the way.
const AWAY: [&str; 5] = [
    "is not online",
    "is not connected",
    "peer disconnected",
    "timed out waiting for peer",
    "unable to send funding request",
];

/// Whose fault it was, by what LND said.
pub(super) fn of_open(said: &str) -> Fault {
    let says = |texts: &[&str]| texts.iter().any(|text| said.contains(text));
    if says(&REFUSED) {
        return Fault::Peer;
    }
    match says(&AWAY) {
        true => Fault::PeerAway,
        false => Fault::Node,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_tell_a_refusal_from_an_own_fault() {
        let cases = [
            (
                "received funding error from 02ab: chan_id=00, err=chan size of 0.0004 BTC is below min chan size of 0.001 BTC",
                Fault::Peer,
            ),
            (
                "received funding error from 02ab: chan_id=00, err=peer disconnected its other link",
                Fault::Peer,
            ),
            (
                "channel reserve is too large: 900 sat, max is 200 sat",
                Fault::Peer,
            ),
            ("peer 02ab is not online", Fault::PeerAway),
            ("peer disconnected", Fault::PeerAway),
            (
                "reservation timed out waiting for peer (peer_id:02ab, chan_id:00)",
                Fault::PeerAway,
            ),
            (
                "not enough witness outputs to create funding transaction",
                Fault::Node,
            ),
            (
                "channels cannot be created before the wallet is fully synced",
                Fault::Node,
            ),
        ];
        for (said, expected) in cases {
            assert_eq!(of_open(said), expected, "{said}");
        }
    }
}
