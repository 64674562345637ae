//! IronKV: a Redis-compatible key-value store that never loses an acknowledged write.
//!
//! The module list below IS the architecture: a folder is a layer, and a layer uses only the layers
//! above it in this list (`tests/tidy` checks every `use crate::` arrow).
//!
//! A request goes `server` -> `dispatch` -> `commands` -> `data`; when it writes it crosses
//! `consensus` first and is applied by every node from the log. [`docs::architecture`] is the page
//! to begin with.

pub mod base;
pub mod resp;
pub mod data;
pub mod services;
pub mod commands;
pub mod consensus;
pub mod dispatch;
pub mod server;
pub mod node;
pub mod cli;

pub mod docs;
