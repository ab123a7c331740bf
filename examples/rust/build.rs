//! Makes the stubs from the descriptor set that buf has built.

use prost::Message;

const DESCRIPTORS: &str = "out/coffer.binpb";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed={DESCRIPTORS}");
    let set = prost_types::FileDescriptorSet::decode(&*std::fs::read(DESCRIPTORS)?)?;
    tonic_prost_build::configure().build_server(false).compile_fds(set)?;
    Ok(())
}
