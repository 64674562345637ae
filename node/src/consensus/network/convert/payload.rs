//! The payload of a log record: nothing for a blank entry, else a tag byte and the content.

use bytes::Bytes;
use openraft::EntryPayload;

use super::{ConvertError, decode_membership, encode_membership};
use crate::consensus::proposal::entry::GROUP_ENTRY_VERSION;
use crate::consensus::types::{GroupEntryBytes, Payload};

/// Tags below 128 are versions of group entries.
const TAG_MEMBERSHIP: u8 = 128;

/// The bytes of an entry in the log and on the wire; a group entry is not copied.
pub(crate) fn encode_payload(payload: &Payload) -> Bytes {
    match payload {
        EntryPayload::Blank => Bytes::new(),
        EntryPayload::Normal(entry) => entry.0.clone(),
        EntryPayload::Membership(membership) => {
            let mut bytes = vec![TAG_MEMBERSHIP];
            encode_membership(membership, &mut bytes);
            bytes.into()
        }
    }
}

pub(crate) fn decode_payload(bytes: &Bytes) -> Result<Payload, ConvertError> {
    match bytes.first() {
        None => Ok(EntryPayload::Blank),
        Some(&GROUP_ENTRY_VERSION) => Ok(EntryPayload::Normal(GroupEntryBytes(bytes.clone()))),
        Some(&TAG_MEMBERSHIP) => {
            let mut rest = &bytes[1..];
            let membership = decode_membership(&mut rest)?;
            if rest.is_empty() {
                Ok(EntryPayload::Membership(membership))
            } else {
                Err(ConvertError::Damaged("membership"))
            }
        }
        Some(&kind) => Err(ConvertError::UnknownKind { what: "log entry", kind }),
    }
}
