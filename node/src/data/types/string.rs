//! The string type.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};

use super::integer::canonical_integer;
use super::{TypedValue, conversions};
use crate::data::keyspace::Settings;

/// Longest string that shares one allocation with its object in Redis.
const EMBEDDED_BYTES_MAX: usize = 44;

/// A `string` value: bytes, or the integer that they represent.
#[derive(Debug, Clone)]
pub struct StringValue {
    content: Content,
}

#[derive(Debug, Clone)]
enum Content {
    Integer(i64),
    /// Set as a whole.
    Whole(Bytes),
    /// Changed in place at least once; `capacity` is the real size of the allocation.
    Grown {
        bytes: Bytes,
        capacity: usize,
    },
}

impl StringValue {
    /// Copies `bytes`, so that the value never keeps a network buffer or log entry alive.
    pub fn new(bytes: &[u8]) -> Self {
        let content = canonical_integer(bytes)
            .map_or_else(|| Content::Whole(Bytes::copy_from_slice(bytes)), Content::Integer);
        Self { content }
    }

    /// The decimal text of `number`, stored as a number.
    pub const fn from_integer(number: i64) -> Self {
        Self { content: Content::Integer(number) }
    }

    /// As [`StringValue::new`], but stored as text even if it represents an integer.
    pub fn from_text(bytes: &[u8]) -> Self {
        Self { content: Content::Whole(Bytes::copy_from_slice(bytes)) }
    }

    /// The text.
    pub fn bytes(&self) -> Bytes {
        match &self.content {
            Content::Integer(number) => {
                Bytes::copy_from_slice(itoa::Buffer::new().format(*number).as_bytes())
            }
            Content::Whole(bytes) | Content::Grown { bytes, .. } => bytes.clone(),
        }
    }

    /// The text, borrowed where it exists as such.
    pub fn text(&self) -> Cow<'_, [u8]> {
        match &self.content {
            Content::Integer(number) => {
                Cow::Owned(itoa::Buffer::new().format(*number).as_bytes().to_vec())
            }
            Content::Whole(bytes) | Content::Grown { bytes, .. } => Cow::Borrowed(bytes),
        }
    }

    /// The number, if the text is exactly how Redis writes a signed 64-bit integer.
    pub fn integer(&self) -> Option<i64> {
        match &self.content {
            Content::Integer(number) => Some(*number),
            Content::Whole(bytes) | Content::Grown { bytes, .. } => canonical_integer(bytes),
        }
    }

    /// Bytes of the text.
    #[expect(clippy::len_without_is_empty, reason = "an empty string is no empty key")]
    pub fn len(&self) -> usize {
        match &self.content {
            Content::Integer(number) => itoa::Buffer::new().format(*number).len(),
            Content::Whole(bytes) | Content::Grown { bytes, .. } => bytes.len(),
        }
    }

    /// Whether it was changed in place, which `OBJECT ENCODING` shows, so a checkpoint contains it.
    pub const fn was_grown(&self) -> bool {
        matches!(self.content, Content::Grown { .. })
    }

    /// Adds `tail` at the end. The text is moved only when a clone shares it or its capacity is
    /// exhausted, so that the cost depends only on `tail`.
    pub fn append(&mut self, tail: &[u8]) {
        self.change(tail.len(), |buffer| buffer.extend_from_slice(tail));
    }

    /// Overwrites from `offset` on, filling a gap with zero bytes.
    pub fn overwrite(&mut self, offset: usize, patch: &[u8]) {
        let end = offset + patch.len();
        let growth = end.saturating_sub(self.len());
        self.change(growth, |buffer| {
            if buffer.len() < end {
                buffer.resize(end, 0);
            }
            buffer[offset..end].copy_from_slice(patch);
        });
    }

    fn change(&mut self, growth: usize, change: impl FnOnce(&mut BytesMut)) {
        let old = std::mem::replace(&mut self.content, Content::Integer(0));
        let mut buffer = match old {
            Content::Integer(number) => {
                BytesMut::from(itoa::Buffer::new().format(number).as_bytes())
            }
            Content::Whole(bytes) | Content::Grown { bytes, .. } => own(bytes, growth),
        };
        change(&mut buffer);
        let capacity = buffer.capacity();
        self.content = Content::Grown { bytes: buffer.freeze(), capacity };
    }
}

