//! The hash type: distinct fields, each with a value.

use std::sync::Arc;

use bytes::Bytes;
use either::Either;

use super::hashed_member::{self, HashedMember};
use super::{TypedValue, conversions};
use crate::base::hash::stable_hash;
use crate::data::keyspace::Settings;
use crate::data::tree::{Element, Tree};

/// How a hash is stored. It is part of the replicated state (a random field is chosen by its
/// position), so a checkpoint contains it. Conversions go only forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashEncoding {
    /// Few short fields, in the order in which they were added.
    Listpack,
    /// Any fields, ordered by hash.
    HashTable,
}

/// A `hash` value.
#[derive(Debug, Clone)]
pub struct HashValue {
    storage: Storage,
    /// Sum of the lengths of fields and values.
    content_bytes: usize,
}

#[derive(Debug, Clone)]
enum Storage {
    Packed(Arc<Vec<(Bytes, Bytes)>>),
    Hashed(Tree<Entry>),
}

#[derive(Debug, Clone)]
struct Entry {
    field: HashedMember,
    value: Bytes,
}

impl Element for Entry {
    type Key = HashedMember;

    fn key(&self) -> &HashedMember {
        &self.field
    }
}

/// Heap bytes of one field besides its content: its entry and the headers of two allocations.
const ENTRY_OVERHEAD_BYTES: usize = size_of::<Entry>() + 2 * 16;

impl HashValue {
    /// From fields in order, in the encoding that `settings` selects; `None` for a duplicate field.
    pub fn from_fields(
        fields: impl IntoIterator<Item = (Bytes, Bytes)>,
        settings: &Settings,
    ) -> Option<Self> {
        let mut hash = Self::from_stored(HashEncoding::Listpack, fields)?;
        let longest = hash.iter().map(|(field, value)| field.len().max(value.len())).max();
        if !is_small(hash.len(), longest.unwrap_or(0), settings) {
            hash.make_hashed();
        }
        Some(hash)
    }

    /// From fields in the order of [`HashValue::iter`], in a given encoding, for checkpoints and
    /// snapshots. `None` for a duplicate field or a wrong order.
    pub fn from_stored(
        encoding: HashEncoding,
        fields: impl IntoIterator<Item = (Bytes, Bytes)>,
    ) -> Option<Self> {
        let mut content_bytes = 0;
        let fields =
            fields.into_iter().inspect(|(field, value)| content_bytes += field.len() + value.len());
        let storage = match encoding {
            HashEncoding::Listpack => {
                let fields: Vec<(Bytes, Bytes)> = fields.collect();
                are_distinct(&fields).then_some(Storage::Packed(Arc::new(fields)))?
            }
            HashEncoding::HashTable => {
                let mut ordered = true;
                let mut last: Option<HashedMember> = None;
                let entries = fields.map(Entry::new).inspect(|entry| {
                    let HashedMember { hash, member } = &entry.field;
                    ordered &= last.as_ref().is_none_or(|last| last.order(*hash, member).is_lt());
                    last = Some(entry.field.clone());
                });
                let tree = entries.collect();
                ordered.then_some(Storage::Hashed(tree))?
            }
        };
        Some(Self { storage, content_bytes })
    }

    /// How the hash is stored.
    pub const fn stored_encoding(&self) -> HashEncoding {
        match self.storage {
            Storage::Packed(_) => HashEncoding::Listpack,
            Storage::Hashed(_) => HashEncoding::HashTable,
        }
    }

    /// Fields.
    pub fn len(&self) -> usize {
        match &self.storage {
            Storage::Packed(fields) => fields.len(),
            Storage::Hashed(tree) => tree.len(),
        }
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All fields and values in the hash's own order, the same on every replica.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&Bytes, &Bytes)> + ExactSizeIterator {
        match &self.storage {
            Storage::Packed(fields) => {
                Either::Left(fields.iter().map(|(field, value)| (field, value)))
            }
            Storage::Hashed(tree) => {
                Either::Right(tree.iter().map(|entry| (&entry.field.member, &entry.value)))
            }
        }
    }

    /// The field and value at a position in the hash's own order.
    pub fn at(&self, index: usize) -> Option<(&Bytes, &Bytes)> {
        match &self.storage {
            Storage::Packed(fields) => fields.get(index).map(|(field, value)| (field, value)),
            Storage::Hashed(tree) => {
                tree.get(index).map(|entry| (&entry.field.member, &entry.value))
            }
        }
    }

    /// The value of a field.
    pub fn get(&self, field: &[u8]) -> Option<&Bytes> {
        match &self.storage {
            Storage::Packed(fields) => find(fields, field).map(|at| &fields[at].1),
            Storage::Hashed(tree) => {
                let hash = stable_hash(field);
                tree.find_hashed(hash, |key| key.order(hash, field)).map(|entry| &entry.value)
            }
        }
    }

