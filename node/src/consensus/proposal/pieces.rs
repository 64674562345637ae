//! Requests in pieces. One that is long would keep everything behind it waiting, on the way to the
//! leader and in the log: small writes, and the answers to heartbeats, which a follower gives when
//! what it was sent before is on its disk. So it travels as many small messages and entries, with
//! others in between, and is executed with the last of them.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::base::limits::ENTRY_BYTES_MAX;

/// Bytes of a piece in an entry beside its content.
const HEADER_BYTES: usize = 3 * 8;

/// A part of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    /// The request that it is a part of. Unique as long as one node leads.
    pub(crate) transfer: u64,
    /// Bytes of the request before this piece.
    pub(crate) offset: u64,
    /// Bytes of the whole request; 0 gives up the one that is under way.
    pub(crate) total: u64,
    pub(crate) bytes: Bytes,
}

impl Piece {
    /// All pieces of a request, in order.
    pub(crate) fn all(
        transfer: u64,
        request: &Bytes,
        piece_bytes: usize,
    ) -> impl ExactSizeIterator<Item = Self> + use<> {
        let (request, total) = (request.clone(), request.len());
        (0..total.div_ceil(piece_bytes)).map(move |number| {
            let offset = number * piece_bytes;
            let bytes = request.slice(offset..total.min(offset + piece_bytes));
            Self { transfer, offset: offset as u64, total: total as u64, bytes }
        })
    }

    /// Gives up what came of a request.
    pub(crate) const fn give_up(transfer: u64) -> Self {
        Self { transfer, offset: 0, total: 0, bytes: Bytes::new() }
    }

    /// Whether it brings bytes.
    pub(crate) const fn grows(&self) -> bool {
        self.total > 0
    }

    pub(crate) const fn encoded_bytes(&self) -> usize {
        HEADER_BYTES + self.bytes.len()
    }

    pub(crate) fn encode(&self, out: &mut BytesMut) {
        [self.transfer, self.offset, self.total].into_iter().for_each(|it| out.put_u64_le(it));
        out.put_slice(&self.bytes);
    }

    /// `None` when it is cut off.
    pub(crate) fn decode(mut body: Bytes) -> Option<Self> {
        let mut number = || body.try_get_u64_le().ok();
        let (transfer, offset, total) = (number()?, number()?, number()?);
        Some(Self { transfer, offset, total, bytes: body })
    }
}

/// What came of one request.
#[derive(Debug)]
pub(crate) struct Assembly {
    transfer: u64,
    total: u64,
    received: BytesMut,
}

/// What a piece has brought about.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Added {
    /// More pieces belong to the request, or it was given up.
    Part,
    /// The request.
    Whole(Bytes),
    /// It continues nothing that came before, and was ignored.
    OutOfPlace,
}

impl Assembly {
    /// Adds a piece to what is under way in `current`. The first piece of a request takes the
    /// place of one that was never finished.
    pub(crate) fn add(current: &mut Option<Self>, piece: &Piece) -> Added {
        if piece.offset == 0 {
            *current = None;
            if piece.total == 0 {
                return Added::Part;
            }
            if piece.total > ENTRY_BYTES_MAX as u64 {
                return Added::OutOfPlace;
            }
            let received = BytesMut::with_capacity(piece.total as usize);
            *current = Some(Self { transfer: piece.transfer, total: piece.total, received });
        }
        let Some(assembly) = current.as_mut().filter(|assembly| assembly.continues(piece)) else {
            return Added::OutOfPlace;
        };
        assembly.received.extend_from_slice(&piece.bytes);
        if (assembly.received.len() as u64) < assembly.total {
            return Added::Part;
        }
        current.take().map_or(Added::OutOfPlace, |whole| Added::Whole(whole.received.freeze()))
    }

    fn continues(&self, piece: &Piece) -> bool {
        let received = self.received.len() as u64;
        (self.transfer, self.total, received) == (piece.transfer, piece.total, piece.offset)
            && piece.bytes.len() as u64 <= self.total - received
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(transfer: u64, request: &'static [u8]) -> Vec<Piece> {
        Piece::all(transfer, &Bytes::from_static(request), 4).collect()
    }

    #[test]
    fn a_request_is_whole_with_its_last_piece() {
        let mut current = None;
        let [first, second, last]: [Piece; 3] =
            pieces(1, b"0123456789").try_into().expect("three pieces");
        assert_eq!(Assembly::add(&mut current, &first), Added::Part);
        assert_eq!(Assembly::add(&mut current, &second), Added::Part);
        let whole = Added::Whole(Bytes::from_static(b"0123456789"));
        assert_eq!(Assembly::add(&mut current, &last), whole);
        assert!(current.is_none());
    }

    #[test]
    fn a_piece_that_continues_nothing_is_ignored() {
        let mut current = None;
        let (one, two) = (pieces(1, b"0123456789"), pieces(2, b"abcdefgh"));
        assert_eq!(Assembly::add(&mut current, &one[1]), Added::OutOfPlace);
        assert_eq!(Assembly::add(&mut current, &one[0]), Added::Part);
        assert_eq!(Assembly::add(&mut current, &one[2]), Added::OutOfPlace);
        assert_eq!(Assembly::add(&mut current, &two[1]), Added::OutOfPlace);
        let too_long = Piece { bytes: Bytes::from_static(b"4567890"), ..one[1].clone() };
        assert_eq!(Assembly::add(&mut current, &too_long), Added::OutOfPlace);
        assert_eq!(Assembly::add(&mut current, &one[1]), Added::Part);
    }

    #[test]
    fn another_request_and_giving_up_take_the_place_of_an_unfinished_one() {
        let mut current = None;
        let (one, two) = (pieces(1, b"0123456789"), pieces(2, b"abcdefgh"));
        assert_eq!(Assembly::add(&mut current, &one[0]), Added::Part);
        assert_eq!(Assembly::add(&mut current, &two[0]), Added::Part);
        assert_eq!(Assembly::add(&mut current, &one[1]), Added::OutOfPlace);
        let whole = Added::Whole(Bytes::from_static(b"abcdefgh"));
        assert_eq!(Assembly::add(&mut current, &two[1]), whole);
        assert_eq!(Assembly::add(&mut current, &one[0]), Added::Part);
        assert_eq!(Assembly::add(&mut current, &Piece::give_up(1)), Added::Part);
        assert!(current.is_none());
    }

    #[test]
    fn a_promise_of_too_much_reserves_nothing() {
        let mut current = None;
        let piece = Piece { total: u64::MAX, ..pieces(1, b"0123")[0].clone() };
        assert_eq!(Assembly::add(&mut current, &piece), Added::OutOfPlace);
        assert!(current.is_none());
    }
}
