//! How much a request may add to memory and how much work every replica has with it, estimated from
//! the sizes of this node's values before the request is proposed.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;

use super::read_cost::{elements, range_cost, read_cost};
use crate::base::ids::DatabaseId;
use crate::base::limits::{BULK_BYTES_MAX, STRING_BYTES_PER_ELEMENT};
use crate::commands::args::parse_integer;
use crate::commands::declare::growth::{Growth, Repeated};
use crate::commands::declare::{Command, Flags, ReadCost, Run};
use crate::data::keyspace::Keyspace;
use crate::data::types::{Value, dump};

/// What a command may add and how much it examines, at most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Bytes that it may add to the memory of keys and values.
    pub growth_bytes: u64,
    /// Elements, or 64 bytes of strings, that every replica examines for it.
    pub cost: u64,
}

impl Estimate {
    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            growth_bytes: self.growth_bytes.saturating_add(other.growth_bytes),
            cost: self.cost.saturating_add(other.cost),
        }
    }
}

/// The size of a value.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    elements: u64,
    bytes: u64,
}

impl Size {
    fn of(value: &Value) -> Self {
        let bytes = match value {
            Value::String(string) => string.len(),
            other => other.heap_bytes(),
        };
        Self { elements: elements(value), bytes: bytes as u64 }
    }

    const fn plus(self, other: Self) -> Self {
        Self {
            elements: self.elements.saturating_add(other.elements),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }
}

/// Whether the estimate of the command depends on values.
pub fn needs_sizes(command: &Command) -> bool {
    match command.run {
        Run::Write(_) => command.growth != Growth::Arguments,
        Run::Read(_) => !command.flags.has(Flags::FAST),
        _ => false,
    }
}

/// Estimates the commands of one request, in their order: a command may use what those before it
/// have written.
#[derive(Debug)]
pub struct Estimator<'a> {
    /// `None` when no command [`needs_sizes`].
    keyspace: Option<&'a Keyspace>,
    /// The keys that the commands so far may have changed, with what they may hold.
    written: HashMap<(DatabaseId, Bytes), Size>,
}

impl<'a> Estimator<'a> {
    /// For a new request.
    pub fn new(keyspace: Option<&'a Keyspace>) -> Self {
        Self { keyspace, written: HashMap::new() }
    }

    /// The estimate of the next command; `argv` includes its names.
    pub fn next(&mut self, command: &Command, argv: &[Bytes], database: DatabaseId) -> Estimate {
        let arguments = argv.iter().map(|arg| arg.len() as u64).sum();
        let at_least = argv.len() as u64;
        let Some(keyspace) = self.keyspace else {
            return Estimate { growth_bytes: growth_of(command, arguments), cost: at_least };
        };
        if !matches!(command.run, Run::Write(_)) {
            let written = self.written_cost(command, argv, database);
            let cost = read_cost(command, argv, keyspace, database).max(written);
            return Estimate { growth_bytes: 0, cost };
        }
        let positions = command.keys.positions(argv).unwrap_or_default();
        let keys: Vec<&Bytes> = positions.iter().filter_map(|at| argv.get(*at)).collect();
        let (result, cost) = match command.growth {
            Growth::Arguments | Growth::Searched => {
                let key = keys.first().filter(|_| command.growth == Growth::Searched);
                let cost = key.map_or(0, |key| self.size(database, key).elements);
                self.note_arguments(argv, &positions, database, arguments);
                let growth_bytes = growth_of(command, arguments);
                return Estimate { growth_bytes, cost: cost.max(at_least) };
            }
            Growth::Overwritten => return self.overwrite(argv, &keys, database),
            Growth::Restored => restored(argv),
            Growth::Copied => (self.size_of_first(database, &keys), 0),
            Growth::Ranged => self.range(argv, &keys, database),
            Growth::Union(_) | Growth::Intersection(_) | Growth::Difference(_) => {
                self.combine(command.growth, &keys, database)
            }
        };
        // All keys of COPY but the one that it reads, for it may name another database.
        let destination = keys.get(usize::from(command.growth == Growth::Copied));
        if let Some(key) = destination {
            let target = copy_target(command, argv).unwrap_or(database);
            self.written.insert((target, (*key).clone()), result);
        }
        Estimate { growth_bytes: result.bytes.max(arguments), cost: cost.max(at_least) }
    }

    fn size(&self, database: DatabaseId, key: &Bytes) -> Size {
        if let Some(size) = self.written.get(&(database, key.clone())) {
            return *size;
        }
        let found = self.keyspace.and_then(|keyspace| keyspace.database(database).find(key, 0));
        found.map_or_else(Size::default, |object| Size::of(&object.value))
    }

    fn size_of_first(&self, database: DatabaseId, keys: &[&Bytes]) -> Size {
        keys.first().map_or_else(Size::default, |key| self.size(database, key))
    }

    /// What a read examines of the keys that the request itself writes before.
    fn written_cost(&self, command: &Command, argv: &[Bytes], database: DatabaseId) -> u64 {
        if self.written.is_empty() || command.cost != ReadCost::Values || !needs_sizes(command) {
            return 0;
        }
        let positions = command.keys.positions(argv).unwrap_or_default();
        let keys = positions.iter().filter_map(|at| argv.get(*at));
        keys.map(|key| self.size(database, key).elements).fold(0, u64::saturating_add)
    }

