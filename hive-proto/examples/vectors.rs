//! Writes the test vectors and the worked examples of `docs/protocol.md`, after a change of format:
//! `cargo run -p hive-proto --example vectors`.

#[path = "../tests/common/mod.rs"]
mod common;

use std::path::Path;

fn main() -> std::io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (name, value) in common::vectors::files() {
        let path = root.join("tests/vectors").join(name);
        std::fs::write(path, common::vectors::text(&value))?;
    }
    let page = root.join("../docs/protocol.md");
    let text = std::fs::read_to_string(&page)?;
    std::fs::write(&page, common::vectors::with_examples(&text))
}
