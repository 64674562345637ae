//! Compiles the `.proto` files in pure Rust, so that a build needs no system `protoc`.

use std::error::Error;

const FILES: [&str; 5] = [
    "ironkv/types/v1/types.proto",
    "ironkv/raft/v1/raft.proto",
    "ironkv/forward/v1/forward.proto",
    "ironkv/pubsub/v1/pubsub.proto",
    "ironkv/admin/v1/admin.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    for file in FILES {
        println!("cargo:rerun-if-changed={file}");
    }
    let descriptors = protox::compile(FILES, ["."])?;
    // `Bytes` fields are slices of the network buffer: a payload is never copied on its way in.
    tonic_prost_build::configure().bytes(".").compile_fds(descriptors)?;
    Ok(())
}
