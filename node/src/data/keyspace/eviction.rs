//! The choice of keys to evict when memory is full. The leader chooses; the log removes.

use std::collections::HashSet;

use bytes::Bytes;

use crate::base::ids::DatabaseId;
use crate::base::limits::DATABASES;
use crate::base::random::Random;

use super::policy::MaxmemoryPolicy;
use super::{AccessRule, Database, Keyspace, Object};

/// Number of draws without a new key after which the choice ends.
const FRUITLESS_DRAWS_MAX: usize = 32;

/// Keys that were chosen and must not be chosen again before they are removed.
#[derive(Debug)]
pub struct TakenKeys(Vec<HashSet<Bytes>>);

impl Default for TakenKeys {
    fn default() -> Self {
        Self((0..DATABASES).map(|_| HashSet::new()).collect())
    }
}

impl TakenKeys {
    fn contains(&self, database: DatabaseId, key: &[u8]) -> bool {
        self.0[usize::from(database.0)].contains(key)
    }

    fn insert(&mut self, database: DatabaseId, key: Bytes) {
        self.0[usize::from(database.0)].insert(key);
    }

    /// The key was removed, or will not be removed.
    pub fn release(&mut self, database: DatabaseId, key: &[u8]) {
        self.0[usize::from(database.0)].remove(key);
    }
}

/// The limits of one call of [`pick_victims`].
#[derive(Debug, Clone, Copy)]
pub struct EvictionWant {
    /// Bytes of keys and values to free.
    pub bytes: u64,
    /// Maximum number of keys.
    pub keys_max: usize,
    /// Maximum bytes of their names.
    pub name_bytes_max: usize,
}

/// Keys to remove.
#[derive(Debug, Default)]
pub struct Victims {
    /// In the order in which they were chosen.
    pub keys: Vec<(DatabaseId, Bytes)>,
    /// Bytes that they occupy.
    pub bytes: u64,
    /// Bytes of their names.
    pub name_bytes: usize,
    /// Why there are not more.
    pub end: VictimsEnd,
}

/// Why a choice of victims ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum VictimsEnd {
    /// The keys occupy as many bytes as requested.
    #[default]
    Enough,
    /// As many keys, or bytes of names, as requested.
    Limit,
    /// There are no more candidates.
    NoneLeft,
}

/// Keys to remove by the policy in the settings, worst first as far as the samples show; none under
/// `noeviction`. They are added to `taken`. A name longer than `name_bytes_max` is chosen only if
/// it is the only one.
pub fn pick_victims(
    keyspace: &Keyspace,
    want: EvictionWant,
    taken: &mut TakenKeys,
    now_ms: u64,
    random: &mut Random,
) -> Victims {
    let settings = &keyspace.settings;
    let policy = settings.maxmemory_policy;
    let samples = samples_for(policy, settings.maxmemory_samples as usize);
    let mut victims = Victims::default();
    let mut fruitless = 0;
    while victims.bytes < want.bytes {
        if policy == MaxmemoryPolicy::NoEviction || fruitless == FRUITLESS_DRAWS_MAX {
            victims.end = VictimsEnd::NoneLeft;
            break;
        }
        let mut draw = || draw(keyspace, policy, now_ms, random);
        let candidates = (0..samples).filter_map(|_| draw());
        let fresh = candidates.filter(|one| !taken.contains(one.database, one.key));
        let Some(worst) = fresh.min_by_key(|candidate| candidate.worth) else {
            fruitless += 1;
            continue;
        };
        fruitless = 0;
        let name_bytes = victims.name_bytes + worst.key.len();
        let is_first = victims.keys.is_empty();
        if victims.keys.len() >= want.keys_max || name_bytes > want.name_bytes_max && !is_first {
            victims.end = VictimsEnd::Limit;
            break;
        }
        let key = Bytes::copy_from_slice(worst.key);
        taken.insert(worst.database, key.clone());
        victims.name_bytes = name_bytes;
        victims.bytes += worst.bytes as u64;
        victims.keys.push((worst.database, key));
    }
    victims
}

