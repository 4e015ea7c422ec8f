//! LND's API as far as it is used, compiled from the definitions in `proto/`.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::unwrap_used,
    dead_code
)]

pub(crate) mod lnrpc {
    tonic::include_proto!("lnrpc");
}
pub(crate) mod routerrpc {
    tonic::include_proto!("routerrpc");
}
pub(crate) mod walletrpc {
    tonic::include_proto!("walletrpc");
}
pub(crate) mod invoicesrpc {
    tonic::include_proto!("invoicesrpc");
}
pub(crate) mod chainrpc {
    tonic::include_proto!("chainrpc");
}
