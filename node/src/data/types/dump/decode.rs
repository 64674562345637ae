//! Bytes to values, from every encoding that Redis has ever written.

use bytes::Bytes;

use super::reader::Reader;
use super::{intset, kind, listpack, ziplist, zipmap};
use crate::data::keyspace::Settings;
use crate::data::types::sorted_set::{Score, Scored};
use crate::data::types::{
    HashValue, ListValue, SetValue, SortedSetValue, StringValue, TypedValue, Value,
};

/// How a node of a quicklist is stored.
const NODE_PLAIN: usize = 1;
const NODE_PACKED: usize = 2;

/// First bytes of a score as text that mean NaN or an infinity instead of a length.
const TEXT_NAN: u8 = 253;
const TEXT_INFINITY: u8 = 254;
const TEXT_NEGATIVE_INFINITY: u8 = 255;

type Unpack = fn(&[u8]) -> Option<Vec<Bytes>>;

/// The value; `None` if the type is unknown, the content is inconsistent, or there is no element.
pub(super) fn decode(content: &[u8], settings: &Settings) -> Option<Value> {
    let mut reader = Reader::new(content);
    let kind = reader.byte()?;
    let reader = &mut reader;
    let value = match kind {
        kind::STRING => StringValue::new(&reader.string()?).into_value(),
        kind::LIST => list(strings(reader, 1)?, settings),
        kind::LIST_ZIPLIST => list(ziplist::decode(&reader.string()?)?, settings),
        kind::LIST_QUICKLIST => list(quicklist(reader)?, settings),
        kind::LIST_QUICKLIST_2 => list(quicklist_2(reader)?, settings),
        kind::SET => set(strings(reader, 1)?, settings)?,
        kind::SET_INTSET => set(intset::decode(&reader.string()?)?, settings)?,
        kind::SET_LISTPACK => set(listpack::decode(&reader.string()?)?, settings)?,
        kind::SORTED_SET => sorted_set(scored(reader, binary_score)?, settings)?,
        kind::SORTED_SET_TEXT => sorted_set(scored(reader, text_score)?, settings)?,
        kind::SORTED_SET_ZIPLIST => packed_sorted_set(reader, ziplist::decode, settings)?,
        kind::SORTED_SET_LISTPACK => packed_sorted_set(reader, listpack::decode, settings)?,
        kind::HASH => hash(&strings(reader, 2)?, settings)?,
        kind::HASH_ZIPMAP => hash(&zipmap::decode(&reader.string()?)?, settings)?,
        kind::HASH_ZIPLIST => hash(&ziplist::decode(&reader.string()?)?, settings)?,
        kind::HASH_LISTPACK => hash(&listpack::decode(&reader.string()?)?, settings)?,
        _ => return None,
    };
    (!value.is_empty()).then_some(value)
}

/// A count, then that many times `each` strings.
fn strings(reader: &mut Reader<'_>, each: usize) -> Option<Vec<Bytes>> {
    let count = reader.count()?.checked_mul(each)?;
    (0..count).map(|_| reader.string()).collect()
}

fn quicklist(reader: &mut Reader<'_>) -> Option<Vec<Bytes>> {
    let mut elements = Vec::new();
    for _ in 0..reader.count()? {
        elements.extend(ziplist::decode(&reader.string()?)?);
    }
    Some(elements)
}

fn quicklist_2(reader: &mut Reader<'_>) -> Option<Vec<Bytes>> {
    let mut elements = Vec::new();
    for _ in 0..reader.count()? {
        match reader.number()? {
            NODE_PLAIN => elements.push(reader.string()?),
            NODE_PACKED => elements.extend(listpack::decode(&reader.string()?)?),
            _ => return None,
        }
    }
    Some(elements)
}

fn list(elements: Vec<Bytes>, settings: &Settings) -> Value {
    ListValue::from_members(elements, settings).into_value()
}

fn set(members: Vec<Bytes>, settings: &Settings) -> Option<Value> {
    let count = members.len();
    let set = SetValue::from_members(members, settings);
    (set.len() == count).then(|| set.into_value())
}

fn hash(flat: &[Bytes], settings: &Settings) -> Option<Value> {
    let (pairs, []) = flat.as_chunks::<2>() else { return None };
    let fields = pairs.iter().map(|[field, value]| (field.clone(), value.clone()));
    Some(HashValue::from_fields(fields, settings)?.into_value())
}

fn sorted_set(members: Vec<Scored>, settings: &Settings) -> Option<Value> {
    let count = members.len();
    let sorted_set = SortedSetValue::from_members(members, settings);
    (sorted_set.len() == count).then(|| sorted_set.into_value())
}

fn scored(
    reader: &mut Reader<'_>,
    score: fn(&mut Reader<'_>) -> Option<f64>,
) -> Option<Vec<Scored>> {
    let count = reader.count()?;
    let next = || {
        let member = reader.string()?;
        Some(Scored { score: Score::new(score(reader)?)?, member })
    };
    std::iter::repeat_with(next).take(count).collect()
}

fn binary_score(reader: &mut Reader<'_>) -> Option<f64> {
    reader.array().map(f64::from_le_bytes)
}

fn text_score(reader: &mut Reader<'_>) -> Option<f64> {
    match reader.byte()? {
        TEXT_NAN => None,
        TEXT_INFINITY => Some(f64::INFINITY),
        TEXT_NEGATIVE_INFINITY => Some(f64::NEG_INFINITY),
        length => fast_float2::parse(reader.take(usize::from(length))?).ok(),
    }
}

/// Members and scores alternately.
fn packed_sorted_set(
    reader: &mut Reader<'_>,
    unpack: Unpack,
    settings: &Settings,
) -> Option<Value> {
    let flat = unpack(&reader.string()?)?;
    let (pairs, []) = flat.as_chunks::<2>() else { return None };
    let scored = pairs.iter().map(|[member, score]| {
        let score = Score::new(fast_float2::parse(score).ok()?)?;
        Some(Scored { score, member: member.clone() })
    });
    sorted_set(scored.collect::<Option<Vec<Scored>>>()?, settings)
}