    /// Stores a copy of `value`, and of `field` if it is new; returns whether it is new. Converts
    /// the hash when it exceeds a threshold.
    pub fn set(&mut self, field: &[u8], value: &[u8], settings: &Settings) -> bool {
        self.expect(0, field.len().max(value.len()), settings);
        let copy = Bytes::copy_from_slice(value);
        self.content_bytes += value.len();
        let old = match &mut self.storage {
            Storage::Packed(fields) => {
                let fields = Arc::make_mut(fields);
                match find(fields, field) {
                    Some(at) => Some(std::mem::replace(&mut fields[at].1, copy)),
                    None => {
                        fields.push((Bytes::copy_from_slice(field), copy));
                        None
                    }
                }
            }
            Storage::Hashed(tree) => {
                let hash = stable_hash(field);
                match tree.find_hashed_mut(hash, |key| key.order(hash, field)) {
                    Some(entry) => Some(std::mem::replace(&mut entry.value, copy)),
                    None => {
                        let entry = Entry::new((Bytes::copy_from_slice(field), copy));
                        tree.upsert_by(|key| key.order(hash, field), entry);
                        None
                    }
                }
            }
        };
        if let Some(old) = old {
            self.content_bytes -= old.len();
            return false;
        }
        self.content_bytes += field.len();
        self.expect(self.len(), 0, settings);
        true
    }

    /// Removes a field; false if it was not there.
    pub fn remove(&mut self, field: &[u8]) -> bool {
        let value = match &mut self.storage {
            Storage::Packed(fields) => {
                find(fields, field).map(|at| Arc::make_mut(fields).remove(at).1)
            }
            Storage::Hashed(tree) => {
                let hash = stable_hash(field);
                tree.remove_by(|key| key.order(hash, field)).map(|entry| entry.value)
            }
        };
        if let Some(value) = &value {
            self.content_bytes -= field.len() + value.len();
        }
        value.is_some()
    }

    /// Converts the hash if it is too small for `len` fields, or for a text of `longest_bytes`.
    pub fn expect(&mut self, len: usize, longest_bytes: usize, settings: &Settings) {
        if !is_small(len, longest_bytes, settings) {
            self.make_hashed();
        }
    }

    /// One page of a scan and the next cursor, 0 at the end. Small hashes come in one page.
    pub fn scan(&self, cursor: u64, count: usize) -> (u64, Vec<(Bytes, Bytes)>) {
        match &self.storage {
            Storage::Packed(fields) => (0, fields.to_vec()),
            Storage::Hashed(tree) => {
                let (next, page) = hashed_member::scan(tree, cursor, count);
                let copy = |entry: &Entry| (entry.field.member.clone(), entry.value.clone());
                (next, page.into_iter().map(copy).collect())
            }
        }
    }

    fn make_hashed(&mut self) {
        if let Storage::Packed(fields) = &mut self.storage {
            let fields = std::mem::take(Arc::make_mut(fields));
            let mut entries: Vec<Entry> = fields.into_iter().map(Entry::new).collect();
            entries.sort_unstable_by(|a, b| a.field.order(b.field.hash, &b.field.member));
            self.storage = Storage::Hashed(entries.into_iter().collect());
        }
    }
}

impl Entry {
    fn new((field, value): (Bytes, Bytes)) -> Self {
        Self { field: HashedMember::new(field), value }
    }
}

fn find(fields: &[(Bytes, Bytes)], field: &[u8]) -> Option<usize> {
    fields.iter().position(|(name, _)| name.as_ref() == field)
}

fn are_distinct(fields: &[(Bytes, Bytes)]) -> bool {
    let mut names: Vec<&Bytes> = fields.iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    names.is_sorted_by(|a, b| a < b)
}

fn is_small(len: usize, longest_bytes: usize, settings: &Settings) -> bool {
    let (len, longest_bytes) = (len as u64, longest_bytes as u64);
    len <= settings.hash_max_listpack_entries && longest_bytes <= settings.hash_max_listpack_value
}

impl Default for HashValue {
    fn default() -> Self {
        Self { storage: Storage::Packed(Arc::default()), content_bytes: 0 }
    }
}

impl TypedValue for HashValue {
    conversions!(Hash);

    fn is_empty(&self) -> bool {
        self.is_empty()
    }

    fn heap_bytes(&self) -> usize {
        self.content_bytes + self.len() * ENTRY_OVERHEAD_BYTES
    }

    fn encoding(&self) -> &'static str {
        match self.storage {
            Storage::Packed(_) => "listpack",
            Storage::Hashed(_) => "hashtable",
        }
    }

    fn empty(_settings: &Settings) -> Self {
        Self::default()
    }
}

#[cfg(test)]
#[path = "hash_test.rs"]
mod tests;
