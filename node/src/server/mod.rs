//! The doors of a node.

pub mod connection;
pub mod http;
pub mod listener;
pub mod rpc;

pub use listener::{Listeners, RespServer};
