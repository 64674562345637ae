//! What each command means: one folder a family, one file for a handful that share code.
//!
//! `declare/` holds the vocabulary in which a command is one constant, `args/` reads arguments, and
//! `run/` holds what a command sees and how it is executed. `table.rs` lists the families.
//!
//! To add a command: write a `pub(super) const NAME: Command` beside its function and name it in
//! its family's `FAMILY` list. A constant left out of the list is dead code and stops the build.

pub mod args;
mod cluster;
mod connection;
pub mod declare;
mod hashes;
mod keys;
mod lists;
pub mod run;
mod server;
mod sets;
mod sorted_sets;
mod strings;
pub mod table;
#[cfg(test)]
pub(crate) mod testing;
mod transactions;
pub mod version;

pub use run::executed::Executed;
pub use run::request;
