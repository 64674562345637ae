//! SCAN: a cursor is a position in the order of keys, not a memory address.
//!
//! Keys are ordered by (slot, hash), which never changes while a key exists. A cursor is the slot
//! and the upper bits of the hash of the next key, so it means the same on every node and after a
//! restart; keys with the same position are returned together. A cursor stays below 2^53, because
//! some clients store it in a float.

use crate::base::ids::Slot;
use crate::base::limits::SLOTS;

use super::{Database, Object};

/// Bits of the hash in a cursor; the slot has 14 more.
const HASH_BITS: u32 = 39;

/// The first cursor after all keys.
const END: u64 = (SLOTS as u64) << HASH_BITS;

const fn position(slot: Slot, hash: u64) -> u64 {
    ((slot.0 as u64) << HASH_BITS) | (hash >> (u64::BITS - HASH_BITS))
}

impl Database {
    /// Visits live keys from `cursor` on, stops after it has seen `count` keys, and returns the
    /// next cursor, 0 at the end. A cursor that was never returned is a valid position too.
    pub fn scan<'a>(
        &'a self,
        cursor: u64,
        count: usize,
        now_ms: u64,
        mut visit: impl FnMut(&'a [u8], &'a Object),
    ) -> u64 {
        if cursor >= END {
            return 0;
        }
        let first_slot = Slot((cursor >> HASH_BITS) as u16);
        let mut seen = 0;
        let mut last = None;
        for (slot, table) in self.table.slots_from(first_slot) {
            let before = |hash| position(slot, hash) < cursor;
            let start = table.keys.search_by(|key| {
                if before(key.hash) {
                    std::cmp::Ordering::Less
                } else {
                    std::cmp::Ordering::Greater
                }
            });
            let (Ok(start) | Err(start)) = start;
            for entry in table.keys.range(start..usize::MAX) {
                let here = position(slot, entry.key.hash);
                if seen >= count.max(1) && last != Some(here) {
                    return here;
                }
                if !entry.object.is_expired(now_ms) {
                    visit(&entry.key.name, &entry.object);
                }
                seen += 1;
                last = Some(here);
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::database::testing;
    use super::*;

    fn scan_all(database: &mut Database, mut between: impl FnMut(&mut Database)) -> Vec<String> {
        let mut found = Vec::new();
        let mut cursor = 0;
        loop {
            cursor = database.scan(cursor, 7, 0, |key, _| {
                found.push(String::from_utf8_lossy(key).into_owned());
            });
            if cursor == 0 {
                return found;
            }
            between(database);
        }
    }

    #[test]
    fn a_scan_returns_every_key_once_when_nothing_changes() {
        let mut database = testing::with_keys(0..1000);
        let found = scan_all(&mut database, |_| {});
        assert_eq!(found.len(), 1000);
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>().len(), 1000);
    }

    #[test]
    fn keys_that_stay_are_found_while_others_change() {
        let mut database = testing::with_keys(0..500);
        let mut step = 0;
        let found = scan_all(&mut database, |database| {
            for number in 0..20 {
                database.insert(format!("new:{step}:{number}"), testing::object(1));
                database.remove(format!("key:{}", (step * 20 + number) % 250).as_bytes(), 1);
            }
            step = (step + 1).min(60);
        });
        let found: BTreeSet<String> = found.into_iter().collect();
        assert!((250..500).all(|number| found.contains(&format!("key:{number}"))));
    }

    #[test]
    fn keys_of_one_slot_are_scanned_and_a_cursor_past_the_end_ends() {
        let mut database = Database::default();
        (0..300).for_each(|number| {
            database.insert(format!("{{tag}}{number}"), testing::object(1));
        });
        assert_eq!(scan_all(&mut database, |_| {}).len(), 300);
        assert_eq!(database.scan(END, 10, 0, |_, _| unreachable!()), 0);
        assert_eq!(database.scan(u64::MAX, 10, 0, |_, _| unreachable!()), 0);
        assert!(position(Slot(SLOTS - 1), u64::MAX) < 1 << 53);
    }
}
