//! Replies as bytes, on the way from the leader to the follower whose client waits. Both sides may
//! run different versions, so an unknown tag is an error.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use parking_lot::Mutex;

use super::ConvertError;
use crate::base::limits::{REPLY_DEPTH_MAX, STATUS_TEXTS_MAX};
use crate::resp::{Reply, ReplyError};

const DAMAGED: ConvertError = ConvertError::Damaged("reply");

const STATUS: u8 = 1;
const INTEGER: u8 = 2;
const BULK: u8 = 3;
const NULL: u8 = 4;
const NULL_ARRAY: u8 = 5;
const ARRAY: u8 = 6;
const MAP: u8 = 7;
const SET: u8 = 8;
const DOUBLE: u8 = 9;
const BOOLEAN: u8 = 10;
const BIG_NUMBER: u8 = 11;
const VERBATIM: u8 = 12;
const PUSH: u8 = 13;
const ERROR: u8 = 14;
const MANY: u8 = 15;
const NOTHING: u8 = 16;
const PAIRS: u8 = 17;
const LINE: u8 = 18;
const ATTRIBUTE: u8 = 19;

#[cfg(test)]
pub(super) fn encode_replies(replies: &[Reply]) -> Bytes {
    let mut out = BytesMut::with_capacity(16 * replies.len());
    replies.iter().for_each(|reply| encode(reply, &mut out));
    out.freeze()
}

/// Reads all of `bytes`; strings are slices of it.
pub(crate) fn decode_replies(mut bytes: Bytes) -> Result<Vec<Reply>, ConvertError> {
    let mut replies = Vec::new();
    while !bytes.is_empty() {
        replies.push(decode(&mut bytes, 0)?);
    }
    Ok(replies)
}

pub(super) fn encode(reply: &Reply, out: &mut BytesMut) {
    match reply {
        Reply::Status(text) => put_bytes(STATUS, text.as_bytes(), out),
        Reply::Line(text) => put_bytes(LINE, text.as_bytes(), out),
        Reply::Integer(number) => {
            out.put_u8(INTEGER);
            out.put_i64_le(*number);
        }
        Reply::Bulk(bytes) => put_bytes(BULK, bytes, out),
        Reply::Null => out.put_u8(NULL),
        Reply::NullArray => out.put_u8(NULL_ARRAY),
        Reply::Array(items) => put_items(ARRAY, items, out),
        Reply::Map(pairs) => put_pairs(MAP, pairs, out),
        Reply::Pairs(pairs) => put_pairs(PAIRS, pairs, out),
        Reply::Attribute(pairs) => put_pairs(ATTRIBUTE, pairs, out),
        Reply::Set(items) => put_items(SET, items, out),
        Reply::Double(number) => {
            out.put_u8(DOUBLE);
            out.put_f64_le(*number);
        }
        Reply::Boolean(yes) => {
            out.put_u8(BOOLEAN);
            out.put_u8(u8::from(*yes));
        }
        Reply::BigNumber(digits) => put_bytes(BIG_NUMBER, digits.as_bytes(), out),
        Reply::Verbatim(format, bytes) => {
            put_bytes(VERBATIM, format.as_bytes(), out);
            out.put_u32_le(bytes.len() as u32);
            out.put_slice(bytes);
        }
        Reply::Push(items) => put_items(PUSH, items, out),
        Reply::Error(error) => put_bytes(ERROR, error.0.as_bytes(), out),
        Reply::Many(items) => put_items(MANY, items, out),
        Reply::Nothing => out.put_u8(NOTHING),
    }
}

/// What stands before the contents of a string or a collection.
pub(super) fn put_head(reply: &Reply, out: &mut BytesMut) {
    let (tag, count) = match reply {
        Reply::Bulk(bytes) => (BULK, bytes.len()),
        Reply::Array(items) => (ARRAY, items.len()),
        Reply::Set(items) => (SET, items.len()),
        Reply::Push(items) => (PUSH, items.len()),
        Reply::Many(items) => (MANY, items.len()),
        Reply::Map(pairs) => (MAP, pairs.len()),
        Reply::Pairs(pairs) => (PAIRS, pairs.len()),
        Reply::Attribute(pairs) => (ATTRIBUTE, pairs.len()),
        other => return encode(other, out),
    };
    out.put_u8(tag);
    out.put_u32_le(count as u32);
}

fn put_bytes(tag: u8, bytes: &[u8], out: &mut BytesMut) {
    out.put_u8(tag);
    out.put_u32_le(bytes.len() as u32);
    out.put_slice(bytes);
}

fn put_items(tag: u8, items: &[Reply], out: &mut BytesMut) {
    out.put_u8(tag);
    out.put_u32_le(items.len() as u32);
    items.iter().for_each(|item| encode(item, out));
}

fn put_pairs(tag: u8, pairs: &[(Reply, Reply)], out: &mut BytesMut) {
    out.put_u8(tag);
    out.put_u32_le(pairs.len() as u32);
    for (name, value) in pairs {
        encode(name, out);
        encode(value, out);
    }
}

