//! Two members in memory: the state machines alone, no runtime, no network, no disk.
//!
//! Whoever drives a machine feeds it inputs and performs its outputs in order. Here a loop does so, with
//! a queue for the wire and a [`Stored`] for the disk: `cargo run -p examples --bin two_members`

use hive_core::{Command, CommandId, Hive, Input, Output, Reply, Snapshot, Stored};
use hive_node::backend::NodeInfo;
use hive_node::config::Config;
use hive_proto::NodeSignature;
use hive_types::{
    BlockHeight, BootId, Capabilities, Elapsed, Millis, Network, NodeId, Now, Tier, UnixMillis,
};
use secp256k1::{SECP256K1, SecretKey};
use std::{collections::VecDeque, error::Error, path::Path};

const NAMES: [&str; 2] = ["alice", "bob"];

struct Member {
    node: NodeId,
    secret: SecretKey,
    hive: Hive,
    disk: Stored,
}

impl Member {
    fn new(number: u8) -> Result<Self, Box<dyn Error>> {
        let secret = SecretKey::from_slice(&[number; 32])?;
        let node = NodeId::from_bytes(secret.public_key(SECP256K1).serialize())?;
        let info = NodeInfo {
            node_id: node,
            network: Network::Regtest,
            alias: String::new(),
            version: String::new(),
            synced: true,
            height: BlockHeight::new(800_000),
            features: vec![],
            addresses: vec!["127.0.0.1:9735".into()],
        };
        let config = Config::in_folder(Path::new(".")).for_machine(&info);
        // A real agent takes its seed from the system: keys are made from it.
        let hive = Hive::new(config, [number; 32], Snapshot::default(), now(0));
        let disk = Stored::default();
        Ok(Self {
            node,
            secret,
            hive,
            disk,
        })
    }
}

struct Pair {
    members: [Member; 2],
    wire: VecDeque<(usize, Vec<u8>)>,
    millis: u64,
    reply: Option<Reply>,
}

fn now(millis: u64) -> Now {
    Now {
        wall: UnixMillis::new(1_760_000_000_000 + millis),
        elapsed: Elapsed::new(millis),
        boot: BootId::new(1),
    }
}

impl Pair {
    /// One input, and everything that the machine wants done because of it.
    fn input(&mut self, who: usize, input: Input<'_>) {
        for output in self.members[who].hive.handle(now(self.millis), input) {
            match output {
                Output::Persist(changes) => self.members[who].disk.apply(&changes),
                Output::Send { bytes, .. } => self.wire.push_back((1 - who, bytes)),
                Output::Emit(event) => println!("{:>5} {event:?}", NAMES[who]),
                Output::Reply { reply, .. } => self.reply = reply.ok(),
                Output::SignWithNode { text } => {
                    let zbase = NodeSignature::sign(&text, &self.members[who].secret).to_string();
                    let (text, signature) = (text.as_str(), Ok(zbase.as_str()));
                    self.input(who, Input::NodeSigned { text, signature });
                }
                // An agent makes its plans on a thread of their own.
                Output::Plan(request) => self.input(who, Input::Planned(request.perform())),
                // Both are linked already, and advisors spend nothing.
                Output::Connect { .. }
                | Output::Act { .. }
                | Output::Consult { .. }
                | Output::Observe => {}
            }
        }
    }

    fn command(&mut self, who: usize, command: Command) -> Result<Reply, Box<dyn Error>> {
        let id = CommandId(1);
        self.input(who, Input::Command { id, command });
        let reply = self.reply.take();
        reply.ok_or_else(|| "the command was refused".into())
    }

    /// Lets a minute pass: messages arrive after a tenth of a second, timers go off.
    fn minute(&mut self) {
        for _ in 0..600 {
            self.millis += 100;
            for (to, bytes) in std::mem::take(&mut self.wire) {
                let (from, bytes) = (self.members[1 - to].node, bytes.as_slice());
                self.input(to, Input::Message { from, bytes });
            }
            for who in [0, 1] {
                if self.members[who].hive.next_wake() <= Elapsed::new(self.millis) {
                    self.input(who, Input::Tick);
                }
            }
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut pair = Pair {
        members: [Member::new(1)?, Member::new(2)?],
        wire: VecDeque::new(),
        millis: 0,
        reply: None,
    };
    for who in [0, 1] {
        let (peer, features) = (pair.members[1 - who].node, &[][..]);
        pair.input(who, Input::PeerConnected { peer, features });
    }
    pair.command(0, Command::Init)?;
    let invite = Command::Invite {
        tier: Tier::Full,
        guest: None,
        lifetime: Millis::from_hours(1),
        required: Capabilities::NONE,
    };
    let Reply::Ticket(text) = pair.command(0, invite)? else {
        return Err("no ticket".into());
    };
    println!("alice invites with {text}");
    let ticket = text.parse()?;
    pair.command(1, Command::Join { ticket })?;
    pair.minute();
    for (who, name) in NAMES.into_iter().enumerate() {
        let Reply::Status(status) = pair.command(who, Command::Status)? else {
            return Err("no status".into());
        };
        let (members, state) = (status.members, status.state);
        let records = pair.members[who].disk.records.len();
        println!("{name:>5} sees {members} members, {records} records, state {state}");
    }
    Ok(())
}
