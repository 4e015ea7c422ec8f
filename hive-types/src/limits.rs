//! Every limit of the system, each with its reason. Nothing grows without one of these.

mod conduct;
mod corridors;

pub use conduct::*;
pub use corridors::*;

use crate::{FeeratePerKw, Millis, Ppm};

/// The BOLT 1 message type of the whole protocol. Odd, so that strangers ignore it; above 32768, so
/// that LND and Core Lightning carry it with no setting.
pub const MESSAGE_TYPE: u16 = 48865;

/// Bytes of a frame, after the two bytes of the type: BOLT 8 carries 65,535 in one message.
pub const FRAME_BYTES: usize = 65_533;

/// Members of a fleet. One digest line, one vote and one acceptance each must fit into one frame.
pub const MEMBERS: usize = 50;

/// Characters of a ticket: the code length of bech32m's checksum (BIP 350).
pub const TICKET_CHARS: usize = 1023;

/// Addresses in a ticket or a manifest: IPv4, IPv6, Tor and a name, twice.
pub const ADDRESSES: usize = 8;

/// Characters of one address: a 253-byte host name and a port.
pub const ADDRESS_CHARS: usize = 260;

/// Characters of a software name and version.
pub const SOFTWARE_CHARS: usize = 64;

/// Live records of one author: its manifest, heartbeats, constraint, intents, observations, votes.
pub const RECORDS_PER_AUTHOR: usize = 512;

/// Bytes of one record's body: the largest heartbeat, and small enough for any two records, a proof
/// of equivocation, to fit into one frame with their envelopes.
pub const RECORD_BODY_BYTES: usize = 24 * 1024;

/// Keys of an author that may hold a record as long as a body may be; see [`SMALL_RECORD_BYTES`].
/// Four are enough for a manifest, two heartbeats and one kind to come.
pub const BULK_KEYS: usize = 4;

/// Bytes of a whole record under any key but the bulk ones: envelope and signature take 150 to 200,
/// votes and bans under 200 more. A bound that reads one record alone is the same in any order of
/// arrival; a bound on a sum is not.
pub const SMALL_RECORD_BYTES: usize = 512;

/// Bytes of a record beyond its body, at most: author, version, key, kind, lengths, signature.
pub const RECORD_ENVELOPE_BYTES: usize = 256;

/// Bytes of one author's live records, which follows from the bounds on each of them.
pub const RECORD_BYTES_PER_AUTHOR: usize = BULK_KEYS * (RECORD_BODY_BYTES + RECORD_ENVELOPE_BYTES)
    + (RECORDS_PER_AUTHOR - BULK_KEYS) * SMALL_RECORD_BYTES;

/// Bytes of a record's key.
pub const RECORD_KEY_BYTES: usize = 64;

/// Epochs and counters end here. A version at the end of the numbers would lock its owner out (case
/// T22); an honest author that writes once a second takes 136 years. The bound reads the version
/// alone: one on the jump from the newest known version would depend on the order of arrival.
pub const VERSION_MAX: u64 = 1 << 32;

/// Equivocation proofs kept per author, of its newest forked epochs: one may be a restored backup,
/// the second convicts, more add nothing.
pub const PROOFS_PER_AUTHOR: usize = 2;

/// Members that left whose newest version is remembered; twenty full fleets.
pub const DEPARTED_TRACKED: usize = 1_000;

/// A restored backup explains one fork in this time; a second one is equivocation.
pub const RESTORE_GRACE: Millis = Millis::from_days(30);

/// Channels in a heartbeat: those that a frame holds with room to spare.
pub const HEARTBEAT_CHANNELS: usize = 4_000;

/// Unannounced channels in a heartbeat; each takes as much as eight announced ones.
pub const HEARTBEAT_UNANNOUNCED: usize = 100;

/// A heartbeat goes out at least this often.
pub const HEARTBEAT_INTERVAL: Millis = Millis::from_secs(300);

/// A heartbeat goes out at once when a channel's spendable share changed by more than this.
pub const HEARTBEAT_CHANGE: Ppm = Ppm::new(100_000);

/// A member whose heartbeat is older than this is stale: six missed ones.
pub const HEARTBEAT_STALE: Millis = Millis::from_secs(1_800);

