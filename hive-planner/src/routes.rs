//! What senders take for the cheapest way, and what a way costs to the millisatoshi.

mod betweenness;
mod hops;
mod price;
mod prices;
mod queue;
mod rows;
mod search;
mod sender;
#[cfg(test)]
mod tests;

pub use betweenness::Digraph;
pub use price::{PricedRoute, RouteStep, price_route};
pub use prices::Prices;
pub use search::{Distances, Searcher, Step};
pub use sender::{ParseSenderError, SenderModel};
