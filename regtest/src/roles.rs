//! One program, several roles: the name under which it is started says which.

use crate::failure::{Context, Outcome};
use crate::{node, process};
use std::env;
use std::path::Path;

/// Plays the role that the program's name asks for; none where it is the runner's.
pub fn by_name() -> Option<Outcome> {
    let name = env::args_os().next()?;
    let name = Path::new(&name).file_name()?.to_str()?;
    match name {
        process::GUARD => Some(process::guard(std::io::stdin().lock()).during("the guard")),
        node::CHAIN_PLUGIN => Some(node::chain_plugin()),
        _ => None,
    }
}
