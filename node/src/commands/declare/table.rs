//! The rows of the command table and their index by name.

use bytes::Bytes;
use hashbrown::HashTable;

use super::command::{Command, CommandId, CommandTable, Family, Resolved, Run, Unknown};

/// Finds commands by name in constant time; case does not matter.
pub struct Table {
    rows: Vec<Resolved>,
    index: HashTable<u16>,
}

impl Table {
    /// The commands of all families, in their order.
    pub fn new(families: &'static [Family]) -> Self {
        let mut table = Self { rows: Vec::new(), index: HashTable::new() };
        for family in families {
            for command in family.commands {
                table.add(family, command, None);
                if let Run::Container(subcommands) = command.run {
                    for subcommand in subcommands {
                        table.add(family, subcommand, Some(command));
                    }
                }
            }
        }
        table
    }

    fn add(
        &mut self,
        family: &'static Family,
        command: &'static Command,
        container: Option<&'static Command>,
    ) {
        let position = u16::try_from(self.rows.len()).unwrap_or(u16::MAX);
        self.rows.push(Resolved { command, container, family, id: CommandId(position) });
        let rows = &self.rows;
        let hash_of = |position: &u16| {
            let row = &rows[usize::from(*position)];
            hash(container_name(row), row.command.name.as_bytes())
        };
        self.index.insert_unique(hash_of(&position), position, hash_of);
    }
}

impl CommandTable for Table {
    fn rows(&self) -> &[Resolved] {
        &self.rows
    }

    fn find(&self, argv: &[Bytes]) -> Result<Resolved, Unknown> {
        let name = argv.first().ok_or(Unknown::Command)?;
        let found = self.find_named(b"", name).ok_or(Unknown::Command)?;
        if !matches!(found.command.run, Run::Container(_)) {
            return Ok(found);
        }
        let subcommand = argv.get(1).map_or(&b""[..], |name| name);
        match self.find_named(found.command.name.as_bytes(), subcommand) {
            Some(subcommand) => Ok(subcommand),
            None if argv.len() == 1 => Ok(found),
            None => Err(Unknown::Subcommand(found.command)),
        }
    }

    fn find_named(&self, container: &[u8], name: &[u8]) -> Option<Resolved> {
        let position = self.index.find(hash(container, name), |position| {
            let row = &self.rows[usize::from(*position)];
            row.command.name.as_bytes().eq_ignore_ascii_case(name)
                && container_name(row).eq_ignore_ascii_case(container)
        })?;
        self.rows.get(usize::from(*position)).copied()
    }
}

fn container_name(row: &Resolved) -> &'static [u8] {
    row.container.map_or(&b""[..], |container| container.name.as_bytes())
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
