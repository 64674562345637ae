//! The commands: one folder per family, one file for a few that share code.
//!
//! `declare/` contains the parts from which a command is declared as one constant, `args/` reads
//! arguments, and `run/` contains what a command may access and how it is executed. `table.rs`
//! lists the families.
//!
//! To add a command: write a `pub(super) const NAME: Command` beside its function and add it to its
//! family's `FAMILY` list. A constant that is missing in the list is dead code and fails the build.

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
