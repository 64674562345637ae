#![allow(clippy::unwrap_used, clippy::panic)]
use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::base::float::format_double;
use crate::data::types::sorted_set::{Score, Scored};
use crate::data::types::{HashValue, ListValue, SetValue, SortedSetValue, StringValue, TypedValue};

/// Payloads written or accepted by Redis 7.0, one per encoding, and their content. (The one of
/// version 11 is from the description of the format.)
const PAYLOADS: &[(&str, &[u8], &str)] = &[
    ("string", b"\x00\x05hello\x0a\x00cr\xdfve4 \x0a", "string hello"),
    ("int16", b"\x00\xc190\x0a\x00\x9d\x94\xea'\x93\xfc\x08\xb9", "string 12345"),
    ("int32", b"\x00\xc2y)\xed\xff\x0a\x00V\x96g\x05qS\xcd\x9b", "string -1234567"),
    ("int8", b"\x00\xc0\x07\x0a\x00t\xcdH\xa2\x83\xab\xce\x92", "string 7"),
    (
        "text of a large integer",
        b"\x00\x0b12345678901\x0a\x000NR\xd7'\x17e\x10",
        "string 12345678901",
    ),
    ("32-bit length", b"\x00\x80\x00\x00\x00\x03abc\x0a\x00\x8b\xd6\xc3F&c\x1f\xed", "string abc"),
    (
        "64-bit length",
        b"\x00\x81\x00\x00\x00\x00\x00\x00\x00\x03abc\x0a\x003\xe0\xdc\xd8L\xcd\
              \xe6g",
        "string abc",
    ),
    ("plain list", b"\x01\x02\x01a\xc1,\x01\x0a\x00\x94\x03\xb3\x08\x81\x91\xb3*", "list a 300"),
    (
        "quicklist of a listpack, compressed",
        b"\x12\x01\x02\xc37@v\x1fv\x00\x00\x00\x09\x00\x81a\x02\x01\x01\xf1x\xec\
              \x03\xc1,\x02\xf2p\x11\x01\x04\xf2\x00\x00\x80\x04\xf3\x15\xcd[\x08\x07\
              \x05\xf4\xf2/\xces:\x0b &\x02\xe0Fx\xe0<\x00\x01H\xff\x0a\x00\xbc\xd2\
              \x80^\xeej\xd4\x1b",
        "list a 1 -5000 300 70000 -8388608 123456789 12345678901234 \
         xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    ),
    (
        "quicklist with a plain node",
        b"\x12\x02\x02\x0e\x0e\x00\x00\x00\x01\x00\x85short\x06\xff\x01\x11long el\
              ement here\x0a\x00\xe7U\xe6n0\xb6\xf5C",
        "list short long element here",
    ),
    (
        "listpack integers",
        b"\x12\x01\x02\x14\x14\x00\x00\x00\x04\x00\xdf\xff\x02\xcf\xff\x02\xd0\x00\
              \x02\xf1\x00\x80\x03\xff\x0a\x00\xadK9\x0a\xa8\x96}\xb2",
        "list -1 4095 -4096 -32768",
    ),
    (
        "quicklist of ziplists",
        b"\x0e\x02\x10\x10\x00\x00\x00\x0d\x00\x00\x00\x02\x00\x00\x01a\x03\xf2\
              \xff\x0e\x0e\x00\x00\x00\x0a\x00\x00\x00\x01\x00\x00\x01b\xff\x0a\x00cc\
              \xd9@\x9d\xc8#\xd4",
        "list a 1 b",
    ),
    (
        "intset",
        b"\x0b\x14\x04\x00\x00\x00\x03\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\
              p\x11\x01\x00\x0a\x00\x85\xd5\xc1\x06[\x1d\xd0U",
        "set 1 2 70000",
    ),
    (
        "intset of 16 bits",
        b"\x0b\x0e\x02\x00\x00\x00\x03\x00\x00\x00\xfb\xff\x00\x00,\x01\x0a\x00[\
              \xcca\x1d<\x87\x941",
        "set -5 0 300",
    ),
    (
        "intset of 64 bits",
        b"\x0b\x10\x08\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\
              \x0a\x00\x88yD1[\xbe\xf9\xcb",
        "set -1099511627776",
    ),
    ("set", b"\x02\x02\x01b\x01a\x0a\x00u\xd9\x9d\x83^\xf8_e", "set b a"),
    (
        "set listpack of version 11",
        b"\x14\x10\x10\x00\x00\x00\x03\x00\x81a\x02\x05\x01\x82bc\x03\xff\x0b\x00\
              \xf4(#?P\xc8\xb9|",
        "set a 5 bc",
    ),
    (
        "sorted set listpack",
        b"\x11\x1d\x1d\x00\x00\x00\x06\x00\x81c\x02\x84-inf\x05\x81a\x02\x01\x01\
              \x81b\x02\x832.5\x04\xff\x0a\x009\x923\x9b\xe1\x1f2=",
        "zset c -inf a 1 b 2.5",
    ),
    (
        "sorted set",
        b"\x05\x03\x01c\x00\x00\x00\x00\x00\x00\xf0\x7f\x01b\x00\x00\x00\x00\x00\
              \x00\x04@\x01a\x00\x00\x00\x00\x00\x00\xf0?\x0a\x00\xd0]#\xaf>\x18\x0f\
              \xa6",
        "zset a 1 b 2.5 c inf",
    ),
    (
        "sorted set with scores as text",
        b"\x03\x03\x01a\x032.5\x01b\xfe\x01c\xff\x0a\x00\xac\xa1\x18\xab\xf8\xbf\
              \xb2,",
        "zset c -inf a 2.5 b inf",
    ),
    (
        "sorted set ziplist",
        b"\x0c\x18\x18\x00\x00\x00\x12\x00\x00\x00\x04\x00\x00\x01a\x03\xf2\x02\
              \x01b\x03\x032.5\xff\x0a\x00\\W\x1d\x9d\x94o\xae\xb7",
        "zset a 1 b 2.5",
    ),
    (
        "hash listpack",
        b"\x10\x12\x12\x00\x00\x00\x04\x00\x81f\x02\x81v\x02\x81n\x02\x0a\x01\xff\
              \x0a\x00E\xf8B\xd8\xea\x06\x93\xca",
        "hash f v n 10",
    ),
    ("hash", b"\x04\x02\x01f\x01v\x01n\xc0\x0a\x0a\x00x\x7f\x18\x07>\x0ex\xc5", "hash f v n 10"),
    (
        "hash ziplist",
        b"\x0d\x17\x17\x00\x00\x00\x13\x00\x00\x00\x04\x00\x00\x01f\x03\x01v\x03\
              \x01n\x03\xfe\x0a\xff\x0a\x006c6\xea\x80\xe6b\xc6",
        "hash f v n 10",
    ),
    (
        "hash zipmap",
        b"\x09\x10\x02\x01f\x01\x00v\x02gg\x03\x01abc-\xff\x0a\x00\xeb-\xfa:\x0c\
              \x81F*",
        "hash f v gg abc",
    ),
];

fn describe(value: &Value) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut words = vec![value.type_name().to_owned()];
    match value {
        Value::String(string) => words.push(text(&string.bytes())),
        Value::List(list) => words.extend(list.iter().map(|element| text(element))),
        Value::Set(set) => words.extend(set.iter().map(|member| text(&member.to_bytes()))),
        Value::SortedSet(set) => words.extend(
            set.iter().flat_map(|scored| [text(&scored.member), format_double(scored.score.get())]),
        ),
        Value::Hash(hash) => {
            words.extend(hash.iter().flat_map(|(field, value)| [text(field), text(value)]));
        }
    }
    words.join(" ")
}

