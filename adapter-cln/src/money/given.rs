//! Which run of lightningd an open was given to, noted in the node's own datastore before the call.
//!
//! lightningd reserves the inputs of an open for two weeks. When it dies before it has the channel in its database,
//! nothing of the open is left but that reservation: what would sign and publish it died too. A later run can
//! therefore say for certain that the open never happened, where the same run may still be at it.

use crate::limits::WITHHELD_BLOCKS;
use crate::rpc::{CallError, Method, Rpc};
use bitcoin::absolute::LockTime;
use bitcoin::hashes::Hash;
use bitcoin::transaction::Version;
use bitcoin::{ScriptBuf, Sequence, TxIn, TxOut, Witness};
use hive_types::{ActionId, OutPoint};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

/// More blocks than lightningd reserves inputs for: all of a reservation.
const WHOLE_RESERVATION: u32 = 100_000;

/// The key of an action's note.
type Key = [String; 3];

fn key(id: ActionId) -> Key {
    ["hive".into(), "open".into(), id.to_string()]
}

#[derive(Debug, Serialize)]
struct Datastore {
    key: Key,
    string: String,
    mode: &'static str,
}

impl Method for Datastore {
    const NAME: &'static str = "datastore";
    type Reply = IgnoredAny;
}

#[derive(Debug, Serialize)]
struct Listdatastore {
    key: Key,
}

impl Method for Listdatastore {
    const NAME: &'static str = "listdatastore";
    type Reply = Notes;
}

#[derive(Debug, Deserialize)]
struct Notes {
    datastore: Vec<Note>,
}

#[derive(Debug, Deserialize)]
struct Note {
    string: Option<String>,
}

#[derive(Debug, Serialize)]
struct Deldatastore {
    key: Key,
}

impl Method for Deldatastore {
    const NAME: &'static str = "deldatastore";
    type Reply = IgnoredAny;
}

#[derive(Debug, Serialize)]
struct Unreserveinputs {
    psbt: String,
    reserve: u32,
}

impl Method for Unreserveinputs {
    const NAME: &'static str = "unreserveinputs";
    type Reply = IgnoredAny;
}

#[derive(Debug, Serialize)]
struct Reserveinputs {
    psbt: String,
    exclusive: bool,
    reserve: u32,
}

impl Method for Reserveinputs {
    const NAME: &'static str = "reserveinputs";
    type Reply = IgnoredAny;
}

/// Where an open stands that has left no transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// This run of the node may be at it.
    Now,
    /// The run that had it is over.
    Earlier,
    /// No run was given it, or what became of it was told.
    Never,
}

/// Notes that this run of the node is about to be given the open.
pub(super) async fn note(rpc: &Rpc, id: ActionId) -> Result<(), CallError> {
    let run = rpc.run();
    let string = run.ok_or_else(|| CallError::Unsent("lightningd has no socket".into()))?;
    let mode = "create-or-replace";
    let key = key(id);
    rpc.call(&Datastore { key, string, mode }).await.map(drop)
}

/// Which run was given the open.
pub(super) async fn to(rpc: &Rpc, id: ActionId) -> Result<Given, CallError> {
    let notes = rpc.call(&Listdatastore { key: key(id) }).await?.datastore;
    let noted = notes.into_iter().find_map(|note| note.string);
    Ok(match (noted, rpc.run()) {
        (None, _) => Given::Never,
        (Some(noted), Some(now)) if noted != now => Given::Earlier,
        (Some(_), _) => Given::Now,
    })
}

/// What became of the open is known.
pub(super) async fn forget(rpc: &Rpc, id: ActionId) {
    // A note that stays says nothing that is not so.
    let _ = rpc.call(&Deldatastore { key: key(id) }).await;
}

/// Frees what an earlier run reserved for an open that will not be.
pub(super) async fn release(rpc: &Rpc, inputs: &[OutPoint]) {
    let request = Unreserveinputs {
        psbt: psbt(inputs),
        reserve: WHOLE_RESERVATION,
    };
    if let Err(reason) = rpc.call(&request).await {
        tracing::warn!(%reason, "inputs of an open that never happened stay reserved; unreserveinputs frees them");
    }
}

/// Reserves the inputs of an open that this run may have been given and not begun: it funds from unreserved inputs
/// only, so it can't begin any more. `false` where it has begun.
pub(super) async fn withhold(rpc: &Rpc, inputs: &[OutPoint]) -> Result<bool, CallError> {
    let request = Reserveinputs {
        psbt: psbt(inputs),
        exclusive: true,
        reserve: WITHHELD_BLOCKS,
    };
    match rpc.call(&request).await {
        Ok(_) => {
            tracing::warn!(
                blocks = WITHHELD_BLOCKS,
                "the inputs of an open that came to nothing stay reserved for a while, as the node may still be connecting; unreserveinputs frees them"
            );
            Ok(true)
        }
        Err(CallError::Refused { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// A BIP 174 transaction that spends the inputs and pays nobody, in base64: lightningd takes the inputs from it.
fn psbt(inputs: &[OutPoint]) -> String {
    let transaction = bitcoin::Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: inputs.iter().map(spending).collect(),
        output: vec![TxOut {
            value: bitcoin::Amount::ZERO,
            script_pubkey: ScriptBuf::new(),
        }],
    };
    let raw = bitcoin::consensus::serialize(&transaction);
    let mut bytes = b"psbt\xff".to_vec();
    // One key of one byte: the unsigned transaction.
    bytes.extend([1, 0]);
    bytes.extend(bitcoin::consensus::serialize(&raw));
    // The end of the global map, then an empty map for each input and for the output.
    bytes.resize(bytes.len() + 1 + inputs.len() + 1, 0);
    base64(&bytes)
}

fn spending(input: &OutPoint) -> TxIn {
    TxIn {
        previous_output: bitcoin::OutPoint {
            txid: bitcoin::Txid::from_byte_array(*input.txid.as_bytes()),
            vout: input.vout,
        },
        script_sig: ScriptBuf::new(),
        sequence: Sequence::MAX,
        witness: Witness::new(),
    }
}

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |sextet: u32| {
        let place = usize::try_from(sextet & 63).unwrap_or_default();
        DIGITS.get(place).copied().map_or('A', char::from)
    };
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let of = |place: usize| chunk.get(place).copied().map_or(0, u32::from);
        let word = of(0) << 16 | of(1) << 8 | of(2);
        let digits = [18, 12, 6, 0].map(|shift| digit(word >> shift));
        for (place, digit) in digits.into_iter().enumerate() {
            text.push(if place <= chunk.len() { digit } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        let pairs = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ];
        for (plain, coded) in pairs {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn the_inputs_stand_in_the_psbt() {
        let input = OutPoint {
            txid: hive_types::Txid::from_bytes([0x11; 32]),
            vout: 3,
        };
        // Magic, one global map, 60 bytes of transaction, three ends of maps.
        let transaction = format!(
            "0200000001{}03000000 00 ffffffff 01 0000000000000000 00 00000000",
            "11".repeat(32)
        );
        let expected = format!("70736274ff 01 00 3c {transaction} 00 00 00").replace(' ', "");
        let bytes = hex::decode(&expected).unwrap();
        assert_eq!(psbt(&[input]), base64(&bytes));
    }
}
