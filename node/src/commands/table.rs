//! Every command of the server, found by name in constant time whatever its case.

use std::sync::LazyLock;

use bytes::Bytes;
use hashbrown::HashTable;

use super::command::{Arity, Command, Family, Run};
use super::{
    cluster, connection, hashes, keys, lists, server, sets, sorted_sets, strings, transactions,
};

/// The families, in the order of the documentation. One line each.
#[rustfmt::skip]
pub static FAMILIES: &[Family] = &[
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

/// A position in the table: dense, the same for the life of the process, for counters in arrays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommandId(pub u16);

/// A command found by its words.
#[derive(Debug, Clone, Copy)]
pub struct Resolved {
    /// What runs; never a container unless the container stands alone.
    pub command: &'static Command,
    /// The container it was found in.
    pub container: Option<&'static Command>,
    /// Its position in the table.
    pub id: CommandId,
}

/// Why nothing was found.
#[derive(Debug, Clone, Copy)]
pub enum Unknown {
    /// No command has the first word.
    Command,
    /// The container has no subcommand with the second word.
    Subcommand(&'static Command),
}

impl Resolved {
    /// How many words name it: 2 for a subcommand, else 1.
    pub const fn words(&self) -> usize {
        // A subcommand without a name is what a container does when it stands alone.
        if self.container.is_some() && !self.command.name.is_empty() { 2 } else { 1 }
    }

    /// Lower case with `|` between container and subcommand, as Redis names it in errors and INFO.
    pub fn full_name(&self) -> String {
        let name = match self.container {
            Some(container) if self.words() == 2 => {
                format!("{}|{}", container.name, self.command.name)
            }
            Some(container) => container.name.to_owned(),
            None => self.command.name.to_owned(),
        };
        name.to_ascii_lowercase()
    }
}

impl Arity {
    /// Whether `words` (the name included) is a number of words it takes.
    pub const fn accepts(self, words: usize) -> bool {
        match self {
            Self::Exactly(count) => words == count as usize,
            Self::AtLeast(count) => words >= count as usize,
        }
    }

    /// The least number of words.
    pub const fn least(self) -> usize {
        match self {
            Self::Exactly(count) | Self::AtLeast(count) => count as usize,
        }
    }
}

/// Finds what `words` (a whole command as sent) names.
pub fn find(words: &[Bytes]) -> Result<Resolved, Unknown> {
    let table = &*TABLE;
    let name = words.first().ok_or(Unknown::Command)?;
    let found = table.lookup(b"", name).ok_or(Unknown::Command)?;
    if !matches!(found.command.run, Run::Container(_)) {
        return Ok(found);
    }
    let subcommand = words.get(1).map_or(&b""[..], |word| word);
    match table.lookup(found.command.name.as_bytes(), subcommand) {
        Some(leaf) => Ok(leaf),
        None if words.len() == 1 => Ok(found),
        None => Err(Unknown::Subcommand(found.command)),
    }
}

/// Finds a command by its own name and its container's (empty for none).
pub fn find_named(container: &[u8], name: &[u8]) -> Option<Resolved> {
    TABLE.lookup(container, name)
}

/// The command at a position; every [`CommandId`] of a [`Resolved`] has one.
pub fn get(id: CommandId) -> Option<Resolved> {
    TABLE.rows.get(usize::from(id.0)).copied()
}

/// All commands and subcommands in table order; a row's position is its id.
pub fn rows() -> &'static [Resolved] {
    &TABLE.rows
}

static TABLE: LazyLock<Table> = LazyLock::new(Table::new);

struct Table {
    rows: Vec<Resolved>,
    index: HashTable<u16>,
}

impl Table {
    fn new() -> Self {
        let mut table = Self { rows: Vec::new(), index: HashTable::new() };
        for command in FAMILIES.iter().flat_map(|family| family.commands) {
            table.add(command, None);
            if let Run::Container(subcommands) = command.run {
                for subcommand in subcommands {
                    table.add(subcommand, Some(command));
                }
            }
        }
        table
    }

    fn add(&mut self, command: &'static Command, container: Option<&'static Command>) {
        let position = u16::try_from(self.rows.len()).unwrap_or(u16::MAX);
        self.rows.push(Resolved { command, container, id: CommandId(position) });
        let rows = &self.rows;
        let hash_of = |position: &u16| {
            let row = &rows[usize::from(*position)];
            hash(row.container_name(), row.command.name.as_bytes())
        };
        self.index.insert_unique(hash_of(&position), position, hash_of);
    }

    fn lookup(&self, container: &[u8], name: &[u8]) -> Option<Resolved> {
        let position = self.index.find(hash(container, name), |position| {
            let row = &self.rows[usize::from(*position)];
            row.command.name.as_bytes().eq_ignore_ascii_case(name)
                && row.container_name().eq_ignore_ascii_case(container)
        })?;
        self.rows.get(usize::from(*position)).copied()
    }
}

impl Resolved {
    fn container_name(&self) -> &'static [u8] {
        self.container.map_or(&b""[..], |container| container.name.as_bytes())
    }
}

/// FNV-1a of the upper-cased names: short keys, no state, no allocation.
fn hash(container: &[u8], name: &[u8]) -> u64 {
    let mix = |hash: u64, byte: u8| {
        (hash ^ u64::from(byte.to_ascii_uppercase())).wrapping_mul(0x0100_0000_01b3)
    };
    let start = container.iter().copied().fold(0xcbf2_9ce4_8422_2325, mix);
    let hash = name.iter().copied().fold(mix(start, b'|'), mix);
    // The table takes its tag from the top bits, which FNV mixes last.
    hash ^ (hash << 29)
}

#[cfg(test)]
#[path = "table_test.rs"]
mod tests;
