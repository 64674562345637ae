//! Which keys go when memory is full. Chosen by the leader, then removed through the log.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::base::ids::DatabaseId;
use crate::base::limits::EVICT_BATCH_KEYS;
use crate::base::random::Random;

use super::policy::MaxmemoryPolicy;
use super::{AccessRule, Database, Keyspace, Object};

/// Draws that find nothing new, after which there is nothing more worth to remove in one go.
const FRUITLESS_DRAWS_MAX: usize = 32;

/// Keys to remove so that at least `bytes_to_free` are freed, worst first as far as `samples` keys
/// drawn for each tell; fewer when there are no more candidates, and never more than
/// [`EVICT_BATCH_KEYS`]. Nothing under `noeviction`.
pub fn pick_victims(
    keyspace: &Keyspace,
    policy: MaxmemoryPolicy,
    samples: usize,
    bytes_to_free: usize,
    now_ms: u64,
    random: &mut Random,
) -> Vec<(DatabaseId, Bytes)> {
    let mut victims = BTreeSet::new();
    let mut order = Vec::new();
    let mut freed = 0;
    let mut fruitless = 0;
    let evicts = policy != MaxmemoryPolicy::NoEviction;
    while evicts && freed < bytes_to_free && order.len() < EVICT_BATCH_KEYS {
        let mut draw = || draw(keyspace, policy, now_ms, random);
        let candidates = (0..samples_for(policy, samples)).filter_map(|_| draw());
        let fresh = candidates.filter(|one| !victims.contains(&one.place()));
        let Some(worst) = fresh.min_by_key(|candidate| candidate.worth) else {
            fruitless += 1;
            if fruitless == FRUITLESS_DRAWS_MAX {
                break;
            }
            continue;
        };
        fruitless = 0;
        freed += worst.bytes;
        victims.insert(worst.place());
        order.push((worst.database, Bytes::copy_from_slice(worst.key)));
    }
    order
}

/// A key that may go; the lower its worth, the sooner.
struct Candidate<'a> {
    database: DatabaseId,
    key: &'a [u8],
    bytes: usize,
    worth: u64,
}

impl<'a> Candidate<'a> {
    const fn place(&self) -> (u8, &'a [u8]) {
        (self.database.0, self.key)
    }
}

const fn samples_for(policy: MaxmemoryPolicy, samples: usize) -> usize {
    match policy {
        MaxmemoryPolicy::AllkeysRandom | MaxmemoryPolicy::VolatileRandom => 1,
        _ => samples,
    }
}

/// Any key that the policy may remove, each as likely as the others.
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

    /// A hundred keys, each used a second after the one before; every second one has a deadline.
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

    fn numbers(policy: MaxmemoryPolicy, samples: usize, count: usize) -> Vec<u64> {
        let keyspace = keyspace(policy);
        let bytes = (keyspace.memory_bytes() - keyspace.own_bytes()) / 100 * count;
        let victims = pick_victims(&keyspace, policy, samples, bytes, NOW_MS, &mut Random::new(3));
        victims
            .iter()
            .map(|(database, key)| {
                assert!(keyspace.database(*database).find(key, 0).is_some());
                std::str::from_utf8(key).unwrap().parse().unwrap()
            })
            .collect()
    }

    #[test]
    fn every_policy_takes_the_worst_of_what_it_may_take() {
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
        assert_eq!(victims.iter().collect::<BTreeSet<_>>().len(), victims.len());
        assert_eq!(numbers(MaxmemoryPolicy::VolatileTtl, 40, 1000).len(), 50);
    }
}