/// A round of reconciliation with one random fellow.
pub const GOSSIP_INTERVAL: Millis = Millis::from_secs(30);

/// Fellows that an author sends a new record to at once.
pub const GOSSIP_FANOUT: usize = 4;

/// Fellows that a receiver passes a new record on to. Two keep it spreading through a fleet of any
/// size in log n hops; whom it misses has it after the next round of reconciliation. With more, most
/// copies would reach members that have the record already.
pub const RELAY_FANOUT: usize = 2;

/// A handshake step that is not answered in this time is over.
pub const HANDSHAKE_TIMEOUT: Millis = Millis::from_secs(30);

/// Bytes of the random frame that the admission probe has echoed.
pub const PROBE_BYTES: usize = 60_000;

/// A cookie is valid for this long after it was made.
pub const COOKIE_LIFETIME: Millis = Millis::from_secs(60);

/// ATTEST messages that are verified per peer in a minute. Each costs four signature checks: ticket,
/// certification, manifest and transcript.
pub const ATTESTS_PER_PEER_MINUTE: u32 = 6;

/// ATTEST messages that are verified per minute in all: under a hundredth of one core.
pub const ATTESTS_PER_MINUTE: u32 = 60;

/// Candidates whose echo of the probe is awaited: those that the rate limits let in within the
/// time-out of a step, twice.
pub const PROBES_PENDING: usize = 128;

/// Frames from a stranger that are looked at in a minute; the rest is dropped unread.
pub const STRANGER_FRAMES_PER_MINUTE: u32 = 60;

/// Frames from a fellow that are looked at in a minute. Reconciliation of 50 × 200 takes a dozen.
pub const FELLOW_FRAMES_PER_MINUTE: u32 = 1_200;

/// Strangers remembered for their rate limits; the oldest goes first.
pub const STRANGERS_TRACKED: usize = 1_024;

/// Frames waiting for one peer. A dead link's outbox ends here and nobody else waits (case T09).
pub const OUTBOX_FRAMES: usize = 256;

/// A frame that could not be sent in this time is dropped: reconciliation repeats what matters.
pub const OUTBOX_LIFETIME: Millis = Millis::from_secs(120);

/// Bytes waiting for one peer: a full fleet's records fit; 50 dead links together stay under 200 MiB.
pub const OUTBOX_BYTES: usize = 4 * 1024 * 1024;

/// Events that a slow listener may lag behind before it loses the oldest.
pub const EVENT_BACKLOG: usize = 256;

/// A Paxos round that has not decided in this time is begun again in a higher ballot, after jitter.
pub const ROUND_TIMEOUT: Millis = Millis::from_secs(10);

/// Decisions that one member may have proposed and not seen decided.
pub const PROPOSALS_PER_MEMBER: usize = 4;

/// Locks that one member may hold: a squatter takes no more of the network than this (case T33).
pub const LOCKS_PER_MEMBER: usize = 2;

/// A lock's holder starts its open below the lock's height plus this: an hour on average.
pub const LOCK_START_BLOCKS: u32 = 6;

/// A lock without a published funding ends this far above its height: a day on average.
pub const LOCK_BLOCKS: u32 = 144;

/// A lock whose funding was published ends this far above its height: two weeks, as long as nodes
/// wait for a funding to confirm (BOLT 2).
pub const LOCK_FUNDED_BLOCKS: u32 = 2_016;

/// An acceptor takes a lock whose height is this far from its own tip, for tips that lag.
pub const LOCK_HEIGHT_SLACK: u32 = 3;

/// Intents of one member at a time.
pub const INTENTS_PER_MEMBER: usize = 8;

/// Observations of one member: a node has seldom more peers worth a word.
pub const OBSERVATIONS_PER_MEMBER: usize = 400;

/// A wall clock that differs from a fellow's by more than this is told to the operator. Clocks that
/// follow NTP differ by less than a second; messages take a few.
pub const CLOCK_SKEW: Millis = Millis::from_secs(300);

/// Decisions kept behind the newest checkpoint, for members that come back.
pub const CHAIN_TAIL: usize = 256;

