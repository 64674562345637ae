//! The binary; see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    ironkv_operator::run()
}
