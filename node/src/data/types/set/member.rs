//! One member of a set as it is stored.

use std::borrow::Cow;

use bytes::Bytes;

use crate::data::types::integer::canonical_integer;

/// A member: a number in an integer set, else a byte string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Member<'a> {
    /// Returned in decimal.
    Integer(i64),
    /// The member itself.
    Text(&'a Bytes),
}

impl Member<'_> {
    /// The byte string, shared if it is stored.
    pub fn to_bytes(self) -> Bytes {
        match self {
            Self::Integer(number) => {
                Bytes::copy_from_slice(itoa::Buffer::new().format(number).as_bytes())
            }
            Self::Text(text) => text.clone(),
        }
    }

    /// The number that the member is or represents.
    pub(super) fn integer(self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(number),
            Self::Text(text) => canonical_integer(text),
        }
    }

    /// The byte string, borrowed where possible.
    pub(super) fn text(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Integer(number) => {
                Cow::Owned(itoa::Buffer::new().format(*number).as_bytes().to_vec())
            }
            Self::Text(text) => Cow::Borrowed(text),
        }
    }
}
