//! The common part of the commands about strings.

use crate::base::limits::BULK_BYTES_MAX;
use crate::data::keyspace::EventClass;
use crate::resp::ReplyError;

/// Refuses a string that would become longer than a bulk string may be.
pub(super) fn check_length(old_bytes: usize, more_bytes: usize) -> Result<(), ReplyError> {
    match old_bytes.checked_add(more_bytes) {
        Some(length) if length <= BULK_BYTES_MAX => Ok(()),
        _ => Err(ReplyError::STRING_TOO_LONG),
    }
}

/// An event of the string class.
pub(super) const fn event(name: &'static str) -> (EventClass, &'static str) {
    (EventClass::String, name)
}
