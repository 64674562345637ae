//! One file per Redis type. Every type clones in O(1) or O(small) (copy on write in chunks),
//! because a checkpoint uses a clone of the whole keyspace during writes.

pub mod dump;
pub mod hash;
mod hashed_member;
mod integer;
pub mod list;
pub mod pattern;
pub mod set;
pub mod sorted_set;
pub mod string;

use crate::data::keyspace::Settings;
pub use hash::HashValue;
pub use list::ListValue;
pub use set::SetValue;
pub use sorted_set::SortedSetValue;
pub use string::StringValue;

/// The value of a key.
#[derive(Debug, Clone)]
pub enum Value {
    /// `string`
    String(StringValue),
    /// `list`
    List(ListValue),
    /// `set`
    Set(SetValue),
    /// `zset`
    SortedSet(SortedSetValue),
    /// `hash`
    Hash(HashValue),
}

/// The operations that every type offers to the keyspace, all in O(1).
pub trait TypedValue: Clone + Sized {
    /// Whether a key with this value must be removed: Redis has no empty collections.
    fn is_empty(&self) -> bool;
    /// Approximate bytes on the heap, updated by every change.
    fn heap_bytes(&self) -> usize;
    /// `OBJECT ENCODING`.
    fn encoding(&self) -> &'static str;
    /// A new empty value.
    fn empty(settings: &Settings) -> Self;
    /// Converts to the enum.
    fn into_value(self) -> Value;
    /// From the enum; `None` for another type.
    fn of(value: &Value) -> Option<&Self>;
    /// From the enum; `None` for another type.
    fn of_mut(value: &mut Value) -> Option<&mut Self>;
}

/// Implements the enum conversions of [`TypedValue`] for one variant.
macro_rules! conversions {
    ($variant:ident) => {
        fn into_value(self) -> $crate::data::types::Value {
            $crate::data::types::Value::$variant(self)
        }

        fn of(value: &$crate::data::types::Value) -> Option<&Self> {
            match value {
                $crate::data::types::Value::$variant(inner) => Some(inner),
                _ => None,
            }
        }

        fn of_mut(value: &mut $crate::data::types::Value) -> Option<&mut Self> {
            match value {
                $crate::data::types::Value::$variant(inner) => Some(inner),
                _ => None,
            }
        }
    };
}
pub(crate) use conversions;

/// Calls the same [`TypedValue`] method on the type of a [`Value`].
macro_rules! each {
    ($value:expr, $inner:ident => $call:expr) => {
        match $value {
            Value::String($inner) => $call,
            Value::List($inner) => $call,
            Value::Set($inner) => $call,
            Value::SortedSet($inner) => $call,
            Value::Hash($inner) => $call,
        }
    };
}

impl Value {
    /// `TYPE`.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::String(_) => "string",
            Self::List(_) => "list",
            Self::Set(_) => "set",
            Self::SortedSet(_) => "zset",
            Self::Hash(_) => "hash",
        }
    }

    /// See [`TypedValue::is_empty`].
    pub fn is_empty(&self) -> bool {
        each!(self, inner => inner.is_empty())
    }

    /// See [`TypedValue::heap_bytes`].
    pub fn heap_bytes(&self) -> usize {
        each!(self, inner => inner.heap_bytes())
    }

    /// See [`TypedValue::encoding`].
    pub fn encoding(&self) -> &'static str {
        each!(self, inner => inner.encoding())
    }
}