impl From<Bytes> for StringValue {
    /// Takes ownership of the allocation: only for bytes that are a whole allocation.
    fn from(bytes: Bytes) -> Self {
        let content = canonical_integer(&bytes).map_or(Content::Whole(bytes), Content::Integer);
        Self { content }
    }
}

impl TypedValue for StringValue {
    conversions!(String);

    fn is_empty(&self) -> bool {
        false
    }

    fn heap_bytes(&self) -> usize {
        match &self.content {
            Content::Integer(_) => 0,
            Content::Whole(bytes) => bytes.len(),
            Content::Grown { capacity, .. } => *capacity,
        }
    }

    fn encoding(&self) -> &'static str {
        match &self.content {
            Content::Integer(_) => "int",
            Content::Whole(bytes) if bytes.len() <= EMBEDDED_BYTES_MAX => "embstr",
            Content::Whole(_) | Content::Grown { .. } => "raw",
        }
    }

    fn empty(_settings: &Settings) -> Self {
        Self { content: Content::Whole(Bytes::new()) }
    }
}

/// A buffer with `bytes` and capacity for `growth` more: the same one when it is not shared.
fn own(bytes: Bytes, growth: usize) -> BytesMut {
    match bytes.try_into_mut() {
        Ok(mut buffer) => {
            buffer.reserve(growth);
            buffer
        }
        Err(shared) => {
            let mut buffer = BytesMut::with_capacity(shared.len() + growth);
            buffer.extend_from_slice(&shared);
            buffer
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn spelt(text: &str) -> StringValue {
        StringValue::new(text.as_bytes())
    }

    #[test]
    fn only_canonical_integers_are_kept_as_numbers() {
        for text in ["0", "-1", "9223372036854775807", "-9223372036854775808"] {
            assert_eq!(spelt(text).encoding(), "int", "{text}");
            assert_eq!(spelt(text).bytes(), text);
            assert_eq!(spelt(text).len(), text.len());
        }
        for text in ["", "-", "-0", "01", "+1", " 1", "1 ", "9223372036854775808", "1.0"] {
            assert_eq!(spelt(text).encoding(), "embstr", "{text}");
            assert_eq!(spelt(text).bytes(), text);
            assert_eq!(spelt(text).integer(), None, "{text}");
        }
    }

    #[test]
    fn encoding_follows_length_and_change() {
        assert_eq!(spelt(&"x".repeat(44)).encoding(), "embstr");
        assert_eq!(spelt(&"x".repeat(45)).encoding(), "raw");
        let mut value = spelt("1");
        value.append(b"2");
        assert_eq!((value.encoding(), value.integer()), ("raw", Some(12)));
    }

    #[test]
    fn overwrite_fills_a_gap_with_zero_bytes() {
        let mut value = spelt("ab");
        value.overwrite(4, b"ef");
        assert_eq!(value.bytes(), &b"ab\0\0ef"[..]);
        value.overwrite(1, b"X");
        assert_eq!(value.bytes(), &b"aX\0\0ef"[..]);
    }

    #[test]
    fn appending_to_an_unshared_value_rarely_moves_it() {
        let mut value = spelt("start");
        let mut moves = 0;
        let mut address = value.text().as_ptr();
        for _ in 0..100_000 {
            value.append(b"0123456789");
            let now = value.text().as_ptr();
            moves += u32::from(now != address);
            address = now;
        }
        assert!(moves < 40, "{moves}");
        assert!(value.heap_bytes() >= value.len());
    }

    #[test]
    fn a_clone_keeps_the_old_text() {
        let mut value = spelt("old");
        let clone = value.clone();
        value.append(b"er");
        assert_eq!((clone.bytes(), value.bytes()), (Bytes::from("old"), Bytes::from("older")));
    }
}