/// A key that may be evicted; the one with the lowest worth is evicted first.
struct Candidate<'a> {
    database: DatabaseId,
    key: &'a [u8],
    bytes: usize,
    worth: u64,
}

const fn samples_for(policy: MaxmemoryPolicy, samples: usize) -> usize {
    match policy {
        MaxmemoryPolicy::AllkeysRandom | MaxmemoryPolicy::VolatileRandom => 1,
        _ => samples,
    }
}

/// Any key that the policy may remove, all with the same probability.
fn draw<'a>(
    keyspace: &'a Keyspace,
    policy: MaxmemoryPolicy,
    now_ms: u64,
    random: &mut Random,
) -> Option<Candidate<'a>> {
    let eligible = |database: &Database| match policy.only_volatile() {
        true => database.expiring_len(),
        false => database.len(),
    };
    let total: usize = keyspace.databases().map(|(_, database)| eligible(database)).sum();
    let mut rank = random.below(total.max(1));
    let (id, database) = keyspace.databases().find(|(_, database)| {
        let here = rank < eligible(database);
        rank = rank.saturating_sub(eligible(database));
        here
    })?;
    let (key, object) = match policy.only_volatile() {
        true => database.random_expiring(random)?,
        false => database.random(random)?,
    };
    let worth = worth(object, policy, keyspace.settings.access_rule(), now_ms);
    Some(Candidate { database: id, key, bytes: object.counted_bytes, worth })
}

