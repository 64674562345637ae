//! Bytes to commands, as they arrive. Arguments are slices of the received bytes, never copies. No
//! memory is allocated for announced bytes before they are received.

use std::borrow::Cow;
use std::ops::Range;

use bytes::{Buf, Bytes, BytesMut};

use super::inline;
use crate::base::limits::{
    ARGUMENTS_MAX, INLINE_BYTES_MAX, UNAUTHENTICATED_ARGUMENTS_MAX, UNAUTHENTICATED_BULK_BYTES_MAX,
};

/// A stream that is not RESP; the connection sends the error and closes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Protocol error: {0}")]
pub struct ProtocolError(pub Cow<'static, str>);

impl ProtocolError {
    const fn fixed(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

/// Commands in the order in which they were sent. It is reused, so that a steady stream needs no
/// allocations.
#[derive(Debug, Default)]
pub struct Batch {
    words: Vec<Bytes>,
    ends: Vec<usize>,
}

impl Batch {
    /// Number of commands.
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether it holds no command.
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The arguments of a command, beginning with its name.
    pub fn command(&self, index: usize) -> &[Bytes] {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.words[start..self.ends[index]]
    }

    /// Removes all commands, and with them the received bytes.
    pub fn clear(&mut self) {
        self.words.clear();
        self.ends.clear();
    }

    fn push(&mut self, words: impl IntoIterator<Item = Bytes>) {
        self.words.extend(words);
        self.ends.push(self.words.len());
    }
}

/// The state of one stream.
#[derive(Debug)]
pub struct Decoder {
    bulk_bytes_max: usize,
    authenticated: bool,
    /// Position of the next unread byte in the buffer.
    at: usize,
    /// Start of the command that is being read.
    start: usize,
    /// Arguments of complete commands and of the one that is being read.
    words: Vec<Range<usize>>,
    /// For each complete command, the index in `words` after its last argument.
    ends: Vec<usize>,
    /// Arguments that are still missing in the command that is being read.
    missing: usize,
    /// The announced length of the argument that is being read.
    bulk: Option<usize>,
}

/// The result of one step.
enum Step {
    /// A command is complete, or an empty one was skipped.
    Done,
    /// More bytes are needed.
    Wait,
}

impl Decoder {
    /// For a stream whose strings may have at most `bulk_bytes_max` bytes.
    pub const fn new(bulk_bytes_max: usize) -> Self {
        Self {
            bulk_bytes_max,
            authenticated: false,
            at: 0,
            start: 0,
            words: Vec::new(),
            ends: Vec::new(),
            missing: 0,
            bulk: None,
        }
    }

    /// Until a client is authenticated it may send only small commands, and they are decoded one by
    /// one, because any of them may authenticate it.
    pub const fn set_authenticated(&mut self, authenticated: bool) {
        self.authenticated = authenticated;
    }

    /// How many more bytes the argument that is being read needs, as far as is known.
    pub fn wanted(&self, buffer: &BytesMut) -> usize {
        self.bulk.map_or(0, |length| (self.at + length + 2).saturating_sub(buffer.len()))
    }

    /// Bytes of the positions of the arguments received so far, besides the buffer.
    pub const fn words_bytes(&self) -> usize {
        self.words.len() * (size_of::<Range<usize>>() + size_of::<Bytes>())
    }

    /// Moves the complete commands of `buffer` to `batch`, also those before an error.
    pub fn decode(
        &mut self,
        buffer: &mut BytesMut,
        batch: &mut Batch,
    ) -> Result<(), ProtocolError> {
        let outcome = self.decode_all(buffer, batch);
        self.move_complete(buffer, batch);
        outcome
    }

    fn decode_all(
        &mut self,
        buffer: &mut BytesMut,
        batch: &mut Batch,
    ) -> Result<(), ProtocolError> {
        while self.at < buffer.len() {
            let inside = self.missing > 0;
            let step = if inside || buffer[self.at] == b'*' {
                self.array(buffer)?
            } else {
                self.inline(buffer, batch)?
            };
            let found_some = !batch.is_empty() || !self.ends.is_empty();
            if matches!(step, Step::Wait) || (found_some && !self.authenticated) {
                break;
            }
        }
        Ok(())
    }

    fn array(&mut self, buffer: &BytesMut) -> Result<Step, ProtocolError> {
        if self.missing == 0 {
            match self.array_length(buffer)? {
                None => return Ok(Step::Wait),
                Some(0) => {
                    self.skip_empty();
                    return Ok(Step::Done);
                }
                Some(count) => self.missing = count,
            }
        }
        while self.missing > 0 {
            let Some(word) = self.word(buffer)? else { return Ok(Step::Wait) };
            self.words.push(word);
            self.missing -= 1;
        }
        self.ends.push(self.words.len());
        self.start = self.at;
        Ok(Step::Done)
    }

    /// An empty command leaves a gap, which is removed together with the command before it.
    const fn skip_empty(&mut self) {
        self.start = self.at;
    }

    fn array_length(&mut self, buffer: &BytesMut) -> Result<Option<usize>, ProtocolError> {
        let Some((number, next)) = line(&buffer[..], self.at + 1) else {
            return too_long(buffer.len() - self.at, "too big mbulk count string");
        };
        let count = number.filter(|count| *count <= ARGUMENTS_MAX as i64);
        let count = count.ok_or(ProtocolError::fixed("invalid multibulk length"))?;
        let count = usize::try_from(count).unwrap_or(0);
        if count > UNAUTHENTICATED_ARGUMENTS_MAX && !self.authenticated {
            return Err(ProtocolError::fixed("unauthenticated multibulk length"));
        }
        self.at = next;
        Ok(Some(count))
    }

    fn word(&mut self, buffer: &BytesMut) -> Result<Option<Range<usize>>, ProtocolError> {
        let length = match self.bulk {
            Some(length) => length,
            None => match self.bulk_length(buffer)? {
                Some(length) => length,
                None => return Ok(None),
            },
        };
        if buffer.len() - self.at < length + 2 {
            self.bulk = Some(length);
            return Ok(None);
        }
        let word = self.at..self.at + length;
        self.at += length + 2;
        self.bulk = None;
        Ok(Some(word))
    }

    fn bulk_length(&mut self, buffer: &BytesMut) -> Result<Option<usize>, ProtocolError> {
        let Some(kind) = buffer.get(self.at) else { return Ok(None) };
        let parsed = line(&buffer[..], self.at + 1);
        if *kind != b'$' && parsed.is_some() {
            let got = char::from(*kind);
            return Err(ProtocolError(format!("expected '$', got '{got}'").into()));
        }
        let Some((number, next)) = parsed else {
            return too_long(buffer.len() - self.at, "too big bulk count string");
        };
        let length = number.and_then(|length| usize::try_from(length).ok());
        let length = length
            .filter(|length| *length <= self.bulk_bytes_max)
            .ok_or(ProtocolError::fixed("invalid bulk length"))?;
        if length > UNAUTHENTICATED_BULK_BYTES_MAX && !self.authenticated {
            return Err(ProtocolError::fixed("unauthenticated bulk length"));
        }
        self.at = next;
        Ok(Some(length))
    }

    fn inline(&mut self, buffer: &mut BytesMut, batch: &mut Batch) -> Result<Step, ProtocolError> {
        let rest = &buffer[self.at..];
        let Some(end) = end_of_line(b'\n', rest) else {
            return if rest.len() > INLINE_BYTES_MAX {
                Err(ProtocolError::fixed("too big inline request"))
            } else {
                Ok(Step::Wait)
            };
        };
        let text = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        let words =
            inline::split(text).ok_or(ProtocolError::fixed("unbalanced quotes in request"))?;
        self.at += end + 1;
        self.start = self.at;
        self.move_complete(buffer, batch);
        if !words.is_empty() {
            batch.push(words);
        }
        Ok(Step::Done)
    }

    /// Converts the ranges of complete commands to slices that share the received bytes.
    fn move_complete(&mut self, buffer: &mut BytesMut, batch: &mut Batch) {
        let Some(count) = self.ends.last().copied() else {
            buffer.advance(self.start);
            return self.rebase();
        };
        let received = buffer.split_to(self.start).freeze();
        let mut from = 0;
        for end in self.ends.drain(..) {
            batch.push(self.words[from..end].iter().map(|word| received.slice(word.clone())));
            from = end;
        }
        self.words.drain(..count);
        self.rebase();
    }

    fn rebase(&mut self) {
        for word in &mut self.words {
            *word = word.start - self.start..word.end - self.start;
        }
        self.at -= self.start;
        self.start = 0;
    }
}

/// A number up to the end of its line, and the position of the next line. `None` while the line is
/// not complete; the number is `None` when it is invalid.
fn line(buffer: &[u8], from: usize) -> Option<(Option<i64>, usize)> {
    let rest = buffer.get(from..)?;
    let end = end_of_line(b'\r', rest)?;
    // The line feed must have been received too.
    let complete = rest.len() >= end + 2;
    complete.then(|| (number(&rest[..end]), from + end + 2))
}

/// As in Redis, which searches for the end as in a C string: not after a NUL byte.
fn end_of_line(end: u8, rest: &[u8]) -> Option<usize> {
    memchr::memchr2(end, 0, rest).filter(|at| rest[*at] == end)
}

/// As Redis's `string2ll`: no spaces, no plus sign, no leading zero.
fn number(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if digits.is_empty() || digits.len() > 18 || (digits[0] == b'0' && text != b"0") {
        return None;
    }
    let value = digits.iter().try_fold(0_i64, |value, digit| {
        digit.is_ascii_digit().then(|| value * 10 + i64::from(digit - b'0'))
    })?;
    Some(if digits.len() == text.len() { value } else { -value })
}

fn too_long<T>(length: usize, text: &'static str) -> Result<Option<T>, ProtocolError> {
    if length > INLINE_BYTES_MAX { Err(ProtocolError::fixed(text)) } else { Ok(None) }
}

#[cfg(test)]
#[path = "decode_test.rs"]
mod tests;
