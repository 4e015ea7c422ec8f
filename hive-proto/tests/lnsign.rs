//! `signmessage` signatures that Core Lightning, LND and rust-lightning made.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use data_encoding::HEXLOWER;
use hive_proto::{NodeSignature, NodeSignatureError};
use hive_types::NodeId;
use secp256k1::SecretKey;
use serde_json::Value;

fn vectors() -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("vectors/lnsign.json")).unwrap();
    file["vectors"].as_array().unwrap().clone()
}

fn text<'a>(vector: &'a Value, field: &str) -> &'a str {
    vector[field].as_str().unwrap()
}

#[test]
fn t14_signatures_of_other_implementations_verify_with_no_graph() {
    assert!(vectors().len() >= 10);
    for vector in vectors() {
        let node: NodeId = text(&vector, "node_id").parse().unwrap();
        let message = text(&vector, "message");
        let signature = NodeSignature::parse(text(&vector, "zbase")).unwrap();
        assert_eq!(signature.verify(message, &node), Ok(()), "{vector}");
        assert_eq!(signature.to_string(), text(&vector, "zbase"));
        let other = format!("{message}.");
        assert!(signature.verify(&other, &node).is_err());
    }
}

#[test]
fn signing_gives_the_same_signature_as_other_implementations() {
    let mut signed = 0;
    for vector in vectors() {
        let Some(secret) = vector["secret"].as_str() else {
            continue;
        };
        let secret = HEXLOWER.decode(secret.as_bytes()).unwrap();
        let secret = SecretKey::from_slice(&secret).unwrap();
        let signature = NodeSignature::sign(text(&vector, "message"), &secret);
        assert_eq!(signature.to_string(), text(&vector, "zbase"));
        signed += 1;
    }
    assert_eq!(signed, 1);
}

#[test]
fn what_is_no_signature_is_refused() {
    let good = text(&vectors()[0], "zbase").to_owned();
    let node: NodeId = text(&vectors()[0], "node_id").parse().unwrap();
    let message = text(&vectors()[0], "message").to_owned();
    let encoding = Err(NodeSignatureError::Encoding);
    assert_eq!(NodeSignature::parse(""), encoding);
    assert_eq!(NodeSignature::parse(&good[1..]), encoding);
    assert_eq!(NodeSignature::parse(&format!("{good}y")), encoding);
    assert_eq!(NodeSignature::parse(&good.replace('9', "l")), encoding);
    assert_eq!(NodeSignature::parse(&good.to_uppercase()), encoding);
    let headless = format!("yy{}", &good[2..]);
    let signature = NodeSignature::parse(&headless).unwrap();
    assert_eq!(
        signature.verify(&message, &node),
        Err(NodeSignatureError::Recovery)
    );
    let zeros = NodeSignature::parse(&format!("d9{}", "y".repeat(102))).unwrap();
    assert!(zeros.verify(&message, &node).is_err());
}
