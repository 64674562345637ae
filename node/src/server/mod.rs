//! The listeners of a node.

pub mod connection;
mod discard;
pub mod http;
pub mod listener;
pub mod rpc;

pub use listener::{Listeners, RespServer};
