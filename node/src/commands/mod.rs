//! What each command means: one folder a family, one file for a handful that share code.
//!
//! To add a command: write a `pub(super) const NAME: Command` beside its function and name it in
//! its family's `FAMILY` list. A constant left out of the list is dead code and stops the build.

pub mod args;
pub mod command;
mod cluster;
mod connection;
pub mod context;
mod hashes;
mod help;
mod key_positions;
mod keys;
mod lists;
pub mod node_control;
mod numbers;
pub mod request;
mod sampling;
mod scan_options;
mod server;
mod sets;
mod sorted_sets;
mod strings;
pub mod syntax;
pub mod table;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
pub(crate) mod testing_node;
mod transactions;
pub mod version;

pub use key_positions::KeyPositions;
