//! Bounds that only this adapter has.

use hive_types::Millis;

/// The oldest Core Lightning that is let in. Since v24.02 `custommsg` is a notification that needs no hook and
/// `listpeerchannels` tells both policies; what the releases up to this one do differently nobody has tried.
pub(crate) const OLDEST_VERSION: (u32, u32) = (24, 11);

/// The newest Core Lightning that this was tried with.
pub(crate) const NEWEST_VERSION: (u32, u32) = (26, 6);

/// A call that reads or that hands something over: lightningd answers in milliseconds, and in seconds
/// while it is busy with a block.
pub(crate) const RPC_TIMEOUT: Millis = Millis::from_secs(60);

/// A call to connect: lightningd itself gives each address of a peer up to a minute.
pub(crate) const CONNECT_TIMEOUT: Millis = Millis::from_secs(120);

/// A call to fund a channel: the peer has its say several times, over Tor perhaps.
pub(crate) const FUND_TIMEOUT: Millis = Millis::from_secs(600);

/// How long a payment is waited for before it counts as unknown and is asked for later.
pub(crate) const PAYMENT_PATIENCE: Millis = Millis::from_secs(120);

/// Calls to lightningd at a time. Each has its own connection.
pub(crate) const RPC_CALLS: usize = 16;

/// Waits for payments at a time; they have places of their own, as each may last minutes.
pub(crate) const RPC_WAITS: usize = 64;

/// Lines of log that wait for lightningd to read them; further ones are dropped and counted.
pub(crate) const LOG_LINES: usize = 1_024;

/// Bytes of one log line.
pub(crate) const LOG_LINE_BYTES: usize = 4_096;

/// How long the way out may take when the node stops the plugin. lightningd waits 30 s before it kills.
pub(crate) const STOP_PATIENCE: Millis = Millis::from_secs(10);

/// How often the gossip store is looked at for growth. A look is one `stat`.
pub(crate) const GOSSIP_LOOK: Millis = Millis::from_secs(5);

/// Channels of the network graph: ten times those of the public network of 2026. More than these take gigabytes,
/// and the memory is the node's.
pub(crate) const GRAPH_CHANNELS: usize = 400_000;

/// Readings of the node that are tried until one saw no change while it was made.
pub(crate) const SNAPSHOT_TRIES: u32 = 4;

/// Rows of `listforwards` in one reply.
pub(crate) const FORWARDS_PAGE: u32 = 2_000;

/// An HTLC that has so few blocks left was held until close to its timeout: the peer that has it could
/// have failed it for hours.
pub(crate) const STUCK_BLOCKS: u32 = 18;

/// Below this an HTLC has no output of its own on chain, whatever the channel's dust limit (BOLT 3's
/// largest).
pub(crate) const DUST_MSAT: u64 = 354_000;

/// Blocks for which the inputs of an open stay reserved that lightningd was given and has not begun: half a day, as
/// lightningd itself reserves by default. Before `fundchannel` reserves them it connects, without a limit of its own:
/// for each address that the target announced, two minutes until the system gives up and one for the handshake.
pub(crate) const WITHHELD_BLOCKS: u32 = 72;

/// What lightningd keeps back for anchor channels when it does not say (`min-emergency-msat`).
pub(crate) const EMERGENCY_MSAT: u64 = 25_000_000;

/// Time an invoice to oneself can be paid. The payment is sent at once; a node that was down in between
/// has this long to come back.
pub(crate) const INVOICE_EXPIRY: Millis = Millis::from_hours(1);