/// Bytes of the folded state of a chain. With the charter (a manifest of 2.6 kB at most) and a
/// checkpoint's certificate (50 acceptances of 106 bytes) it fits into one frame. 50 members and their
/// locks take 14 kB; the rest is room for 400 used tickets and former members.
pub const STATE_BYTES: usize = 55 * 1024;

/// A ballot may lie this many rounds above the highest one that is known. A round that jumps to the
/// end would leave no higher one to anybody; an honest proposer adds one per attempt.
pub const ROUND_JUMP: u32 = 1_024;

/// A statement of a running round that was not answered in this time is sent again.
pub const ROUND_RESEND: Millis = Millis::new(2_500);

/// A checkpoint is proposed after this many decisions.
pub const CHECKPOINT_EVERY: u64 = 128;

/// Hops of a relayed copy; a fleet of 50 has a diameter far below.
pub const RELAY_HOPS: u8 = 8;

/// Frame hashes remembered to drop repeats; two rounds of a full fleet's changes.
pub const SEEN_FRAMES: usize = 4_096;

/// A target's public capacity that the fleet holds at most.
pub const SHARE_CAP: Ppm = Ppm::new(200_000);

/// A target that was capped is considered again under this share, so that it does not flap.
pub const SHARE_RESUME: Ppm = Ppm::new(150_000);

/// A proposal that waits for the operator ends after this.
pub const APPROVAL_LIFETIME: Millis = Millis::from_hours(24);

/// Proposals that wait for the operator at a time; a person reads no more.
pub const PENDING_PROPOSALS: usize = 32;

/// Bytes of the store, unless the operator sets another bound. An agent that fills the disk would stop
/// the node beside it; years of a fleet of 50 take a tenth of this.
pub const STORE_BYTES: u64 = 1 << 30;

/// Ended actions, and closed entries of the ledger, that a store keeps for its operator: weeks of probes
/// in a fleet of 50, months in one of five.
pub const STORED_ACTIONS: usize = 4_096;

/// Rows of the audit log that a store keeps, some 40 MB: more than a year in a fleet of five, three months
/// in one of 50 that probes each fellow by the hour.
pub const AUDIT_ROWS: u64 = 200_000;

/// Rows over [`AUDIT_ROWS`] before the oldest are cut, so that a cut, itself a row, is rare.
pub const AUDIT_ROWS_SLACK: u64 = 1_000;

/// Changes between two looks at what a store may forget.
pub const STORE_PRUNE_CHANGES: u64 = 4_096;

/// Bytes of the store's write-ahead log that stay on the disk between writes.
pub const STORE_JOURNAL_BYTES: u64 = 4 << 20;

/// Ended actions that a restarted agent is given again: weeks of them at the usual rate, for the
/// report and for targets that are left alone.
pub const RECENT_ACTIONS: usize = 256;

/// Events of the node that wait for the agent. A full queue holds other events back and drops
/// messages, which reconciliation repeats.
pub const EVENT_QUEUE: usize = 1_024;

/// Bytes of messages that wait between the node and the agent: two hundred frames of the largest size.
pub const EVENT_BYTES: usize = 200 * 65_536;

/// Messages of one peer that wait between the node and the agent: one that floods leaves room for the
/// others.
pub const EVENTS_OF_A_PEER: usize = 128;

/// Operators' commands that wait for the agent: one for each connection and a few to spare.
pub const COMMAND_QUEUE: usize = 32;

/// Connections to the control socket at a time. Operators and their scripts need a few.
pub const CONTROL_CONNECTIONS: usize = 16;

/// Bytes of one request to the control socket: the largest parameter is a ticket of 1,023 characters.
pub const CONTROL_REQUEST_BYTES: usize = 16 * 1024;

/// Bytes of one reply from the control socket: a plan of 1,000 candidates with its numbers.
pub const CONTROL_REPLY_BYTES: usize = 16 * 1024 * 1024;

/// A connection to the control socket that says nothing for this long is closed.
pub const CONTROL_IDLE: Millis = Millis::from_secs(60);

/// An operator's command that is not answered in this time is reported as such.
pub const CONTROL_TIMEOUT: Millis = Millis::from_secs(60);

/// Bytes of a secret that an agent shares with an operator's server: as many as the hash behind the
/// signature has, below which guessing it gets easier than breaking the hash.
pub const SECRET_BYTES_MIN: usize = 32;

