//! Reads a ticket and verifies the manifest of the node that wrote it:
//! `cargo run -p hive-proto --example read_ticket -- hive1… HEX-OF-MANIFEST`

use hive_proto::{Manifest, Ticket, codec};
use std::error::Error;
use std::fmt::Write;

/// What the ticket says, once the manifest (in hex) proves that its issuer signed it.
pub(crate) fn read(ticket: &str, manifest: &str) -> Result<String, Box<dyn Error>> {
    let ticket: Ticket = ticket.parse()?;
    let body = ticket.body();
    let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(manifest.as_bytes())?;
    let manifest: Manifest = codec::decode(&bytes)?;
    let issuer = manifest.verify(&body.hive, body.network)?;
    if (issuer.node_id(), issuer.epoch()) != (body.issuer, body.epoch) {
        return Err("the manifest is not the one of the ticket's issuer".into());
    }
    ticket.verify(issuer.key())?;
    let (node, requires) = (body.issuer, body.required.names());
    let mut text = format!("hive     {} ({})\n", body.hive, body.network);
    writeln!(text, "issuer   {node} ({})", issuer.profile().software)?;
    writeln!(text, "tier     {:?}, requires {requires:?}", body.tier)?;
    for (node, address) in &body.contacts {
        writeln!(text, "contact  {node}@{address}")?;
    }
    Ok(text)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = || arguments.next().ok_or("usage: read_ticket TICKET MANIFEST");
    print!("{}", read(&argument()?, &argument()?)?);
    Ok(())
}
