//! What changed while an entry was applied: used for WATCH, keyspace notifications and blocked
//! clients.

use bytes::Bytes;

use crate::base::ids::DatabaseId;

/// The class letter of `notify-keyspace-events`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventClass {
    /// `g`: DEL, EXPIRE, RENAME …
    Generic,
    /// `$`
    String,
    /// `l`
    List,
    /// `s`
    Set,
    /// `h`
    Hash,
    /// `z`
    SortedSet,
    /// `x`
    Expired,
    /// `e`
    Evicted,
}

impl EventClass {
    /// Its letter.
    pub const fn letter(self) -> char {
        match self {
            Self::Generic => 'g',
            Self::String => '$',
            Self::List => 'l',
            Self::Set => 's',
            Self::Hash => 'h',
            Self::SortedSet => 'z',
            Self::Expired => 'x',
            Self::Evicted => 'e',
        }
    }
}

/// One change of one key, named as Redis names it (`set`, `lpush`, `del`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The class.
    pub class: EventClass,
    /// Redis's event name.
    pub name: &'static str,
    /// The database.
    pub database: DatabaseId,
    /// The key.
    pub key: Bytes,
}