fn restored(payload: &[u8]) -> Result<Value, RestoreError> {
    restore(payload, &Settings::default())
}

/// Adds a valid footer to damaged content, so that the decoder must detect the damage.
fn with_footer(content: &[u8]) -> Vec<u8> {
    let mut payload = content.to_vec();
    payload.extend_from_slice(&VERSION_READ_MAX.to_le_bytes());
    payload.extend_from_slice(&CHECKSUM.checksum(&payload).to_le_bytes());
    payload
}

fn text(number: usize) -> Bytes {
    Bytes::from(format!("text {number}"))
}

#[test]
fn every_encoding_of_redis_is_read() {
    for (name, payload, expected) in PAYLOADS {
        let value = restored(payload).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(describe(&value), *expected, "{name}");
    }
}

#[test]
fn ziplists_hold_every_width_of_integer_and_long_strings() {
    let start = b"\x0aAff\x01\x00\x00\\\x01\x00\x00\x0a\x00\x00\x01a\x03\xf1\x02\xfd\x02\
              \xfe\x9c\x03\xc0\xd4\xfe\x04\xf0\x90\xee\xfe\x05\xd0\x15\xcd[\x07\x06\
              \xe0\xf2/\xces:\x0b\x00\x00\x0aA,";
    let end = b"\xfe/\x01\x00\x00\x03end\xff\x0a\x00:*\xc1\xc4i|u\x11";
    let payload = [&start[..], &[b'x'; 300], end].concat();
    let long = "x".repeat(300);
    let expected = format!("list a 0 12 -100 -300 -70000 123456789 12345678901234 {long} end");
    assert_eq!(describe(&restored(&payload).unwrap()), expected);
}

