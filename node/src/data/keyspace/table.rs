//! The key table: a tree ordered by (hash, key) for every slot. Clones share everything.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::base::hash::stable_hash;
use crate::base::ids::Slot;
use crate::base::limits::SLOTS;
use crate::data::tree::{Element, Tree};

use super::Object;
use super::slot::slot_of;

/// Slots of one page. A clone copies one reference per page; the first write to a shared page
/// copies it.
const PAGE_SLOTS: usize = 64;

const PAGES: usize = SLOTS as usize / PAGE_SLOTS;

/// The name of a key after its hash, which is compared first.
#[derive(Debug, Clone)]
pub(super) struct TableKey {
    pub hash: u64,
    pub name: Arc<[u8]>,
}

impl TableKey {
    fn compare(&self, hash: u64, name: &[u8]) -> Ordering {
        self.hash.cmp(&hash).then_with(|| (*self.name).cmp(name))
    }
}

/// A key with its object.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub key: TableKey,
    pub object: Arc<Object>,
}

impl Element for Entry {
    type Key = TableKey;

    fn key(&self) -> &TableKey {
        &self.key
    }
}

/// Bytes of a key besides its name and its value: its entry, two allocations, the object.
pub(super) const KEY_OVERHEAD_BYTES: usize =
    size_of::<Entry>() * 4 / 3 + size_of::<Object>() + 2 * (2 * size_of::<usize>() + 8);

/// The keys of one slot.
#[derive(Debug, Clone, Default)]
pub(super) struct SlotTable {
    pub keys: Tree<Entry>,
    /// Highest version of a key that was ever removed. A watched key that was missing and is
    /// missing now may have existed in between only if this is higher than the index of the watch.
    pub removed_version: u64,
    /// Highest version of a key that was ever stored.
    pub stored_version: u64,
}

#[derive(Debug, Clone)]
struct Page {
    slots: [SlotTable; PAGE_SLOTS],
}

impl Page {
    fn new() -> Arc<Self> {
        Arc::new(Self { slots: std::array::from_fn(|_| SlotTable::default()) })
    }
}

#[derive(Debug, Clone, Default)]
struct PageLink {
    keys: usize,
    page: Option<Arc<Page>>,
}

/// The position of a key. Computed once per access.
#[derive(Debug, Clone, Copy)]
struct Address {
    slot: usize,
    hash: u64,
}

impl Address {
    fn of(name: &[u8]) -> Self {
        Self { slot: usize::from(slot_of(name).0), hash: stable_hash(name) }
    }
}

/// All keys of a database.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    /// Empty until the first key.
    pages: Vec<PageLink>,
    keys: usize,
}

impl Table {
    pub(super) const fn len(&self) -> usize {
        self.keys
    }

    /// Bytes of the pages, independent of their content.
    pub(super) fn page_bytes(&self) -> usize {
        let pages = self.pages.iter().filter(|link| link.page.is_some()).count();
        self.pages.capacity() * size_of::<PageLink>() + pages * size_of::<Page>()
    }

    /// The keys of a slot; `None` if it never had one.
    pub(super) fn slot(&self, slot: Slot) -> Option<&SlotTable> {
        let slot = usize::from(slot.0);
        let page = self.pages.get(slot / PAGE_SLOTS)?.page.as_ref()?;
        Some(&page.slots[slot % PAGE_SLOTS])
    }

    /// Slots from `first` on that have, or had, a key.
    pub(super) fn slots_from(&self, first: Slot) -> impl Iterator<Item = (Slot, &SlotTable)> {
        let first = usize::from(first.0);
        let pages = self.pages.iter().enumerate().skip(first / PAGE_SLOTS);
        pages
            .filter_map(|(at, link)| Some((at * PAGE_SLOTS, link.page.as_ref()?)))
            .flat_map(|(base, page)| (base..).zip(&page.slots))
            .skip_while(move |(slot, _)| *slot < first)
            .map(|(slot, table)| (Slot(slot as u16), table))
    }

    pub(super) fn find(&self, name: &[u8]) -> Option<&Object> {
        let Address { slot, hash } = Address::of(name);
        let page = self.pages.get(slot / PAGE_SLOTS)?.page.as_ref()?;
        let keys = &page.slots[slot % PAGE_SLOTS].keys;
        keys.find_hashed(hash, |key| key.compare(hash, name)).map(|entry| &*entry.object)
    }

    pub(super) fn find_mut(&mut self, name: &[u8]) -> Option<&mut Object> {
        self.entry_mut(name).map(|entry| Arc::make_mut(&mut entry.object))
    }

    /// As [`Table::find_mut`], with the name as stored.
    pub(super) fn find_named_mut(&mut self, name: &[u8]) -> Option<(&Arc<[u8]>, &mut Object)> {
        self.entry_mut(name).map(|entry| (&entry.key.name, Arc::make_mut(&mut entry.object)))
    }

    /// As [`Table::find_mut`], for a change that gives the object this version.
    pub(super) fn find_versioned_mut(&mut self, name: &[u8], version: u64) -> Option<&mut Object> {
        let Address { slot, hash } = Address::of(name);
        let page = self.pages.get_mut(slot / PAGE_SLOTS)?.page.as_mut()?;
        let slot = &mut Arc::make_mut(page).slots[slot % PAGE_SLOTS];
        let entry = slot.keys.find_hashed_mut(hash, |key| key.compare(hash, name))?;
        slot.stored_version = slot.stored_version.max(version);
        Some(Arc::make_mut(&mut entry.object))
    }

