//! Strings.

mod append;
mod expiry_option;
mod get;
mod get_change;
mod increment;
mod increment_float;
mod lcs;
mod many;
mod range;
mod set;

use super::command::Family;
use crate::base::limits::BULK_BYTES_MAX;
use crate::data::keyspace::EventClass;
use crate::resp::ReplyError;

pub(super) const FAMILY: Family = Family {
    group: "string",
    category: "@string",
    commands: &[
        get::GET,
        get::STRLEN,
        get_change::GETDEL,
        get_change::GETEX,
        get_change::GETSET,
        set::SET,
        set::SETNX,
        set::SETEX,
        set::PSETEX,
        many::MGET,
        many::MSET,
        many::MSETNX,
        increment::INCR,
        increment::DECR,
        increment::INCRBY,
        increment::DECRBY,
        increment_float::INCRBYFLOAT,
        append::APPEND,
        append::SETRANGE,
        range::GETRANGE,
        range::SUBSTR,
        lcs::LCS,
    ],
};

/// Refuses a string that would grow past what a client may send in one piece.
fn check_length(old_bytes: usize, more_bytes: usize) -> Result<(), ReplyError> {
    match old_bytes.checked_add(more_bytes) {
        Some(length) if length <= BULK_BYTES_MAX => Ok(()),
        _ => Err(ReplyError::STRING_TOO_LONG),
    }
}

/// An event of the string class.
const fn event(name: &'static str) -> (EventClass, &'static str) {
    (EventClass::String, name)
}
