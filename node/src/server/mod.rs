//! The listeners of a node.

mod admitted;
pub mod connection;
mod discard;
pub mod http;
pub mod listener;
pub mod rpc;
mod write;

pub use listener::{Listeners, RespServer};
