//! The configuration that the operator writes, read by the node.

#![allow(clippy::panic, clippy::unwrap_used)]

mod configuration;
