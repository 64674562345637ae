//! RESP as raw bytes: RESP2, RESP3, inline, limits, hostile clients; and the HTTP port.

#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub)]

mod client_memory;
mod command_line;
mod counters;
mod http;
mod limits;
mod passwords;
mod raw;
mod tls;
