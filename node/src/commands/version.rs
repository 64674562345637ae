//! Which server clients believe to talk to, and which it is.

/// The version of Redis whose commands and replies these are; clients choose features by it.
pub const REDIS_VERSION: &str = "7.2.4";

/// Our own version.
pub const IRONKV_VERSION: &str = env!("CARGO_PKG_VERSION");