#[test]
fn what_is_dumped_reads_back_whatever_its_size() {
    let settings = Settings::default();
    for count in [1, 63, 64, 1000, 20_000] {
        let texts = || (0..count).map(text);
        let scored = |number: usize| Scored {
            score: Score::new(number as f64 / 3.0).unwrap(),
            member: text(number),
        };
        let pairs = texts().map(|field| (field.clone(), field));
        let values = [
            StringValue::new(&vec![b'y'; count]).into_value(),
            ListValue::from_members(texts(), &settings).into_value(),
            SetValue::from_members(texts(), &settings).into_value(),
            SortedSetValue::from_members((0..count).map(scored), &settings).into_value(),
            HashValue::from_fields(pairs, &settings).unwrap().into_value(),
        ];
        for value in values {
            let again = restored(&dump(&value)).unwrap();
            assert_eq!(describe(&again), describe(&value));
            assert_eq!(again.encoding(), value.encoding());
        }
    }
    for number in [0, -1, 127, 128, -32_768, 32_768, i64::from(i32::MIN), i64::MAX] {
        let value = StringValue::from_integer(number).into_value();
        assert_eq!(describe(&restored(&dump(&value)).unwrap()), format!("string {number}"));
    }
}

#[test]
fn a_damaged_or_newer_footer_is_refused() {
    let payload = PAYLOADS[0].1;
    for length in 0..payload.len() {
        assert_eq!(restored(&payload[..length]).unwrap_err(), RestoreError::Footer);
    }
    for at in 0..payload.len() {
        let mut damaged = payload.to_vec();
        damaged[at] ^= 1;
        assert_eq!(restored(&damaged).unwrap_err(), RestoreError::Footer);
    }
    let mut newer = payload[..payload.len() - 10].to_vec();
    newer.extend_from_slice(&(VERSION_READ_MAX + 1).to_le_bytes());
    newer.extend_from_slice(&CHECKSUM.checksum(&newer).to_le_bytes());
    assert_eq!(restored(&newer).unwrap_err(), RestoreError::Footer);
}

#[test]
fn empty_values_doubles_and_unknown_types_are_refused() {
    for content in [
        &b""[..],
        b"\x01\x00",
        b"\x02\x00",
        b"\x04\x00",
        b"\x05\x00",
        b"\x12\x00",
        b"\x02\x02\x01a\x01a",
        b"\x04\x02\x01a\x01b\x01a\x01c",
        b"\x05\x01\x01a\x00\x00\x00\x00\x00\x00\xf8\x7f",
        b"\x03\x01\x01a\xfd",
        b"\x02\x81\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x00\xc3\x02\x81\x00\x00\x00\x00\x7f\xff\xff\xff\x00a",
        b"\x0f\x01a",
        b"\xff",
    ] {
        assert_eq!(restored(&with_footer(content)).unwrap_err(), RestoreError::Content);
    }
}

proptest! {
    #[test]
    fn damaged_content_never_breaks_the_decoder(
        which in 0..PAYLOADS.len(),
        damage in prop::collection::vec((0..200_usize, any::<u8>()), 0..6),
        cut in 0..200_usize,
    ) {
        let payload = PAYLOADS[which].1;
        let mut content = payload[..payload.len() - 10].to_vec();
        for (at, byte) in damage {
            let at = at % content.len();
            content[at] = byte;
        }
        content.truncate(content.len().saturating_sub(cut.saturating_sub(150)));
        if let Ok(value) = restored(&with_footer(&content)) {
            prop_assert_eq!(describe(&restored(&dump(&value)).unwrap()), describe(&value));
        }
    }

    #[test]
    fn any_bytes_are_refused_or_read(kind in 0..24_u8, rest: Vec<u8>) {
        let content = [&[kind][..], &rest].concat();
        drop(restored(&with_footer(&content)));
    }
}
