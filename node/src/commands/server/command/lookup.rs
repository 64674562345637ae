//! The commands to which the arguments of COMMAND refer.

use crate::commands::declare::{CommandTable, Resolved};

/// Commands that are not subcommands.
pub(super) fn top_level(table: &dyn CommandTable) -> impl Iterator<Item = &Resolved> {
    table.rows().iter().filter(|row| row.container.is_none())
}

/// The command of this full name (`get`, `config|set`); case does not matter.
pub(super) fn named(table: &dyn CommandTable, name: &[u8]) -> Option<Resolved> {
    let mut parts = name.splitn(2, |byte| *byte == b'|');
    let (first, second) = (parts.next()?, parts.next());
    match second {
        None => table.find_named(b"", first),
        Some(b"") => None,
        Some(second) => table.find_named(first, second),
    }
}
