//! Replies in pieces: a message holds a part of them, so that one long answer neither exceeds the
//! largest message nor keeps the answers of other clients waiting. Long strings are not copied.

use bytes::{Bytes, BytesMut};

use super::reply::{encode, put_head};
use crate::base::limits::{FORWARD_PIECE_BYTES, FORWARDED_REPLY_BYTES_MAX};
use crate::resp::{Reply, ReplyError};

/// Bytes that [`encode`] writes at most for everything but the contents of strings.
const HEAD_BYTES_MAX: usize = 16;

/// Encoded replies, to be joined by the receiver.
pub(crate) fn encode_pieces(replies: &[Reply]) -> Vec<Bytes> {
    let mut pieces = Pieces::default();
    replies.iter().for_each(|reply| pieces.put(reply));
    pieces.finish()
}

/// Puts an error in place of what exceeds `bytes_max` together with the replies before it. The
/// request was executed all the same, and the error says so.
pub(crate) fn bound_replies(replies: &mut [Reply], bytes_max: usize) {
    let mut total = 0;
    for reply in replies {
        let bytes = encoded_bytes(reply);
        if total + bytes <= bytes_max {
            total += bytes;
            continue;
        }
        *reply = Reply::Error(ReplyError::new(format!(
            "ERR executed, but the replies are larger than {} MiB, the most that the leader sends \
             through another node; read less at once, or at the leader",
            bytes_max >> 20
        )));
    }
}

const _: () = assert!(FORWARD_PIECE_BYTES < FORWARDED_REPLY_BYTES_MAX);

/// At least what [`encode`] writes.
fn encoded_bytes(reply: &Reply) -> usize {
    let all = |items: &[Reply]| items.iter().map(encoded_bytes).sum();
    let pairs = |pairs: &[(Reply, Reply)]| {
        pairs.iter().map(|(name, value)| encoded_bytes(name) + encoded_bytes(value)).sum()
    };
    HEAD_BYTES_MAX
        + match reply {
            Reply::Status(text) => text.len(),
            Reply::Line(text) | Reply::BigNumber(text) => text.len(),
            Reply::Bulk(bytes) | Reply::Verbatim(_, bytes) => bytes.len(),
            Reply::Error(error) => error.0.len(),
            Reply::Array(items) | Reply::Set(items) | Reply::Push(items) | Reply::Many(items) => {
                all(items)
            }
            Reply::Map(rows) | Reply::Pairs(rows) | Reply::Attribute(rows) => pairs(rows),
            Reply::Integer(_)
            | Reply::Null
            | Reply::NullArray
            | Reply::Double(_)
            | Reply::Boolean(_)
            | Reply::Nothing => 0,
        }
}

#[derive(Default)]
struct Pieces {
    full: Vec<Bytes>,
    open: BytesMut,
}

impl Pieces {
    fn put(&mut self, reply: &Reply) {
        match reply {
            Reply::Bulk(bytes) if bytes.len() > FORWARD_PIECE_BYTES / 8 => {
                put_head(reply, &mut self.open);
                self.close();
                let mut rest = bytes.clone();
                while !rest.is_empty() {
                    self.full.push(rest.split_to(rest.len().min(FORWARD_PIECE_BYTES)));
                }
            }
            Reply::Array(items) | Reply::Set(items) | Reply::Push(items) | Reply::Many(items) => {
                put_head(reply, &mut self.open);
                items.iter().for_each(|item| self.put(item));
            }
            Reply::Map(pairs) | Reply::Pairs(pairs) | Reply::Attribute(pairs) => {
                put_head(reply, &mut self.open);
                for (name, value) in pairs {
                    self.put(name);
                    self.put(value);
                }
            }
            other => encode(other, &mut self.open),
        }
        if self.open.len() >= FORWARD_PIECE_BYTES {
            self.close();
        }
    }

    fn close(&mut self) {
        if !self.open.is_empty() {
            self.full.push(self.open.split().freeze());
        }
    }

    /// One piece at least.
    fn finish(mut self) -> Vec<Bytes> {
        self.close();
        if self.full.is_empty() {
            self.full.push(Bytes::new());
        }
        self.full
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::reply::{decode_replies, encode_replies};
    use super::*;

    fn joined(pieces: &[Bytes]) -> Bytes {
        pieces.concat().into()
    }

    #[test]
    fn pieces_join_to_what_one_message_would_hold() {
        let long = || Reply::Bulk(Bytes::from(vec![b'v'; 3 * FORWARD_PIECE_BYTES + 1]));
        let replies = vec![
            Reply::OK,
            Reply::Array(vec![long(), Reply::Integer(1), long()]),
            Reply::Map(vec![(Reply::bulk("a"), long()), (Reply::bulk("b"), Reply::Null)]),
            Reply::Array((0..200_000).map(Reply::Integer).collect()),
        ];
        let pieces = encode_pieces(&replies);
        assert!(pieces.iter().all(|piece| piece.len() <= 2 * FORWARD_PIECE_BYTES));
        assert_eq!(joined(&pieces), encode_replies(&replies));
        assert_eq!(decode_replies(joined(&pieces)).unwrap(), replies);
        assert_eq!(encode_pieces(&[]), [Bytes::new()]);
    }

    #[test]
    fn only_the_replies_that_do_not_fit_become_errors() {
        let mut replies = vec![Reply::bulk("abc"), Reply::bulk(vec![b'v'; 4096]), Reply::OK];
        bound_replies(&mut replies, 1024);
        assert_eq!((&replies[0], &replies[2]), (&Reply::bulk("abc"), &Reply::OK));
        assert!(matches!(&replies[1], Reply::Error(error) if error.0.starts_with("ERR executed")));
    }
}
