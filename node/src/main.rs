//! The `ironkv` binary: parse, run, exit code.

use std::process::ExitCode;

/// Fast for many small values, and the same on every libc.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ironkv::cli::run()
}
