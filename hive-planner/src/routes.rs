//! What senders take for the cheapest way, and what a way costs to the millisatoshi.

mod price;
mod search;
mod sender;

pub use price::{PricedRoute, RouteStep, price_route};
pub use search::{Distances, Prices, Role};
pub use sender::SenderModel;

/// Blocks that the last hop's HTLC has left when it arrives. BOLT 11 invoices ask for 18 unless they
/// say otherwise; the rest lets blocks come in while the payment travels and lets tips differ.
pub const FINAL_CLTV_DELTA: u32 = 40;
