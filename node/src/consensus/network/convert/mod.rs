//! Between openraft's types, the messages of `proto` and the bytes of the log.

mod ids;
mod lineage;
mod membership;
mod messages;
mod payload;
mod reply;
mod reply_pieces;

pub(crate) use ids::*;
pub(crate) use lineage::*;
pub(crate) use membership::{decode_membership, encode_membership};
pub(crate) use messages::*;
pub(crate) use payload::{decode_payload, encode_payload};
pub(crate) use reply::decode_replies;
pub(crate) use reply_pieces::{bound_replies, encode_pieces};

use crate::base::feature_level::UnknownLevel;

/// A message or a record that does not say what it must.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConvertError {
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("{0} is damaged")]
    Damaged(&'static str),
    #[error("{what} has unknown kind {kind}; a newer version of the program wrote it")]
    UnknownKind { what: &'static str, kind: u8 },
    #[error(transparent)]
    UnknownLevel(UnknownLevel),
}
