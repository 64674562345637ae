//! What the operator writes for the store, read by the store.

#![allow(clippy::panic, clippy::unwrap_used)]

mod configuration;