fn worth(object: &Object, policy: MaxmemoryPolicy, rule: AccessRule, now_ms: u64) -> u64 {
    match (policy, rule) {
        (MaxmemoryPolicy::VolatileTtl, _) => object.expire_at_ms.unwrap_or(u64::MAX),
        (MaxmemoryPolicy::AllkeysRandom | MaxmemoryPolicy::VolatileRandom, _) => 0,
        (_, AccessRule::Recency) => u64::from(object.access()),
        (_, AccessRule::Frequency { decay_minutes, .. }) => {
            u64::from(object.frequency(now_ms, decay_minutes))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::database::testing;
    use super::*;

    const NOW_MS: u64 = 1_700_000_000_000;

    /// A hundred keys, each used one second after the previous one; every second key has a
    /// deadline.
    fn keyspace(policy: MaxmemoryPolicy) -> Keyspace {
        let mut keyspace = Keyspace::default();
        keyspace.settings.maxmemory_policy = policy;
        let rule = keyspace.settings.access_rule();
        for number in 0..100_u64 {
            let mut object = testing::object(1);
            object.expire_at_ms = (number % 2 == 0).then_some(NOW_MS + 10_000 - number);
            object.set_access(match rule {
                AccessRule::Recency => rule.new_stamp(NOW_MS) + number as u32,
                AccessRule::Frequency { .. } => rule.new_stamp(NOW_MS) + number as u32,
            });
            let database = DatabaseId(u8::from(number >= 50));
            keyspace.database_mut(database).insert(format!("{number}"), object);
        }
        keyspace
    }

    fn want(bytes: usize) -> EvictionWant {
        EvictionWant { bytes: bytes as u64, keys_max: usize::MAX, name_bytes_max: usize::MAX }
    }

    fn numbers(policy: MaxmemoryPolicy, samples: u64, count: usize) -> Vec<u64> {
        let mut keyspace = keyspace(policy);
        keyspace.settings.maxmemory_samples = samples;
        let bytes = (keyspace.memory_bytes() - keyspace.own_bytes()) / 100 * count;
        let mut taken = TakenKeys::default();
        let random = &mut Random::new(3);
        let victims = pick_victims(&keyspace, want(bytes), &mut taken, NOW_MS, random);
        let number = |(database, key): &(DatabaseId, Bytes)| {
            assert!(keyspace.database(*database).find(key, 0).is_some());
            std::str::from_utf8(key).unwrap().parse().unwrap()
        };
        victims.keys.iter().map(number).collect()
    }

    #[test]
    fn every_policy_evicts_the_worst_of_its_candidates() {
        use MaxmemoryPolicy as Policy;
        assert!(numbers(Policy::AllkeysLru, 50, 5).iter().all(|number| *number < 40));
        assert!(numbers(Policy::AllkeysLfu, 50, 5).iter().all(|number| *number < 40));
        let volatile = numbers(Policy::VolatileLru, 50, 5);
        assert!(volatile.iter().all(|number| *number < 40 && number % 2 == 0));
        assert!(numbers(Policy::VolatileLfu, 50, 5).iter().all(|number| number % 2 == 0));
        assert!(numbers(Policy::VolatileTtl, 50, 5).iter().all(|number| *number > 60));
        assert!(numbers(Policy::VolatileRandom, 5, 9).iter().all(|number| number % 2 == 0));
        assert!(numbers(Policy::AllkeysRandom, 5, 9).len() >= 9);
        assert!(numbers(Policy::NoEviction, 5, 9).is_empty());
    }

    #[test]
    fn it_frees_enough_or_everything_and_never_names_a_key_twice() {
        let victims = numbers(MaxmemoryPolicy::AllkeysLru, 5, 60);
        assert!(victims.len() >= 60);
        assert_eq!(victims.iter().collect::<HashSet<_>>().len(), victims.len());
        assert_eq!(numbers(MaxmemoryPolicy::VolatileTtl, 40, 1000).len(), 50);
    }

    #[test]
    fn a_key_that_is_being_removed_is_not_chosen_again() {
        let keyspace = keyspace(MaxmemoryPolicy::AllkeysRandom);
        let (mut taken, mut random) = (TakenKeys::default(), Random::new(5));
        let mut seen = HashSet::new();
        loop {
            let victims = pick_victims(&keyspace, want(500), &mut taken, NOW_MS, &mut random);
            for place in &victims.keys {
                assert!(seen.insert(place.clone()), "{place:?}");
            }
            if victims.end == VictimsEnd::NoneLeft {
                break;
            }
        }
        assert!(seen.len() > 90, "{} of 100", seen.len());
        let (database, key) = seen.iter().next().unwrap();
        taken.release(*database, key);
        // A choice ends after some draws without success, so one key of a hundred may need several
        // calls.
        let mut pick =
            || pick_victims(&keyspace, want(usize::MAX), &mut taken, NOW_MS, &mut random).keys;
        let freed = (*database, key.clone());
        assert!((0..1000).any(|_| pick().contains(&freed)));
    }

    #[test]
    fn a_choice_keeps_to_its_limits_and_a_long_name_goes_alone() {
        let mut keyspace = Keyspace::default();
        keyspace.settings.maxmemory_policy = MaxmemoryPolicy::AllkeysRandom;
        for number in 0..50_u8 {
            let name = vec![number; 1000];
            keyspace.database_mut(DatabaseId(0)).insert(name, testing::object(1));
        }
        let pick = |keys_max, name_bytes_max| {
            let want = EvictionWant { bytes: u64::MAX, keys_max, name_bytes_max };
            let (mut taken, mut random) = (TakenKeys::default(), Random::new(5));
            pick_victims(&keyspace, want, &mut taken, NOW_MS, &mut random)
        };
        let by_bytes = pick(100, 4500);
        assert_eq!((by_bytes.keys.len(), by_bytes.end), (4, VictimsEnd::Limit));
        let by_count = pick(7, 100_000);
        assert_eq!((by_count.keys.len(), by_count.end), (7, VictimsEnd::Limit));
        assert_eq!(pick(100, 10).keys.len(), 1);
    }
}