/// Bytes of a file that holds such a secret: no key that anybody makes is longer.
pub const SECRET_BYTES_MAX: usize = 1024;

/// A signed answer counts for this long either way of now: slow links and clocks that are a little off,
/// and no older answer played again.
pub const SIGNATURE_WINDOW: Millis = Millis::from_secs(300);

/// Bytes of an HTTP answer that are read: the longest decision with its reason, and no flood.
pub const HTTP_REPLY_BYTES: usize = 16 * 1024;

/// An HTTP server that does not accept a connection in this time is down; a proxy such as Tor may take
/// most of it.
pub const HTTP_CONNECT_TIMEOUT: Millis = Millis::from_secs(10);

/// An HTTP request is over after this, whatever the server does meanwhile.
pub const HTTP_TIMEOUT: Millis = Millis::from_secs(30);

/// Notifications that wait for a webhook that is down; beyond it the oldest are dropped and counted. A
/// day of a busy member.
pub const WEBHOOK_QUEUE: usize = 256;

/// A webhook that fails is tried again after this, doubled up to [`WEBHOOK_RETRY_MAX`].
pub const WEBHOOK_RETRY: Millis = Millis::from_secs(2);

/// The longest wait before a webhook is tried again.
pub const WEBHOOK_RETRY_MAX: Millis = Millis::from_secs(600);

/// A notification that was not delivered in this time since it was first tried is dropped and counted:
/// the operator then looks at the log, and what comes later is told.
pub const WEBHOOK_PATIENCE: Millis = Millis::from_hours(1);

/// The own node is read at least this often, also when it told of no change.
pub const OBSERVE_INTERVAL: Millis = Millis::from_secs(60);

/// The own node is read at most this often: on a busy router every second brings changes.
pub const OBSERVE_SPACING: Millis = Millis::from_secs(5);

/// The network graph is read at most this often; a plan does not change with every `channel_update`.
pub const GRAPH_SPACING: Millis = Millis::from_secs(600);

/// A call to the own node that failed is tried again after this, doubled up to [`BACKEND_RETRY_MAX`].
pub const BACKEND_RETRY: Millis = Millis::from_secs(1);

/// The longest wait before a call to the own node is tried again.
pub const BACKEND_RETRY_MAX: Millis = Millis::from_secs(60);

/// An approval that was not carried out ends after this: time enough for a lock among slow members,
/// short enough that the operator has seen the feerate it meets.
pub const APPROVED_LIFETIME: Millis = Millis::from_hours(1);

/// Proposals remembered after they ended, so that a late approval is told why it comes to nothing.
pub const ENDED_PROPOSALS: usize = 2 * PENDING_PROPOSALS;

/// Actions of one member whose outcome is not known yet. A node that loses more answers than this
/// needs its operator, not more actions.
pub const UNSETTLED_ACTIONS: usize = 256;

/// The gate's clock is stored at least this often, so that a restart forgets no more time than this.
pub const GATE_CLOCK_STEP: Millis = Millis::from_secs(900);

/// The gate's clock is stored at once when the wall clock was set forward by more than this.
pub const GATE_CLOCK_SKEW: Millis = Millis::from_secs(1);

/// Blocks that an HTLC of ours may be locked at most: what LND and Core Lightning allow by default.
pub const HTLC_CLTV_BLOCKS: u32 = 2_016;

/// Blocks that a self-payment's last HTLC has left when it arrives. BOLT 11 invoices ask for 18 unless
/// they say otherwise; the rest lets blocks come in while the payment travels and lets tips differ.
pub const FINAL_CLTV_DELTA: u32 = 40;

/// Hops of a route: what fits into a BOLT 4 onion of 1,300 bytes at 65 bytes each.
pub const ROUTE_HOPS: usize = 20;

/// Payments that one circle of a push is split into within one plan: with fewer a low `htlc_maximum_msat`
/// would hold most of it back, and what is left over comes with the next plan.
pub const PUSH_PARTS: usize = 8;

/// Channels between outsiders that pushes are planned over: several times what a fleet of five with
/// 40 peers can use. The cheapest are taken.
pub const PUSH_OUTSIDE_CHANNELS: usize = 2_000;

