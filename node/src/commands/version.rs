//! The version of Redis that clients see, and the version of the program.

/// The version of Redis whose commands and replies these are; clients choose features by it.
pub const REDIS_VERSION: &str = "7.2.4";

/// Our own version.
pub const IRONKV_VERSION: &str = env!("CARGO_PKG_VERSION");
