//! What answers at an oracle's address: sometimes the oracle, mostly something else.
//!
//! Questions come together, each over a connection of its own. Answers are given in the order of the
//! questions' actions, so that chance on the network decides nothing.

use crate::failure::Failure;
use hive_policy::oracle::{
    DecisionPacket, OracleReply, OracleVerdict, PACKET_VERSION, PacketAction,
};
use hive_policy::signature::{HEADER, Secret, sign, verify};
use hive_types::{ActionId, Nonce, Sat};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Questions of one plan come within this of each other, on the wall.
const TOGETHER: Duration = Duration::from_millis(200);

/// A connection that hangs is given up by the agent long before.
const HANGING: Duration = Duration::from_secs(30);

/// The most that a question has.
const QUESTION_BYTES: usize = 1 << 20;

/// An answer that is far too long.
const HUGE_BYTES: usize = 10_000_000;

/// How a question is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Yes, as the oracle says it.
    Approves,
    /// Not at all.
    Hangs,
    /// The connection ends.
    HangsUp,
    /// Status 500.
    Breaks,
    /// Points to another server.
    Redirects,
    /// Words that any person would understand.
    Prose,
    /// Ten megabytes.
    Huge,
    /// A yes without a signature.
    Unsigned,
    /// A yes, signed by somebody else.
    OtherSecret,
    /// A yes to a question that nobody asked, signed.
    OtherNonce,
    /// The oracle's yes to an earlier question, as it was.
    Replayed,
    /// A yes to twice the amount, signed.
    Larger,
}

/// What was asked, and how it was answered.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) answered: Vec<(ActionId, Answer)>,
    /// Questions whose signature was the agent's.
    pub(super) genuine: usize,
}

/// The server.
pub(super) struct Impostor {
    listener: TcpListener,
    secret: Secret,
    answers: Vec<Answer>,
    asked: Arc<Mutex<Asked>>,
    recorded: Option<Vec<u8>>,
}

struct Question {
    stream: TcpStream,
    packet: DecisionPacket,
    is_genuine: bool,
}

impl Impostor {
    /// A server that gives these answers, then the last of them for ever. `listener` is not blocking.
    pub(super) fn new(
        listener: std::net::TcpListener,
        secret: Secret,
        answers: Vec<Answer>,
    ) -> Result<(Self, Arc<Mutex<Asked>>), Failure> {
        let asked = Arc::new(Mutex::new(Asked::default()));
        let server = Self {
            listener: TcpListener::from_std(listener)?,
            secret,
            answers,
            asked: asked.clone(),
            recorded: None,
        };
        Ok((server, asked))
    }

    /// Answers for ever.
    pub(super) async fn serve(mut self) {
        loop {
            let Some(first) = self.question().await else {
                continue;
            };
            let mut together = vec![first];
            while let Ok(next) = timeout(TOGETHER, self.question()).await {
                together.extend(next);
            }
            together.sort_by_key(|question| question.packet.action);
            for question in together {
                self.answer(question).await;
            }
        }
    }

    async fn question(&self) -> Option<Question> {
        let (mut stream, _) = self.listener.accept().await.ok()?;
        let (signature, body) = read_request(&mut stream).await?;
        let packet: DecisionPacket = serde_json::from_slice(&body).ok()?;
        let now = packet.issued_at_unix_ms;
        let verified = verify(self.secret.as_bytes(), &signature, &body, now);
        Some(Question {
            stream,
            packet,
            is_genuine: verified.is_ok(),
        })
    }

    async fn answer(&mut self, question: Question) {
        let Question {
            mut stream,
            packet,
            is_genuine,
        } = question;
        let answer = {
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            let number = asked.answered.len().min(self.answers.len() - 1);
            let answer = self.answers[number];
            asked.answered.push((packet.action, answer));
            asked.genuine += usize::from(is_genuine);
            answer
        };
        match answer {
            Answer::Hangs => {
                tokio::spawn(async move {
                    tokio::time::sleep(HANGING).await;
                    drop(stream);
                });
            }
            Answer::HangsUp => {}
            answer => {
                let bytes = self.bytes(answer, &packet);
                // Whoever does not listen to the end hears less.
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
            }
        }
    }

    fn bytes(&mut self, answer: Answer, packet: &DecisionPacket) -> Vec<u8> {
        let own = self.secret.clone();
        let yes = reply(packet);
        match answer {
            Answer::Approves => {
                let bytes = signed(&own, &yes, packet);
                self.recorded = Some(bytes.clone());
                bytes
            }
            Answer::Replayed => self.recorded.clone().unwrap_or_default(),
            Answer::Unsigned => http("200 OK", "", &json(&yes)),
            Answer::OtherSecret => match Secret::new(vec![0x55; 32]) {
                Ok(other) => signed(&other, &yes, packet),
                Err(_) => Vec::new(),
            },
            Answer::OtherNonce => {
                let other = OracleReply {
                    nonce: Nonce::from_bytes([0x77; 32]),
                    ..yes
                };
                signed(&own, &other, packet)
            }
            Answer::Larger => {
                let more = OracleReply {
                    amount_sat: twice(packet),
                    ..yes
                };
                signed(&own, &more, packet)
            }
            Answer::Breaks => http("500 Internal Server Error", "", b"{}"),
            Answer::Redirects => {
                let elsewhere = "Location: http://127.0.0.1:9/yes\r\n";
                http("307 Temporary Redirect", elsewhere, b"")
            }
            Answer::Prose => http("200 OK", "", b"Yes, of course, APPROVE all of it."),
            Answer::Huge => http("200 OK", "", &vec![b' '; HUGE_BYTES]),
            Answer::Hangs | Answer::HangsUp => Vec::new(),
        }
    }
}

/// The oracle's yes.
fn reply(packet: &DecisionPacket) -> OracleReply {
    OracleReply {
        version: PACKET_VERSION,
        action: packet.action,
        nonce: packet.nonce,
        verdict: OracleVerdict::Approve,
        reason: "as told".to_owned(),
        amount_sat: None,
    }
}

fn twice(packet: &DecisionPacket) -> Option<Sat> {
    match &packet.proposal.action {
        PacketAction::Open { capacity_sat, .. } => Some(Sat::new(2 * capacity_sat.get())),
        _ => None,
    }
}

fn json(reply: &OracleReply) -> Vec<u8> {
    serde_json::to_vec(reply).unwrap_or_default()
}

fn signed(secret: &Secret, reply: &OracleReply, packet: &DecisionPacket) -> Vec<u8> {
    let body = json(reply);
    let signature = sign(secret.as_bytes(), packet.issued_at_unix_ms, &body);
    http("200 OK", &format!("{HEADER}: {signature}\r\n"), &body)
}

fn http(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// A request's signature and body.
async fn read_request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(request) = whole(&bytes) {
            return Some(request);
        }
        let mut part = [0; 4_096];
        let read = stream.read(&mut part).await.ok()?;
        bytes.extend_from_slice(part.get(..read)?);
        if read == 0 || bytes.len() > QUESTION_BYTES {
            return None;
        }
    }
}

/// The request, when all of it is there.
fn whole(bytes: &[u8]) -> Option<(String, Vec<u8>)> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(bytes.get(..end)?).ok()?;
    let header = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(':'));
        let found = lines.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim())
    };
    let length: usize = header("content-length")?.parse().ok()?;
    let body = bytes.get(end + 4..)?;
    let body = body.get(..length)?;
    Some((header(HEADER)?.to_owned(), body.to_vec()))
}
