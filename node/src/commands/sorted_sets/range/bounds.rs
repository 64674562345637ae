//! Ends of ranges as clients write them: `(1.5`, `-inf`, `[a`, `+`.

use bytes::Bytes;

use crate::base::read_double::read_double;
use crate::data::types::sorted_set::{LexBound, ScoreBound};
use crate::resp::ReplyError;

/// One end of a score range.
pub(in crate::commands::sorted_sets) fn score(text: &[u8]) -> Result<ScoreBound, ReplyError> {
    let bound = match text.strip_prefix(b"(") {
        Some(number) => number_or_zero(number).map(ScoreBound::Exclusive),
        None => number_or_zero(text).map(ScoreBound::Inclusive),
    };
    bound.ok_or(ReplyError::new("ERR min or max is not a float"))
}

/// Redis reads an empty bound as 0.
fn number_or_zero(text: &[u8]) -> Option<f64> {
    if text.is_empty() { Some(0.0) } else { read_double(text) }
}

/// One end of a lexicographic range.
pub(in crate::commands::sorted_sets) fn lex(text: &Bytes) -> Result<LexBound, ReplyError> {
    match text.as_ref() {
        b"-" => Ok(LexBound::Lowest),
        b"+" => Ok(LexBound::Highest),
        [b'[', ..] => Ok(LexBound::Inclusive(text.slice(1..))),
        [b'(', ..] => Ok(LexBound::Exclusive(text.slice(1..))),
        _ => Err(ReplyError::new("ERR min or max not valid string range item")),
    }
}