    /// The entry of a key, whose object may still be shared with a clone.
    fn entry_mut(&mut self, name: &[u8]) -> Option<&mut Entry> {
        let Address { slot, hash } = Address::of(name);
        let page = self.pages.get_mut(slot / PAGE_SLOTS)?.page.as_mut()?;
        let keys = &mut Arc::make_mut(page).slots[slot % PAGE_SLOTS].keys;
        keys.find_hashed_mut(hash, |key| key.compare(hash, name))
    }

    /// Stores an object. Returns the name as stored and the previous object.
    pub(super) fn insert(&mut self, name: &[u8], object: Object) -> (Arc<[u8]>, Option<Object>) {
        let Address { slot, hash } = Address::of(name);
        let (table, link_keys) = self.slot_mut(slot);
        table.stored_version = table.stored_version.max(object.version);
        if let Some(entry) = table.keys.find_hashed_mut(hash, |key| key.compare(hash, name)) {
            let old = match Arc::get_mut(&mut entry.object) {
                Some(place) => std::mem::replace(place, object),
                None => {
                    Arc::unwrap_or_clone(std::mem::replace(&mut entry.object, Arc::new(object)))
                }
            };
            return (entry.key.name.clone(), Some(old));
        }
        let key = TableKey { hash, name: Arc::from(name) };
        let stored = key.name.clone();
        let entry = Entry { key, object: Arc::new(object) };
        table.keys.upsert_by(|key| key.compare(hash, name), entry);
        *link_keys += 1;
        self.keys += 1;
        (stored, None)
    }

    /// Removes a key. `index` is the log index of the removal.
    pub(super) fn remove(&mut self, name: &[u8], index: u64) -> Option<(Arc<[u8]>, Object)> {
        let Address { slot, hash } = Address::of(name);
        let link = self.pages.get_mut(slot / PAGE_SLOTS)?;
        let page = link.page.as_mut()?;
        // A missing key must not copy what a clone still shares.
        page.slots[slot % PAGE_SLOTS].keys.find_hashed(hash, |key| key.compare(hash, name))?;
        let table = &mut Arc::make_mut(page).slots[slot % PAGE_SLOTS];
        let Entry { key, object } = table.keys.remove_by(|key| key.compare(hash, name))?;
        let object = Arc::unwrap_or_clone(object);
        table.removed_version = table.removed_version.max(object.version.min(index));
        link.keys -= 1;
        self.keys -= 1;
        Some((key.name, object))
    }

    /// Leaves a table without keys that remembers in which slots keys were removed, and returns the
    /// keys.
    pub(super) fn take(&mut self) -> Self {
        let old = std::mem::take(self);
        for (slot, table) in old.slots_from(Slot(0)) {
            let removed = match table.keys.is_empty() {
                true => table.removed_version,
                false => table.removed_version.max(table.stored_version),
            };
            self.set_removed_version(slot, removed);
        }
        old
    }

    /// Restores a slot's mark; 0 means none.
    pub(super) fn set_removed_version(&mut self, slot: Slot, version: u64) {
        if version > 0 {
            self.slot_mut(usize::from(slot.0)).0.removed_version = version;
        }
    }

    /// Adds the keys of one slot at once: cheap for a slot without keys, one by one otherwise.
    pub(super) fn load_slot(&mut self, slot: Slot, entries: Vec<(Arc<[u8]>, Object)>) {
        if entries.is_empty() {
            return;
        }
        let (table, link_keys) = self.slot_mut(usize::from(slot.0));
        if !table.keys.is_empty() {
            for (name, object) in entries {
                self.insert(&name, object);
            }
            return;
        }
        let mut loaded: Vec<Entry> = Vec::with_capacity(entries.len());
        for (name, object) in entries {
            table.stored_version = table.stored_version.max(object.version);
            let key = TableKey { hash: stable_hash(&name), name };
            loaded.push(Entry { key, object: Arc::new(object) });
        }
        loaded.sort_by(|first, second| first.key.compare(second.key.hash, &second.key.name));
        table.keys = loaded.into_iter().collect();
        *link_keys += table.keys.len();
        self.keys += table.keys.len();
    }

    /// The key with this rank in the order of slots and hashes.
    pub(super) fn get(&self, mut rank: usize) -> Option<&Entry> {
        for link in &self.pages {
            if rank >= link.keys {
                rank -= link.keys;
                continue;
            }
            for table in &link.page.as_ref()?.slots {
                if let Some(entry) = table.keys.get(rank) {
                    return Some(entry);
                }
                rank -= table.keys.len();
            }
        }
        None
    }

    /// A slot to change, and the count of keys of its page.
    fn slot_mut(&mut self, slot: usize) -> (&mut SlotTable, &mut usize) {
        if self.pages.is_empty() {
            self.pages = vec![PageLink::default(); PAGES];
        }
        let link = &mut self.pages[slot / PAGE_SLOTS];
        let page = Arc::make_mut(link.page.get_or_insert_with(Page::new));
        (&mut page.slots[slot % PAGE_SLOTS], &mut link.keys)
    }
}
