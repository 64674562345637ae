//! Lengths and strings of the RDB format.

use bytes::Bytes;

use super::lzf;
use crate::base::limits::RESTORED_BYTES_MAX;

/// The unread part of some bytes. Every method reads at the front; `None` if too few bytes are
/// left.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    /// Total number of bytes to which strings may still be decompressed: a few bytes can expand to
    /// many.
    unpacked_left: usize,
}

/// A length, or the special form of the string that follows.
enum Length {
    Plain(usize),
    Special(u8),
}

impl<'a> Reader<'a> {
    /// Over all of `bytes`.
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, unpacked_left: RESTORED_BYTES_MAX }
    }

    /// Bytes left.
    pub(super) const fn len(&self) -> usize {
        self.rest.len()
    }

    /// So many bytes.
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    /// So many bytes, for numbers.
    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*taken)
    }

    /// One byte.
    pub(super) fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    /// A signed integer of 3 bytes, the lowest first.
    pub(super) fn integer_24(&mut self) -> Option<i64> {
        let [low, middle, high] = self.array()?;
        Some(i64::from(i32::from_le_bytes([0, low, middle, high]) >> 8))
    }

    /// A number of elements, each of which takes at least one byte.
    pub(super) fn count(&mut self) -> Option<usize> {
        match self.length()? {
            Length::Plain(count) if count <= self.len() => Some(count),
            _ => None,
        }
    }

    /// A number that is not an element count.
    pub(super) fn number(&mut self) -> Option<usize> {
        match self.length()? {
            Length::Plain(number) => Some(number),
            Length::Special(_) => None,
        }
    }

    fn length(&mut self) -> Option<Length> {
        let first = self.byte()?;
        let low = first & 0x3F;
        Some(match first >> 6 {
            0 => Length::Plain(usize::from(low)),
            1 => Length::Plain(usize::from(low) << 8 | usize::from(self.byte()?)),
            3 => Length::Special(low),
            _ => Length::Plain(match first {
                0x80 => usize::try_from(u32::from_be_bytes(self.array()?)).ok()?,
                0x81 => usize::try_from(u64::from_be_bytes(self.array()?)).ok()?,
                _ => return None,
            }),
        })
    }

    /// A string in any of its forms, copied.
    pub(super) fn string(&mut self) -> Option<Bytes> {
        let number = match self.length()? {
            Length::Plain(length) => return self.take(length).map(Bytes::copy_from_slice),
            Length::Special(0) => i64::from(i8::from_le_bytes(self.array()?)),
            Length::Special(1) => i64::from(i16::from_le_bytes(self.array()?)),
            Length::Special(2) => i64::from(i32::from_le_bytes(self.array()?)),
            Length::Special(3) => return self.compressed(),
            Length::Special(_) => return None,
        };
        Some(spelled(number))
    }

    fn compressed(&mut self) -> Option<Bytes> {
        let (packed_length, length) = (self.number()?, self.number()?);
        let packed = self.take(packed_length)?;
        self.unpacked_left = self.unpacked_left.checked_sub(length)?;
        lzf::decompress(packed, length).map(Bytes::from)
    }
}

/// A number as decimal text.
pub(super) fn spelled(number: i64) -> Bytes {
    Bytes::copy_from_slice(itoa::Buffer::new().format(number).as_bytes())
}
