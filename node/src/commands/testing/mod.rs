//! Databases and nodes in memory, for unit tests of commands.

mod database;
mod node;

pub(crate) use database::{START_MS, TestDatabase};
pub(crate) use node::TestNode;
