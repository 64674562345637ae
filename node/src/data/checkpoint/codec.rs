//! Objects to rows and back. Elements keep the order in which their type iterates, and the encoding
//! stays the same, so that a loaded replica answers exactly like one that never restarted.

use bytes::{Buf, BufMut, Bytes};

use super::rows::CHUNK_BYTES;
use crate::data::keyspace::Object;
use crate::data::types::hash::HashEncoding;
use crate::data::types::list::ListEncoding;
use crate::data::types::set::{Member, SetEncoding};
use crate::data::types::sorted_set::{Score, Scored, SortedSetEncoding};
use crate::data::types::{
    HashValue, ListValue, SetValue, SortedSetValue, StringValue, TypedValue, Value,
};

/// Long strings are split into pieces of this size, each of which is an element.
const PIECE_BYTES: usize = CHUNK_BYTES;

/// Kinds of values. The numbers are part of the format: never change or reuse one.
mod kind {
    pub(super) const STRING: u8 = 1;
    pub(super) const STRING_GROWN: u8 = 2;
    pub(super) const LIST_LISTPACK: u8 = 3;
    pub(super) const LIST_QUICKLIST: u8 = 4;
    pub(super) const SET_INTSET: u8 = 5;
    pub(super) const SET_LISTPACK: u8 = 6;
    pub(super) const SET_HASHTABLE: u8 = 7;
    pub(super) const SORTED_SET_LISTPACK: u8 = 8;
    pub(super) const SORTED_SET_SKIPLIST: u8 = 9;
    pub(super) const HASH_LISTPACK: u8 = 10;
    pub(super) const HASH_HASHTABLE: u8 = 11;
}

const HEAD_BYTES: usize = 1 + 1 + 8 + 8 + 8;
const HAS_DEADLINE: u8 = 1;

type Elements<'a> = Box<dyn Iterator<Item = Bytes> + 'a>;

/// The rows of one object, in order.
pub(super) struct Chunks<'a> {
    head: Option<Vec<u8>>,
    elements: std::iter::Peekable<Elements<'a>>,
}

impl<'a> Chunks<'a> {
    pub(super) fn new(key: &[u8], object: &'a Object) -> Self {
        let (kind, count, elements) = parts(&object.value);
        let mut head = Vec::with_capacity(HEAD_BYTES + 4 + key.len());
        head.put_u8(kind);
        head.put_u8(if object.expire_at_ms.is_some() { HAS_DEADLINE } else { 0 });
        head.put_u64_le(object.version);
        head.put_u64_le(object.expire_at_ms.unwrap_or(0));
        head.put_u64_le(count as u64);
        put_bytes(&mut head, key);
        Self { head: Some(head), elements: elements.peekable() }
    }

    /// Appends the next row's body; false when there is none.
    pub(super) fn next_into(&mut self, body: &mut Vec<u8>) -> bool {
        let start = body.len();
        match self.head.take() {
            Some(head) => body.extend_from_slice(&head),
            None if self.elements.peek().is_none() => return false,
            None => {}
        }
        while body.len() - start < CHUNK_BYTES
            && let Some(element) = self.elements.next()
        {
            put_bytes(body, &element);
        }
        true
    }
}

/// Kind, number of elements, and the elements.
fn parts(value: &Value) -> (u8, usize, Elements<'_>) {
    match value {
        Value::String(string) => {
            let bytes = string.bytes();
            let pieces = bytes.len().div_ceil(PIECE_BYTES);
            let kind = if string.was_grown() { kind::STRING_GROWN } else { kind::STRING };
            let piece = move |at: usize| {
                bytes.slice(at * PIECE_BYTES..bytes.len().min((at + 1) * PIECE_BYTES))
            };
            (kind, pieces, Box::new((0..pieces).map(piece)))
        }
        Value::List(list) => {
            let kind = match list.stored_encoding() {
                ListEncoding::Listpack => kind::LIST_LISTPACK,
                ListEncoding::Quicklist => kind::LIST_QUICKLIST,
            };
            (kind, list.len(), Box::new(list.iter().cloned()))
        }
        Value::Set(set) => {
            let kind = match set.stored_encoding() {
                SetEncoding::IntSet => kind::SET_INTSET,
                SetEncoding::Listpack => kind::SET_LISTPACK,
                SetEncoding::HashTable => kind::SET_HASHTABLE,
            };
            (kind, set.len(), Box::new(set.iter().map(Member::to_bytes)))
        }
        Value::SortedSet(set) => {
            let kind = match set.stored_encoding() {
                SortedSetEncoding::Listpack => kind::SORTED_SET_LISTPACK,
                SortedSetEncoding::Skiplist => kind::SORTED_SET_SKIPLIST,
            };
            let flat = set.iter().flat_map(|scored| {
                let score = Bytes::copy_from_slice(&scored.score.get().to_le_bytes());
                [score, scored.member.clone()]
            });
            (kind, 2 * set.len(), Box::new(flat))
        }
        Value::Hash(hash) => {
            let kind = match hash.stored_encoding() {
                HashEncoding::Listpack => kind::HASH_LISTPACK,
                HashEncoding::HashTable => kind::HASH_HASHTABLE,
            };
            let flat = hash.iter().flat_map(|(field, value)| [field.clone(), value.clone()]);
            (kind, 2 * hash.len(), Box::new(flat))
        }
    }
}