    /// A command with two keys may move what one holds to the other; of one with more, such as
    /// MSET, each key gets the argument after it.
    fn note_arguments(
        &mut self,
        argv: &[Bytes],
        positions: &[usize],
        database: DatabaseId,
        arguments: u64,
    ) {
        let all = Size { elements: argv.len() as u64, bytes: arguments };
        let keys = || positions.iter().filter_map(|at| argv.get(*at));
        let moved = keys().fold(all, |sum, key| match positions.len() {
            0..=2 => sum.plus(self.size(database, key)),
            _ => sum,
        });
        for at in positions {
            let Some(key) = argv.get(*at) else { continue };
            let size = match positions.len() {
                0..=2 => moved,
                _ => {
                    let bytes = argv.get(at + 1).map_or(0, |value| value.len() as u64);
                    self.size(database, key).plus(Size { elements: 1, bytes })
                }
            };
            self.written.insert((database, key.clone()), size);
        }
    }

    fn overwrite(&mut self, argv: &[Bytes], keys: &[&Bytes], database: DatabaseId) -> Estimate {
        let patch = argv.get(3).map_or(0, |patch| patch.len() as u64);
        let offset = argv.get(2).and_then(|arg| u64::try_from(parse_integer(arg)?).ok());
        let end = offset.map_or(u64::MAX, |offset| offset.saturating_add(patch));
        let before = self.size_of_first(database, keys).bytes;
        // What is too long is refused, and nothing changes without a text.
        let end = if patch == 0 || end > BULK_BYTES_MAX as u64 { before } else { end.max(before) };
        if let Some(key) = keys.first() {
            let size = Size { elements: end / STRING_BYTES_PER_ELEMENT, bytes: end };
            self.written.insert((database, (*key).clone()), size);
        }
        let growth_bytes = end - before;
        let cost = (growth_bytes / STRING_BYTES_PER_ELEMENT).max(argv.len() as u64);
        Estimate { growth_bytes, cost }
    }

    fn range(&self, argv: &[Bytes], keys: &[&Bytes], database: DatabaseId) -> (Size, u64) {
        let whole = keys.get(1).map_or_else(Size::default, |key| self.size(database, key));
        let asked_for = argv.get(1..).and_then(range_cost);
        let elements = asked_for.map_or(whole.elements, |cost| cost.min(whole.elements));
        let share =
            u128::from(whole.bytes) * u128::from(elements) / u128::from(whole.elements.max(1));
        let bytes = u64::try_from(share).unwrap_or(u64::MAX);
        (Size { elements, bytes }, elements)
    }

    /// The size of the result, and what is examined for it.
    fn combine(&self, growth: Growth, keys: &[&Bytes], database: DatabaseId) -> (Size, u64) {
        let sources = keys.get(1..).unwrap_or_default();
        let mut seen = HashSet::new();
        let mut distinct = Vec::new();
        let mut repeated = 0_u64;
        for (number, key) in sources.iter().enumerate() {
            // The first key of a difference is another operand than the rest.
            let is_first = number == 0 && matches!(growth, Growth::Difference(_));
            if is_first || seen.insert(*key) {
                distinct.push(self.size(database, key));
            } else {
                repeated = repeated.saturating_add(self.size(database, key).elements);
            }
        }
        let all = distinct.iter().fold(Size::default(), |sum, size| sum.plus(*size));
        let first = distinct.first().copied().unwrap_or_default();
        let read = |rule: Repeated, elements: u64| match rule {
            Repeated::ReadOnce => elements,
            Repeated::ReadAgain => elements.saturating_add(repeated),
        };
        match growth {
            Growth::Union(rule) => (all, read(rule, all.elements)),
            Growth::Intersection(rule) => {
                let smallest = distinct.iter().min_by_key(|size| size.elements);
                let smallest = smallest.copied().unwrap_or_default();
                let lookups = match rule {
                    Repeated::ReadOnce => distinct.len(),
                    Repeated::ReadAgain => sources.len(),
                };
                (smallest, smallest.elements.saturating_mul(lookups as u64))
            }
            Growth::Difference(rule) => (first, read(rule, all.elements)),
            _ => (Size::default(), 0),
        }
    }
}

/// Only what is refused when memory is full may make it grow.
fn growth_of(command: &Command, arguments: u64) -> u64 {
    if command.flags.has(Flags::DENY_OOM) { arguments } else { 0 }
}

/// The database after `DB` in COPY.
fn copy_target(command: &Command, argv: &[Bytes]) -> Option<DatabaseId> {
    let at = argv.iter().skip(3).position(|arg| arg.eq_ignore_ascii_case(b"DB"))? + 4;
    let number = parse_integer(argv.get(at)?).and_then(|number| u8::try_from(number).ok());
    number.filter(|_| command.growth == Growth::Copied).map(DatabaseId)
}

fn restored(argv: &[Bytes]) -> (Size, u64) {
    let unpacked = argv.get(3).map_or_else(Default::default, |payload| dump::unpacked(payload));
    let size = Size { elements: unpacked.elements, bytes: unpacked.bytes };
    (size, unpacked.elements.max(unpacked.bytes / STRING_BYTES_PER_ELEMENT))
}

#[cfg(test)]
#[path = "write_estimate_test.rs"]
mod tests;
