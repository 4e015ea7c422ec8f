//! An oracle of a few lines: the program that an agent in oracle mode asks before it spends.
//!
//! Its rule: channels up to so many sat are approved, of larger ones that much, everything else as long
//! as it costs under 100 sat. Write your own rule in [`rule`]; the rest is reading a question that is
//! signed, and signing the answer. Whatever else an agent gets, an error, silence, a bad signature,
//! leaves the decision to the operator.
//!
//! ```text
//! openssl rand -hex 32 > oracle.secret && chmod 600 oracle.secret
//! cargo run -p examples --bin oracle -- 127.0.0.1:8645 oracle.secret 2000000
//! ```
//!
//! It speaks plain HTTP, which an agent accepts from its own machine only. On another machine put a
//! server that speaks TLS in front, with nginx `location / { proxy_pass http://127.0.0.1:8645; }` in a
//! `server` with a certificate; or reach it as a hidden service through Tor, with `proxy` set.

use hive_policy::oracle::{
    DecisionPacket, OracleReply, OracleVerdict, PACKET_VERSION, PacketAction,
};
use hive_policy::signature::{HEADER, Secret, sign, verify};
use hive_types::{Msat, Sat, UnixMillis};
use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A question has a few kilobytes; who sends more is no agent.
const QUESTION_BYTES: u64 = 1 << 20;

/// What is approved without looking closer.
const SMALL_COST: Msat = Msat::new(100_000);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [listen, secret_file, most] = arguments.as_slice() else {
        return Err("usage: oracle ADDRESS:PORT SECRET_FILE LARGEST_CHANNEL_SAT".into());
    };
    let secret = std::fs::read(secret_file)?;
    let secret = Secret::new(secret.trim_ascii_end().to_vec())?;
    let most = Sat::new(most.parse()?);
    let listener = TcpListener::bind(listen)?;
    println!("listening on {}", listener.local_addr()?);
    for stream in listener.incoming() {
        // One at a time: an agent asks rarely, and its question waits for the operator meanwhile.
        if let Err(reason) = stream
            .map_err(Into::into)
            .and_then(|s| serve(s, &secret, most))
        {
            println!("no answer: {reason}");
        }
    }
    Ok(())
}

/// Says yes, no, or how much.
fn rule(packet: &DecisionPacket, most: Sat) -> OracleReply {
    let (verdict, amount_sat, reason) = match &packet.proposal.action {
        PacketAction::Open { .. } if most.is_zero() => {
            (OracleVerdict::Deny, None, "no channels".to_owned())
        }
        PacketAction::Open { capacity_sat, .. } if *capacity_sat > most => {
            let reason = format!("a channel, but of {most}");
            (OracleVerdict::Approve, Some(most), reason)
        }
        PacketAction::Open { .. } => {
            let reason = format!("a channel of at most {most}");
            (OracleVerdict::Approve, None, reason)
        }
        _ if packet.proposal.cost_msat <= SMALL_COST => {
            (OracleVerdict::Approve, None, "it costs little".to_owned())
        }
        _ => (OracleVerdict::Deny, None, "it costs too much".to_owned()),
    };
    OracleReply {
        version: PACKET_VERSION,
        action: packet.action,
        nonce: packet.nonce,
        verdict,
        reason,
        amount_sat,
    }
}

fn serve(mut stream: TcpStream, secret: &Secret, most: Sat) -> Result<(), Box<dyn Error>> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let (signature, body) = read(&stream)?;
    let answer = verify(secret.as_bytes(), &signature, &body, now())
        .map_err(|reason| ("401 Unauthorized", reason.to_string()))
        .and_then(|()| {
            serde_json::from_slice::<DecisionPacket>(&body)
                .map_err(|reason| ("400 Bad Request", reason.to_string()))
        });
    let packet = match answer {
        Ok(packet) => packet,
        Err((status, reason)) => {
            write!(
                stream,
                "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )?;
            return Err(reason.into());
        }
    };
    let reply = rule(&packet, most);
    println!(
        "{:?}: {} ({})",
        reply.verdict, packet.proposal.summary, reply.reason
    );
    let body = serde_json::to_vec(&reply)?;
    let signature = sign(secret.as_bytes(), now(), &body);
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         {HEADER}: {signature}\r\nConnection: close\r\n\r\n"
    )?;
    Ok(stream.write_all(&body)?)
}

/// The signature and the body of a POST.
fn read(stream: &TcpStream) -> Result<(String, Vec<u8>), Box<dyn Error>> {
    let mut reader = BufReader::new(stream.take(QUESTION_BYTES));
    let (mut signature, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            match line.trim_end().is_empty() {
                true => break,
                // The request line: whatever the path, there is one question.
                false => continue,
            }
        };
        if name.eq_ignore_ascii_case(HEADER) {
            signature = value.to_owned();
        } else if name.eq_ignore_ascii_case("content-length") {
            length = value.parse::<u64>()?.min(QUESTION_BYTES);
        }
    }
    let mut body = Vec::new();
    reader.take(length).read_to_end(&mut body)?;
    Ok((signature, body))
}

fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let millis = since.unwrap_or_default().as_millis();
    UnixMillis::new(u64::try_from(millis).unwrap_or(u64::MAX))
}
