//! The harness: real processes, a separate client, faults, recorded histories, checkers.
//!
//! The client and its decoder share no code with the server, so that neither can hide a fault of
//! the other.

#![allow(clippy::unwrap_used, clippy::panic, clippy::missing_panics_doc)]

pub mod cluster;
pub mod kube;
pub mod node;
pub mod process;
pub mod redis;

/// Recorded histories and their checkers.
pub mod checkers {
    pub mod accounts;
    pub mod cas;
    pub mod history;
    pub mod linearizability;
    pub mod list_append;
    pub mod registers;
}

/// Clients for all protocols of a node.
pub mod clients {
    pub mod admin;
    pub mod certificates;
    pub mod client;
    pub mod http;
    pub mod reply;
    pub mod session;
}

/// Faults on purpose.
pub mod faults {
    pub mod clocks;
    pub mod disk;
    pub mod faulty_disk;
    pub mod links;
    pub mod network;
    pub mod preload;
    pub mod strace;
}
