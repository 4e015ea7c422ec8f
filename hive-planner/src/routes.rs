//! What senders take for the cheapest way, and what a way costs to the millisatoshi.

mod price;
mod search;
mod sender;

pub use price::{PricedRoute, RouteStep, price_route};
pub use search::{Distances, Prices, Role};
pub use sender::SenderModel;
