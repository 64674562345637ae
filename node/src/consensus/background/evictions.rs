//! Keys that were chosen for eviction and are not removed yet. Entries under way do not show in the
//! memory used, so without this account each of them would evict for the same excess.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::base::limits::{EVICT_BATCH_KEYS, EVICT_KEYS_PER_LOCK, REMOVAL_BATCH_BYTES};
use crate::base::random::Random;
use crate::base::seeded::{Bug, seeded};
use crate::consensus::proposal::entry::Item;
use crate::data::keyspace::{EvictionWant, Keyspace, TakenKeys, Victims, VictimsEnd, pick_victims};

/// The account of one group. Clones mean the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Evictions(Arc<Mutex<UnderWay>>);

#[derive(Debug, Default)]
struct UnderWay {
    taken: TakenKeys,
    bytes: u64,
}

impl Evictions {
    /// How much of the memory above the maximum nothing under way will free.
    pub(crate) fn missing_bytes(&self, excess_bytes: u64) -> u64 {
        let under_way = if seeded(Bug::EvictPerEntryInFlight) { 0 } else { self.0.lock().bytes };
        excess_bytes.saturating_sub(under_way)
    }

    /// An empty choice, to be filled.
    pub(crate) fn choice(&self, wanted_bytes: u64) -> Choice {
        Choice { account: self.clone(), wanted_bytes, victims: Victims::default() }
    }
}

/// Keys for one entry. They count as under way until this is dropped, so it lives until the entry
/// is applied or has failed.
#[derive(Debug)]
pub(crate) struct Choice {
    account: Evictions,
    wanted_bytes: u64,
    victims: Victims,
}

impl Choice {
    /// Chooses some more, for as long as a lock may be held. Whether the choice is not complete.
    pub(crate) fn go_on(&mut self, keyspace: &Keyspace, now_ms: u64, random: &mut Random) -> bool {
        let so_far = &mut self.victims;
        let name_bytes_left = REMOVAL_BATCH_BYTES.saturating_sub(so_far.name_bytes);
        let keys_left = EVICT_BATCH_KEYS.saturating_sub(so_far.keys.len());
        if !so_far.keys.is_empty() && (keys_left == 0 || name_bytes_left == 0) {
            so_far.end = VictimsEnd::Limit;
            return false;
        }
        let want = EvictionWant {
            bytes: self.wanted_bytes.saturating_sub(so_far.bytes),
            keys_max: keys_left.min(EVICT_KEYS_PER_LOCK),
            name_bytes_max: name_bytes_left,
        };
        let mut account = self.account.0.lock();
        let mut more = pick_victims(keyspace, want, &mut account.taken, now_ms, random);
        // A name that is too long for what is left is the first of the next choice.
        if !so_far.keys.is_empty() && more.name_bytes > name_bytes_left {
            for (database, key) in more.keys.drain(..) {
                account.taken.release(database, &key);
            }
            so_far.end = VictimsEnd::Limit;
            return false;
        }
        account.bytes += more.bytes;
        so_far.bytes += more.bytes;
        so_far.name_bytes += more.name_bytes;
        so_far.keys.append(&mut more.keys);
        so_far.end = more.end;
        more.end == VictimsEnd::Limit
    }

    /// Whether nothing was chosen.
    pub(crate) const fn is_empty(&self) -> bool {
        self.victims.keys.is_empty()
    }

    /// Why there are no more keys.
    pub(crate) const fn end(&self) -> VictimsEnd {
        self.victims.end
    }

    /// What an entry must hold.
    pub(crate) fn items(&self) -> Vec<Item> {
        let mut items = Vec::new();
        for (database, key) in &self.victims.keys {
            match items.last_mut() {
                Some(Item::Evict { database: last, keys }) if last == database => {
                    keys.push(key.clone());
                }
                _ => items.push(Item::Evict { database: *database, keys: vec![key.clone()] }),
            }
        }
        items
    }

    /// The keys, in the order in which they were chosen.
    #[cfg(test)]
    pub(crate) fn keys(&self) -> &[(crate::base::ids::DatabaseId, bytes::Bytes)] {
        &self.victims.keys
    }
}

impl Drop for Choice {
    fn drop(&mut self) {
        let mut account = self.account.0.lock();
        account.bytes -= self.victims.bytes;
        for (database, key) in &self.victims.keys {
            account.taken.release(*database, key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::DatabaseId;
    use crate::data::keyspace::{MaxmemoryPolicy, Object};
    use crate::data::types::{StringValue, Value};

    fn keyspace(names: impl IntoIterator<Item = Vec<u8>>) -> Keyspace {
        let mut keyspace = Keyspace::default();
        keyspace.settings.maxmemory_policy = MaxmemoryPolicy::AllkeysRandom;
        for name in names {
            let value = Value::String(StringValue::new(b"a value"));
            keyspace.database_mut(DatabaseId(0)).insert(name, Object::new(value, None, 1));
        }
        keyspace
    }

    fn choose(evictions: &Evictions, keyspace: &Keyspace, bytes: u64) -> Choice {
        let (mut choice, mut random) = (evictions.choice(bytes), Random::new(9));
        while choice.go_on(keyspace, 0, &mut random) {}
        choice
    }

    fn numbered(count: u32, length: usize) -> impl Iterator<Item = Vec<u8>> {
        (0..count).map(move |number| {
            let mut name = format!("{number:08}").into_bytes();
            name.resize(length, b'.');
            name
        })
    }

    #[test]
    fn what_is_under_way_is_not_evicted_for_again() {
        let (evictions, keyspace) = (Evictions::default(), keyspace(numbered(2000, 20)));
        let first = choose(&evictions, &keyspace, 10_000);
        assert_eq!(evictions.missing_bytes(10_000), 0);
        assert!(evictions.missing_bytes(50_000) > 30_000);
        let second = choose(&evictions, &keyspace, 10_000);
        assert!(first.keys().iter().all(|place| !second.keys().contains(place)));
        drop((first, second));
        assert_eq!(evictions.missing_bytes(10_000), 10_000);
    }

    #[test]
    fn one_choice_frees_what_is_missing_however_small_the_keys_are() {
        let (evictions, keyspace) = (Evictions::default(), keyspace(numbered(6000, 10)));
        let wanted = (keyspace.memory_bytes() / 2) as u64;
        let choice = choose(&evictions, &keyspace, wanted);
        assert_eq!((choice.end(), evictions.missing_bytes(wanted)), (VictimsEnd::Enough, 0));
        assert!(choice.keys().len() > 2000, "{}", choice.keys().len());
    }

    #[test]
    fn a_choice_never_makes_an_entry_too_large() {
        let (evictions, keyspace) = (Evictions::default(), keyspace(numbered(100, 120_000)));
        let choice = choose(&evictions, &keyspace, u64::MAX);
        let bytes: usize = choice.items().iter().map(Item::encoded_bytes).sum();
        assert!(bytes <= REMOVAL_BATCH_BYTES + 1000 && choice.keys().len() == 8, "{bytes}");
        assert_eq!(choice.end(), VictimsEnd::Limit);
    }

    #[test]
    fn a_name_above_every_limit_is_evicted_alone() {
        let long = vec![b'k'; 5 << 20];
        let (evictions, keyspace) = (Evictions::default(), keyspace([long]));
        let choice = choose(&evictions, &keyspace, u64::MAX);
        assert_eq!((choice.keys().len(), choice.end()), (1, VictimsEnd::NoneLeft));
    }
}