fn put_bytes(body: &mut Vec<u8>, bytes: &[u8]) {
    body.put_u32_le(bytes.len() as u32);
    body.put_slice(bytes);
}

/// An object that is built row by row.
pub(super) struct Builder {
    kind: u8,
    version: u64,
    expire_at_ms: Option<u64>,
    key: Vec<u8>,
    wanted: u64,
    elements: Vec<Bytes>,
}

impl Builder {
    /// From an object's first row; `None` if it is malformed.
    pub(super) fn start(mut body: &[u8]) -> Option<Self> {
        if body.len() < HEAD_BYTES {
            return None;
        }
        let kind = body.get_u8();
        let flags = body.get_u8();
        let version = body.get_u64_le();
        let deadline = body.get_u64_le();
        let wanted = body.get_u64_le();
        let key = take_bytes(&mut body)?.to_vec();
        let expire_at_ms = (flags & HAS_DEADLINE != 0).then_some(deadline);
        let mut builder = Self { kind, version, expire_at_ms, key, wanted, elements: Vec::new() };
        builder.add(body)?;
        Some(builder)
    }

    /// From a further row.
    pub(super) fn add(&mut self, mut body: &[u8]) -> Option<()> {
        while !body.is_empty() {
            self.elements.push(Bytes::copy_from_slice(take_bytes(&mut body)?));
        }
        (self.elements.len() as u64 <= self.wanted).then_some(())
    }

    pub(super) fn is_complete(&self) -> bool {
        self.elements.len() as u64 == self.wanted
    }

    /// The object; `None` if its elements do not match its kind.
    pub(super) fn finish(self) -> Option<(Vec<u8>, Object)> {
        let elements = self.elements;
        let value = match self.kind {
            kind::STRING => StringValue::new(&elements.concat()).into_value(),
            kind::STRING_GROWN => {
                let mut string = StringValue::new(&elements.concat());
                string.append(b"");
                string.into_value()
            }
            kind::LIST_LISTPACK => list(ListEncoding::Listpack, elements),
            kind::LIST_QUICKLIST => list(ListEncoding::Quicklist, elements),
            kind::SET_INTSET => set(SetEncoding::IntSet, elements)?,
            kind::SET_LISTPACK => set(SetEncoding::Listpack, elements)?,
            kind::SET_HASHTABLE => set(SetEncoding::HashTable, elements)?,
            kind::SORTED_SET_LISTPACK => sorted_set(SortedSetEncoding::Listpack, &elements)?,
            kind::SORTED_SET_SKIPLIST => sorted_set(SortedSetEncoding::Skiplist, &elements)?,
            kind::HASH_LISTPACK => hash(HashEncoding::Listpack, &elements)?,
            kind::HASH_HASHTABLE => hash(HashEncoding::HashTable, &elements)?,
            _ => return None,
        };
        Some((self.key, Object::new(value, self.expire_at_ms, self.version)))
    }
}

fn list(encoding: ListEncoding, elements: Vec<Bytes>) -> Value {
    ListValue::from_stored(encoding, elements).into_value()
}

fn set(encoding: SetEncoding, elements: Vec<Bytes>) -> Option<Value> {
    SetValue::from_stored(encoding, elements).map(TypedValue::into_value)
}

fn sorted_set(encoding: SortedSetEncoding, elements: &[Bytes]) -> Option<Value> {
    let (pairs, rest) = elements.as_chunks::<2>();
    let scored = pairs.iter().map(|[score, member]| {
        let score = f64::from_le_bytes(score.as_ref().try_into().ok()?);
        Some(Scored { score: Score::new(score)?, member: member.clone() })
    });
    let scored = scored.collect::<Option<Vec<_>>>().filter(|_| rest.is_empty())?;
    SortedSetValue::from_stored(encoding, scored).map(TypedValue::into_value)
}

fn hash(encoding: HashEncoding, elements: &[Bytes]) -> Option<Value> {
    let (pairs, rest) = elements.as_chunks::<2>();
    let pairs = pairs.iter().map(|[field, value]| (field.clone(), value.clone()));
    let hash = HashValue::from_stored(encoding, pairs)?;
    rest.is_empty().then(|| hash.into_value())
}

fn take_bytes<'a>(body: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = body.split_first_chunk()?;
    let (bytes, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    *body = rest;
    Some(bytes)
}
