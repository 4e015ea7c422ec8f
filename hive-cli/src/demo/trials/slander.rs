//! A member that wants another one out, and votes in everybody's name.

use crate::demo::member::Member;
use crate::demo::script::Show;
use crate::failure::Failure;
use hive_core::Reply;
use hive_node::backend::LightningBackend;
use hive_node::control::CommandName as C;
use hive_policy::conduct::FlagKind;
use hive_proto::{
    Counter, Delta, Item, Manifest, MemberSecret, Message, Record, RecordBody, RecordFields,
    Version, Vote, VoteKind, codec, keys,
};
use hive_types::{Millis, NodeId};
use serde_json::{Value, json};

/// Whoever slanders, and whom; the founder looks on.
pub(crate) const SLANDERER: usize = 1;
const VICTIM: usize = 2;

/// How often it sends them, and how long it waits between.
const ATTEMPTS: usize = 3;
const BETWEEN: Millis = Millis::from_secs(60);

/// Time in which a real majority would have been counted many times over.
const COUNTING: Millis = Millis::from_secs(600);

/// The store's name for a member's keys.
const META_IDENTITY: &str = "identity";

/// A member votes another one out, alone, and sends votes of all others that it signed itself.
pub(crate) async fn slander(show: &mut Show) -> Result<(), Failure> {
    const NAME: &str = "slanderer";
    let victim = show.stage.members[VICTIM].node;
    let names = [SLANDERER, VICTIM].map(|place| show.stage.members[place].name.clone());
    show.stage.story.tell(&format!(
        "-- {} accuses {}, and votes in everybody's name",
        names[0], names[1]
    ));
    let params = json!({"node": victim.to_string(), "reason": "steals"});
    show.stage.command(SLANDERER, C::HiveExpel, params).await?;
    let forged = forge(show, &victim)?;
    let backend = show.stage.members[SLANDERER].backend.clone();
    let mut sent = 0;
    for _ in 0..ATTEMPTS {
        for place in (0..show.stage.members.len()).filter(|place| *place != SLANDERER) {
            let (node, frame) = (show.stage.members[place].node, forged.1.clone());
            sent += usize::from(backend.send(node, frame).await.is_ok());
        }
        show.stage.pause(BETWEEN).await;
    }
    show.stage.pause(COUNTING).await;
    show.remember()?;
    let own = holding(show, &victim, true);
    let others = holding(show, &victim, false);
    let rosters = rosters_with(show, &victim).await;
    let members = show.stage.members.len();
    let is_in = !show.chronicle.expelled().contains(&victim) && rosters == members;
    let blame = blamers(show).await;
    let reached = sent == ATTEMPTS * (members - 1) && forged.0 > 0 && own == members;
    let held = reached && others == 0 && blame == members - 1 && is_in;
    let how = format!(
        "{} voted {} out and sent {sent} frames with {} votes in others' names: {own} stores hold its own vote, {others} a forged one, {blame} members blame it for forgery; {} is in {rosters} of {members} rosters",
        names[0], names[1], forged.0, names[1]
    );
    show.trials.end(NAME, held, how);
    Ok(())
}

/// A frame with a vote of every other member against the victim, sealed with the slanderer's key; and
/// how many votes those are.
fn forge(show: &Show, victim: &NodeId) -> Result<(usize, Vec<u8>), Failure> {
    let impossible = |what: &str| Failure::Internal(format!("the slanderer has no {what}"));
    let slanderer = &show.stage.members[SLANDERER];
    let (secret, manifest) = keys_of(slanderer).ok_or_else(|| impossible("key"))?;
    let hive = manifest.certification().hive;
    let records = slanderer.records();
    let key = keys::vote(VoteKind::Expel, victim);
    let mut votes = records.iter().map(Record::fields);
    let own = votes.find(|fields| fields.author == slanderer.node && fields.key == key);
    let own = own.ok_or_else(|| impossible("vote"))?;
    let vote = Vote::decode(&own.body).map_err(|error| Failure::Internal(error.to_string()))?;
    let mut items = Vec::new();
    for other in &show.stage.members {
        if [slanderer.node, *victim].contains(&other.node) {
            continue;
        }
        let versions = records.iter().map(Record::fields);
        let versions = versions.filter(|fields| fields.author == other.node);
        let newest = versions.map(|fields| fields.version).max();
        let newest = newest.ok_or_else(|| impossible("record of a fellow"))?;
        let signed = Vote::sign(vote.text, other.node, newest.epoch, &secret, &hive);
        let fields = RecordFields {
            author: other.node,
            version: Version {
                epoch: newest.epoch,
                counter: Counter(newest.counter.0 + 1),
            },
            body: codec::encode(&signed),
            ..own.clone()
        };
        let record = Record::sign(fields, &secret, &hive);
        let record = record.map_err(|error| Failure::Internal(error.to_string()))?;
        items.push(Item::Record(record.bytes().to_vec()));
    }
    let count = items.len();
    let delta = Delta {
        hops: 0,
        items,
        want: Vec::new(),
        more: false,
    };
    let frame = Message::Delta(delta).to_frame();
    let frame = frame.map_err(|error| Failure::Internal(error.to_string()))?;
    Ok((count, frame))
}

/// A member's key, as whoever runs its agent has it.
fn keys_of(member: &Member) -> Option<(MemberSecret, Manifest)> {
    let meta = member.store()?.load().ok()?.meta;
    let (_, bytes) = meta.into_iter().find(|(name, _)| name == META_IDENTITY)?;
    let (secret, manifest): ([u8; 32], Manifest) = codec::decode(&bytes).ok()?;
    Some((MemberSecret::from_bytes(&secret)?, manifest))
}

/// Stores that hold a vote against the victim: the slanderer's own, or one in another's name.
fn holding(show: &Show, victim: &NodeId, own: bool) -> usize {
    let key = keys::vote(VoteKind::Expel, victim);
    let slanderer = show.stage.members[SLANDERER].node;
    let is_it = |record: &Record| {
        record.fields().key == key && (record.fields().author == slanderer) == own
    };
    let members = show.stage.members.iter();
    members
        .filter(|member| member.records().iter().any(is_it))
        .count()
}

/// Members in whose roster the node is.
async fn rosters_with(show: &Show, node: &NodeId) -> usize {
    let mut count = 0;
    for member in &show.stage.members {
        let reply = member.ask(C::HiveMembers, Value::Null).await;
        if let Ok(Reply::Members(rows)) = reply {
            count += usize::from(rows.iter().any(|row| row.node_id == *node));
        }
    }
    count
}

/// Members that blame the slanderer for forging.
async fn blamers(show: &Show) -> usize {
    let slanderer = show.stage.members[SLANDERER].node;
    let mut count = 0;
    for member in &show.stage.members {
        let reply = member.ask(C::HiveMembers, Value::Null).await;
        let Ok(Reply::Members(rows)) = reply else {
            continue;
        };
        let mut flags = rows
            .iter()
            .filter(|row| row.node_id == slanderer)
            .flat_map(|row| &row.flags);
        count += usize::from(flags.any(|flag| flag.kind == FlagKind::Forgery));
    }
    count
}
