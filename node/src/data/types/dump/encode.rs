//! Values to bytes, in the simplest encoding of each type: every release of Redis reads it and
//! chooses its own compact form.

use super::kind;
use crate::data::types::Value;
use crate::data::types::integer::canonical_integer;

/// The type byte and the content.
pub(super) fn encode(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    match value {
        Value::String(string) => {
            out.push(kind::STRING);
            write_string(&mut out, &string.text());
        }
        Value::List(list) => {
            out.push(kind::LIST);
            write_length(&mut out, list.len());
            list.iter().for_each(|element| write_string(&mut out, element));
        }
        Value::Set(set) => {
            out.push(kind::SET);
            write_length(&mut out, set.len());
            set.iter().for_each(|member| write_string(&mut out, &member.to_bytes()));
        }
        Value::SortedSet(sorted_set) => {
            out.push(kind::SORTED_SET);
            write_length(&mut out, sorted_set.len());
            for scored in sorted_set.iter() {
                write_string(&mut out, &scored.member);
                out.extend_from_slice(&scored.score.get().to_le_bytes());
            }
        }
        Value::Hash(hash) => {
            out.push(kind::HASH);
            write_length(&mut out, hash.len());
            for (field, value) in hash.iter() {
                write_string(&mut out, field);
                write_string(&mut out, value);
            }
        }
    }
    out
}

fn write_length(out: &mut Vec<u8>, length: usize) {
    match length {
        0..0x40 => out.push(length as u8),
        0x40..0x4000 => out.extend_from_slice(&(length as u16 | 0x4000).to_be_bytes()),
        _ => match u32::try_from(length) {
            Ok(length) => {
                out.push(0x80);
                out.extend_from_slice(&length.to_be_bytes());
            }
            Err(_) => {
                out.push(0x81);
                out.extend_from_slice(&(length as u64).to_be_bytes());
            }
        },
    }
}

/// A string, or the small integer that it represents.
fn write_string(out: &mut Vec<u8>, text: &[u8]) {
    let number = canonical_integer(text).and_then(|number| i32::try_from(number).ok());
    match number {
        Some(number) => write_integer(out, number),
        None => {
            write_length(out, text.len());
            out.extend_from_slice(text);
        }
    }
}

fn write_integer(out: &mut Vec<u8>, number: i32) {
    if let Ok(number) = i8::try_from(number) {
        out.push(0xC0);
        out.extend_from_slice(&number.to_le_bytes());
    } else if let Ok(number) = i16::try_from(number) {
        out.push(0xC1);
        out.extend_from_slice(&number.to_le_bytes());
    } else {
        out.push(0xC2);
        out.extend_from_slice(&number.to_le_bytes());
    }
}
