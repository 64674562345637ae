//! Every command of the server.

use std::sync::LazyLock;

use bytes::Bytes;

pub use super::declare::command::{CommandId, CommandTable, Resolved, Unknown};

use super::declare::command::Family;
use super::declare::table::Table;
use super::{
    cluster, connection, hashes, keys, lists, server, sets, sorted_sets, strings, transactions,
};

/// The families, in the order of the documentation. One line each.
#[rustfmt::skip]
static FAMILIES: &[Family] = &[
    connection::FAMILY,
    server::FAMILY,
    cluster::FAMILY,
    transactions::FAMILY,
    keys::FAMILY,
    strings::FAMILY,
    hashes::FAMILY,
    lists::FAMILY,
    sets::FAMILY,
    sorted_sets::FAMILY,
];

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(FAMILIES));

/// The whole table.
pub fn all() -> &'static dyn CommandTable {
    &*TABLE
}

/// Finds the command of `argv`, a whole command as sent.
pub fn find(argv: &[Bytes]) -> Result<Resolved, Unknown> {
    TABLE.find(argv)
}

/// Finds a command by its own name and that of its container (empty for none); case does not
/// matter.
pub fn find_named(container: &[u8], name: &[u8]) -> Option<Resolved> {
    TABLE.find_named(container, name)
}

/// All commands and subcommands in table order; the position of a row is its id.
pub fn rows() -> &'static [Resolved] {
    TABLE.rows()
}

/// The full names of all rows, for counters by [`CommandId`].
pub fn names() -> Vec<String> {
    rows().iter().map(Resolved::full_name).collect()
}

#[cfg(test)]
#[path = "table_test.rs"]
mod tests;
