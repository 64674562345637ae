//! The harness: real processes, a separate client, faults, recorded histories, checkers.
//!
//! The client and its decoder share no code with the server, so that neither can hide a fault of
//! the other.

#![allow(clippy::unwrap_used, clippy::panic, clippy::missing_panics_doc)]

pub mod accounts;
pub mod admin;
pub mod cas;
pub mod certificates;
pub mod client;
pub mod clocks;
pub mod cluster;
pub mod disk;
pub mod faulty_disk;
pub mod history;
pub mod http;
pub mod kube;
pub mod linearizability;
pub mod links;
pub mod list_append;
pub mod network;
pub mod node;
pub mod preload;
pub mod process;
pub mod redis;
pub mod registers;
pub mod reply;
pub mod session;
pub mod strace;