fn decode(rest: &mut Bytes, depth: usize) -> Result<Reply, ConvertError> {
    if depth > REPLY_DEPTH_MAX {
        return Err(DAMAGED);
    }
    Ok(match rest.try_get_u8().map_err(|_| DAMAGED)? {
        STATUS => Reply::Status(intern(&take_text(rest)?)?),
        LINE => Reply::Line(take_text(rest)?),
        INTEGER => Reply::Integer(rest.try_get_i64_le().map_err(|_| DAMAGED)?),
        BULK => Reply::Bulk(take_bytes(rest)?),
        NULL => Reply::Null,
        NULL_ARRAY => Reply::NullArray,
        ARRAY => Reply::Array(take_items(rest, depth)?),
        MAP => Reply::Map(take_pairs(rest, depth)?),
        PAIRS => Reply::Pairs(take_pairs(rest, depth)?),
        ATTRIBUTE => Reply::Attribute(take_pairs(rest, depth)?),
        SET => Reply::Set(take_items(rest, depth)?),
        DOUBLE => Reply::Double(rest.try_get_f64_le().map_err(|_| DAMAGED)?),
        BOOLEAN => Reply::Boolean(rest.try_get_u8().map_err(|_| DAMAGED)? != 0),
        BIG_NUMBER => Reply::BigNumber(take_text(rest)?),
        VERBATIM => Reply::Verbatim(intern(&take_text(rest)?)?, take_bytes(rest)?),
        PUSH => Reply::Push(take_items(rest, depth)?),
        ERROR => Reply::Error(ReplyError::new(take_text(rest)?)),
        MANY => Reply::Many(take_items(rest, depth)?),
        NOTHING => Reply::Nothing,
        kind => return Err(ConvertError::UnknownKind { what: "reply", kind }),
    })
}

fn take_bytes(rest: &mut Bytes) -> Result<Bytes, ConvertError> {
    let length = rest.try_get_u32_le().map_err(|_| DAMAGED)? as usize;
    if length > rest.len() { Err(DAMAGED) } else { Ok(rest.split_to(length)) }
}

fn take_text(rest: &mut Bytes) -> Result<String, ConvertError> {
    String::from_utf8(take_bytes(rest)?.to_vec()).map_err(|_| DAMAGED)
}

fn take_items(rest: &mut Bytes, depth: usize) -> Result<Vec<Reply>, ConvertError> {
    let count = take_count(rest)?;
    (0..count).map(|_| decode(rest, depth + 1)).collect()
}

fn take_pairs(rest: &mut Bytes, depth: usize) -> Result<Vec<(Reply, Reply)>, ConvertError> {
    let count = take_count(rest)?;
    (0..count).map(|_| Ok((decode(rest, depth + 1)?, decode(rest, depth + 1)?))).collect()
}

/// Every item takes a byte at least, so a count that cannot fit never reserves memory.
fn take_count(rest: &mut Bytes) -> Result<usize, ConvertError> {
    let count = rest.try_get_u32_le().map_err(|_| DAMAGED)? as usize;
    if count > rest.len() { Err(DAMAGED) } else { Ok(count) }
}

/// Statuses are literals of the program; a peer's literal becomes one of ours. There are few, and
/// the bound keeps a hostile peer from filling the memory.
fn intern(text: &str) -> Result<&'static str, ConvertError> {
    static TEXTS: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());
    if text == "OK" {
        return Ok("OK");
    }
    let mut texts = TEXTS.lock();
    if let Some(known) = texts.iter().find(|known| **known == text) {
        return Ok(known);
    }
    if texts.len() >= STATUS_TEXTS_MAX {
        return Err(DAMAGED);
    }
    let literal: &'static str = Box::leak(text.to_owned().into_boxed_str());
    texts.push(literal);
    Ok(literal)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn sample() -> Vec<Reply> {
        vec![
            Reply::OK,
            Reply::Status("QUEUED"),
            Reply::Integer(-5),
            Reply::bulk("value"),
            Reply::Null,
            Reply::NullArray,
            Reply::Array(vec![Reply::Integer(1), Reply::Array(vec![Reply::bulk("")])]),
            Reply::Map(vec![(Reply::bulk("a"), Reply::Double(1.5))]),
            Reply::Set(vec![Reply::Boolean(true)]),
            Reply::BigNumber("12345678901234567890".into()),
            Reply::Verbatim("txt", Bytes::from_static(b"text")),
            Reply::Push(vec![]),
            Reply::Error(ReplyError::WRONG_TYPE),
            Reply::Many(vec![Reply::Nothing]),
            Reply::Attribute(vec![(Reply::bulk("a"), Reply::Null)]),
        ]
    }

    #[test]
    fn replies_read_back_as_they_were_written() {
        assert_eq!(decode_replies(encode_replies(&sample())).unwrap(), sample());
    }

    #[test]
    fn hostile_bytes_are_an_error() {
        for bytes in [&[99][..], &[ARRAY, 255, 255, 255, 255], &[BULK, 9, 0, 0, 0, 1]] {
            assert!(decode_replies(Bytes::copy_from_slice(bytes)).is_err());
        }
        let deep: Vec<u8> = [ARRAY, 1, 0, 0, 0].repeat(10_000);
        assert!(decode_replies(deep.into()).is_err());
    }
}
