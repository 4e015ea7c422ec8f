//! Compiles the calls of LND that the adapter makes, without `protoc`.

const ROOT: &str = "proto";

const FILES: [&str; 5] = [
    "lightning.proto",
    "routerrpc/router.proto",
    "walletrpc/walletkit.proto",
    "invoicesrpc/invoices.proto",
    "chainrpc/chainnotifier.proto",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed={ROOT}");
    let definitions = protox::compile(FILES, [ROOT])?;
    // The servers play LND in tests.
    tonic_prost_build::configure()
        .generate_default_stubs(true)
        .compile_fds(definitions)?;
    Ok(())
}
