//! A number for the content: equal on replicas with equal keys, values and deadlines, however they
//! were written. For `DEBUG DIGEST`, comparing replicas, and checking restores.

use xxhash_rust::xxh3::xxh3_128;

use crate::data::types::Value;

use super::{Keyspace, Object};

/// 128 bits of a hash, combined by addition where the order has no meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Sum(u128);

impl Sum {
    /// The hash of some parts and of their borders. `scratch` is a buffer that is overwritten.
    fn of<'a>(scratch: &mut Vec<u8>, parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        scratch.clear();
        for part in parts {
            scratch.extend_from_slice(&(part.len() as u64).to_le_bytes());
            scratch.extend_from_slice(part);
        }
        Self(xxh3_128(scratch))
    }

    const fn plus(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }

    /// Different bits for every position in a sequence.
    fn at(self, place: usize) -> Self {
        let mut bytes = [0; 24];
        bytes[..16].copy_from_slice(&self.0.to_le_bytes());
        bytes[16..].copy_from_slice(&(place as u64).to_le_bytes());
        Self(xxh3_128(&bytes))
    }

    /// As long as Redis's digest, which is a SHA-1.
    fn wide(self) -> [u8; 20] {
        let mut wide = [0; 20];
        if self == Self::default() {
            return wide;
        }
        wide[..16].copy_from_slice(&self.0.to_be_bytes());
        let more = xxh3_128(&self.0.to_be_bytes()) as u32;
        wide[16..].copy_from_slice(&more.to_be_bytes());
        wide
    }
}

impl Keyspace {
    /// The digest of all databases; zeros when they are empty. O(N) in everything stored.
    pub fn digest(&self) -> [u8; 20] {
        self.sums().fold(Sum::default(), Sum::plus).wide()
    }

    /// A number for each key, in any order, so that a caller can pause in between. Replicas are
    /// equal when the wrapping sums of their numbers are equal.
    pub fn digest_parts(&self) -> impl Iterator<Item = u128> {
        self.sums().map(|sum| sum.0)
    }

    fn sums(&self) -> impl Iterator<Item = Sum> {
        let mut scratch = Vec::new();
        let keys = self.databases().flat_map(|(id, database)| {
            database.iter().map(move |(_, key, object)| (id, key, object))
        });
        keys.map(move |(id, key, object)| {
            let object = object.sum(&mut scratch).0.to_le_bytes();
            Sum::of(&mut scratch, [&[id.0][..], key, &object])
        })
    }
}

impl Object {
    /// The digest of the value and the deadline (`DEBUG DIGEST-VALUE`).
    pub fn digest(&self) -> [u8; 20] {
        self.sum(&mut Vec::new()).wide()
    }

    fn sum(&self, scratch: &mut Vec<u8>) -> Sum {
        let content = content(&self.value, scratch).0.to_le_bytes();
        let deadline = self.expire_at_ms.map_or([0; 9], |at_ms| {
            let mut bytes = [1; 9];
            bytes[1..].copy_from_slice(&at_ms.to_le_bytes());
            bytes
        });
        Sum::of(scratch, [self.value.type_name().as_bytes(), &content, &deadline])
    }
}

/// The digest does not depend on the encoding of the value.
fn content(value: &Value, scratch: &mut Vec<u8>) -> Sum {
    match value {
        Value::String(string) => Sum::of(scratch, [&*string.text()]),
        Value::List(list) => list.iter().enumerate().fold(Sum::default(), |sum, (place, item)| {
            sum.plus(Sum::of(scratch, [&item[..]]).at(place))
        }),
        Value::Set(set) => set.iter().fold(Sum::default(), |sum, member| {
            sum.plus(Sum::of(scratch, [&member.to_bytes()[..]]))
        }),
        Value::SortedSet(set) => set.iter().fold(Sum::default(), |sum, scored| {
            let score = scored.score.get().to_le_bytes();
            sum.plus(Sum::of(scratch, [&score[..], &scored.member]))
        }),
        Value::Hash(hash) => hash.iter().fold(Sum::default(), |sum, (field, text)| {
            sum.plus(Sum::of(scratch, [&field[..], text]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::base::ids::DatabaseId;
    use crate::data::keyspace::Settings;
    use crate::data::types::{ListValue, SetValue, StringValue};

    fn members(texts: &[&'static str]) -> Vec<Bytes> {
        texts.iter().map(|text| Bytes::from_static(text.as_bytes())).collect()
    }

    fn list(texts: &[&'static str]) -> Value {
        Value::List(ListValue::from_members(members(texts), &Settings::default()))
    }

    fn set(texts: &[&'static str], settings: &Settings) -> Value {
        Value::Set(SetValue::from_members(members(texts), settings))
    }

    fn text(text: &str) -> Value {
        Value::String(StringValue::new(text.as_bytes()))
    }

    fn of(keys: &[(u8, &str, Value, Option<u64>)]) -> [u8; 20] {
        let mut keyspace = Keyspace::default();
        for (index, (database, key, value, deadline)) in (1..).zip(keys) {
            let object = Object::new(value.clone(), *deadline, index);
            keyspace.database_mut(DatabaseId(*database)).insert(key, object);
        }
        keyspace.digest()
    }

    #[test]
    fn nothing_is_zeros() {
        assert_eq!(Keyspace::default().digest(), [0; 20]);
    }

    #[test]
    fn the_way_to_the_content_does_not_count() {
        let first = (0, "a", text("1"), None);
        let second = (0, "b", text("2"), Some(5));
        assert_eq!(of(&[first.clone(), second.clone()]), of(&[second, first]));
        let small = Settings { set_max_listpack_entries: 0, ..Settings::default() };
        let packed = (0, "s", set(&["x", "y"], &Settings::default()), None);
        let hashed = (0, "s", set(&["y", "x"], &small), None);
        assert_eq!(of(&[packed]), of(&[hashed]));
    }

    #[test]
    fn every_part_of_the_content_counts() {
        let settings = Settings::default();
        let digests = [
            of(&[(0, "k", text("1"), None)]),
            of(&[(1, "k", text("1"), None)]),
            of(&[(0, "l", text("1"), None)]),
            of(&[(0, "k", text("2"), None)]),
            of(&[(0, "k", text("1"), Some(0))]),
            of(&[(0, "k", text("1"), Some(1))]),
            of(&[(0, "k", list(&["1"]), None)]),
            of(&[(0, "k", list(&["1", "2"]), None)]),
            of(&[(0, "k", list(&["2", "1"]), None)]),
            of(&[(0, "k", set(&["1"], &settings), None)]),
            of(&[(0, "k", set(&["1", "2"], &settings), None)]),
        ];
        for (at, digest) in digests.iter().enumerate() {
            assert!(!digests[..at].contains(digest), "digest {at}");
        }
    }
}