/// Steps of the solver in one plan of pushes, arcs priced and nodes moved: a few seconds at most. A fleet
/// of 500 nodes and 5,000 channels takes six million.
pub const CIRCULATION_STEPS: u64 = 1_000_000_000;

/// Weight of the smallest funding transaction: one taproot input, one P2WSH output, no change. What
/// claims to cost less than this at its feerate understates its cost.
pub const FUNDING_WEIGHT_MIN: u32 = 444;

/// The smallest feerate that nodes relay, in satoshi per 1000 weight units (1 sat/vbyte, rounded up
/// as BOLT 2 implementations do).
pub const FEERATE_FLOOR: FeeratePerKw = FeeratePerKw::new(253);

/// Bans and allowances that an operator may list: far more peers than a node ever has.
pub const BANS: usize = 1_024;

/// Characters of a ban's reason: a sentence or two.
pub const BAN_REASON_CHARS: usize = 256;

/// A ban lasts at most this; what still holds then is banned again.
pub const BAN_LIFETIME: Millis = Millis::from_days(365);

/// Full members whose evidence makes a ban effective for all, at the least: one rogue alone moves
/// nothing (case T48).
pub const BAN_CORROBORATION: usize = 2;

/// Full members whose evidence makes a ban effective for all. Fewer than a third of them lie, so one of
/// a third at least is honest.
pub const fn corroboration(full_members: usize) -> usize {
    let third = full_members.div_ceil(3);
    if third > BAN_CORROBORATION {
        third
    } else {
        BAN_CORROBORATION
    }
}

/// Bans of one member that count: the newest. They and the observations fit into its records.
pub const BANS_TOLD: usize = 64;

/// Days that the bill keeps: a year and what a year's end needs.
pub const BILL_DAYS: u32 = 400;

/// Channels of the bill: more than an operator opens in years; the oldest give way.
pub const BILL_CHANNELS: usize = 400;

/// A probationary member is watched this long before its promotion is proposed.
pub const PROMOTE_AFTER: Millis = Millis::from_days(14);

/// How much of that time its heartbeat was fresh, at the least.
pub const PROMOTE_UPTIME: Ppm = Ppm::new(950_000);

/// Outside peers that are watched: as many as fit one stored value when every figure is at its longest.
pub const WATCHED_PEERS: usize = 256;

/// Policies of peers that are watched after pushes and opens at a time: a day of both.
pub const WATCHED_FEES: usize = 128;

/// Force closes that a peer caused from which on they are evidence: one happens to everybody.
pub const BAN_FORCE_CLOSES: u32 = 2;

/// HTLCs held until close to their timeout from which on they are evidence of jamming.
pub const BAN_STUCK_HTLCS: u32 = 10;

/// A share of failed forwards from which on it is evidence: a peer that is of no use to anybody.
pub const BAN_FAILURE_RATE: Ppm = Ppm::new(950_000);

/// Forwards below which a share of failures says nothing: a bad afternoon is no conduct.
pub const BAN_FORWARDS: u32 = 200;

/// HTLCs under way in one channel from which on its slots are nearly all taken: BOLT 2 allows 483 a
/// side, and a busy channel has dozens.
pub const JAM_HTLCS: u32 = 400;

/// Slots that stay taken for this long are a jam: payments that go through end within seconds.
pub const JAM_SPAN: Millis = Millis::from_secs(600);

/// Jams from which on they are evidence: one may be a wave of honest payments that met a dead node.
pub const BAN_JAMS: u32 = 3;

/// HTLCs under the dust limit that a peer may offer in an hour: tips and games come to less than one in
/// three seconds over one channel.
pub const DUST_HTLCS_PER_HOUR: u32 = 1_000;

/// HTLCs of dust beyond that from which on they are evidence.
pub const BAN_DUST_HTLCS: u32 = 2_000;

/// A peer's fees are watched for this long after balance was pushed past it or a channel opened to it.
pub const FEE_WATCH: Millis = Millis::from_hours(6);

/// A fee that grew by this factor within [`FEE_WATCH`] was raised for the push. Tools that steer fees
/// by liquidity move them by less at a time.
pub const FEE_RAISE_FACTOR: u64 = 4;

/// Below this growth a raise is small change: 500 ppm.
pub const FEE_RAISE_PPM: u32 = 500;

/// Fees raised after pushes or opens from which on they are evidence: once or twice is chance.
pub const BAN_FEE_RAISES: u32 = 3;

/// Evidence against a peer counts for this long after its last incident.
pub const EVIDENCE_LIFETIME: Millis = Millis::from_days(30);

/// Evidence dated this far ahead of the own clock is taken as dated now; further ahead it is ignored.
pub const EVIDENCE_SKEW: Millis = Millis::from_days(1);

/// Characters of an oracle's reason that are kept: a paragraph.
pub const ORACLE_REASON_CHARS: usize = 512;

/// A question to the oracle that is not answered in this time is the operator's: time for a slow server
/// behind Tor, short enough that feerate and balances are still those of the question.
pub const ORACLE_LIFETIME: Millis = Millis::from_secs(60);

/// A target that refused an open is left alone for this long. Trying sooner annoys and wins nothing.
pub const OPEN_REFUSED: Millis = Millis::from_days(7);

/// A target that could not be reached is left alone for this long, for twice as long after each
/// further time, up to [`OPEN_REFUSED`]: a node that restarts is back within minutes, one that is gone
/// for good costs the fleet a lock each time.
pub const OPEN_AWAY: Millis = Millis::from_hours(1);

/// After an open that failed by no fault of its target, the same open is not begun again for this
/// long: it is no reason to leave the target alone, but each try costs the fleet a lock, and what
/// lacked, a block or the node's answer say, rarely comes sooner.
pub const OPEN_OWN_FAULT: Millis = Millis::from_secs(600);

/// Days that an operator may keep a peer from getting a second channel: the ledger remembers opens for
/// this long.
pub const OPEN_COOLDOWN_DAYS: u32 = 30;

/// Minutes that an operator may keep a pair of channels from being rebalanced again: the ledger
/// remembers payments for this long.
pub const REBALANCE_COOLDOWN_MINUTES: u32 = 60;

/// Things that were refused and whose reason is remembered so as not to be said again: several plans'
/// proposals, and all channels with fellows.
pub const REFUSALS_REMEMBERED: usize = 256;

/// Lines of a dry run that are remembered so as not to be said again: a day of hourly plans.
pub const DRY_RUN_LINES: usize = 256;

/// A blame of squatting, forging or flooding that nothing new confirms ends after this.
pub const FLAG_LIFETIME: Millis = Millis::from_days(7);

/// Records or statements whose signatures fail, handed over by one fellow within [`FORGERY_WINDOW`],
/// that make a blame: one may be an accident of two keys in one epoch, three are not.
pub const FORGERIES: usize = 3;

/// In this time forgeries are counted.
pub const FORGERY_WINDOW: Millis = Millis::from_hours(1);

/// A fellow whose frames are refused all through this, with no pause as long, floods: one window of
/// the quota is shorter.
pub const FLOOD_SPAN: Millis = Millis::from_secs(60);

/// A fork that its author does not close although it was connected for so long is no restored backup:
/// one learns of its fork in the first exchange, and needs its own node alone for a new epoch.
pub const FORK_GRACE: Millis = Millis::from_secs(30 * 60);

/// Blocks after [`LOCK_START_BLOCKS`] that word of an open, or of its end, has to arrive: an hour and a half, longer
/// than partitions and crashes keep an honest holder from telling.
pub const LOCK_WORD_BLOCKS: u32 = 9;

/// An idle lock that its holder keeps for so many blocks more, two hours, counts twice.
pub const LOCK_KEPT_BLOCKS: u32 = 12;

/// Locks in a row that their holder neither used nor gave back, after which it is a squatter.
pub const IDLE_LOCKS: usize = 2;

/// Acceptances of one member that are remembered to be compared: those of some attempts in one slot.
pub const ACCEPTANCES_HEARD: usize = 8;

/// Longest evidence in a flag: two sentences.
pub const FLAG_EVIDENCE_CHARS: usize = 256;

/// Full members whose acceptance decides: more than half.
pub const fn majority(full_members: usize) -> usize {
    full_members / 2 + 1
}
