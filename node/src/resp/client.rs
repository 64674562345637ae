//! The client side: encodes requests and decodes replies, for the command line, benchmarks, tests.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::{Reply, ReplyError};

/// Deepest nesting of a reply; a deeper one is an attack or a mistake.
const DEPTH_MAX: u32 = 32;

/// The bytes are not a reply; the text is the reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the reply is not RESP: {0}")]
pub struct ProtocolError(&'static str);

/// Appends one command as an array of bulk strings.
pub fn encode_request<W: AsRef<[u8]>>(output: &mut BytesMut, words: &[W]) {
    output.put_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        let word = word.as_ref();
        output.put_slice(format!("${}\r\n", word.len()).as_bytes());
        output.put_slice(word);
        output.put_slice(b"\r\n");
    }
}

/// Removes one complete reply of RESP2 or RESP3 from `input`; `None` until it is complete.
pub fn decode_reply(input: &mut BytesMut) -> Result<Option<Reply>, ProtocolError> {
    let mut reader = Reader { bytes: input, at: 0 };
    match reader.reply(0) {
        Ok(reply) => {
            let length = reader.at;
            input.advance(length);
            Ok(Some(reply))
        }
        Err(Stop::Incomplete) => Ok(None),
        Err(Stop::Wrong(what)) => Err(ProtocolError(what)),
    }
}

enum Stop {
    Incomplete,
    Wrong(&'static str),
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn reply(&mut self, depth: u32) -> Result<Reply, Stop> {
        if depth > DEPTH_MAX {
            return Err(Stop::Wrong("it is nested too deep"));
        }
        let line = self.line()?;
        let (kind, rest) = line.split_first().ok_or(Stop::Wrong("an empty line"))?;
        match kind {
            b'+' => Ok(status(rest)),
            b'-' => Ok(Reply::Error(ReplyError::new(text(rest)))),
            b'!' => {
                let bytes = self.body(length(rest)?)?;
                Ok(Reply::Error(ReplyError::new(text(bytes))))
            }
            b':' => number(rest).map(Reply::Integer),
            b'$' if rest == b"-1" => Ok(Reply::Null),
            b'$' => Ok(Reply::Bulk(Bytes::copy_from_slice(self.body(length(rest)?)?))),
            b'=' => {
                let bytes = self.body(length(rest)?)?;
                let value =
                    bytes.get(4..).ok_or(Stop::Wrong("a verbatim string without format"))?;
                let format = if bytes.starts_with(b"mkd:") { "mkd" } else { "txt" };
                Ok(Reply::Verbatim(format, Bytes::copy_from_slice(value)))
            }
            b'_' => Ok(Reply::Null),
            b'#' => Ok(Reply::Boolean(rest == b"t")),
            b',' => double(rest),
            b'(' => Ok(Reply::BigNumber(text(rest))),
            b'*' if rest == b"-1" => Ok(Reply::NullArray),
            b'*' => self.many(length(rest)?, depth).map(Reply::Array),
            b'~' => self.many(length(rest)?, depth).map(Reply::Set),
            b'>' => self.many(length(rest)?, depth).map(Reply::Push),
            b'%' => self.pairs(length(rest)?, depth).map(Reply::Map),
            _ => Err(Stop::Wrong("an unknown first byte")),
        }
    }

    fn many(&mut self, count: usize, depth: u32) -> Result<Vec<Reply>, Stop> {
        (0..count).map(|_| self.reply(depth + 1)).collect()
    }

    fn pairs(&mut self, count: usize, depth: u32) -> Result<Vec<(Reply, Reply)>, Stop> {
        (0..count).map(|_| Ok((self.reply(depth + 1)?, self.reply(depth + 1)?))).collect()
    }

    fn line(&mut self) -> Result<&'a [u8], Stop> {
        let rest = &self.bytes[self.at..];
        let end = memchr::memchr(b'\n', rest).ok_or(Stop::Incomplete)?;
        self.at += end + 1;
        rest[..end].strip_suffix(b"\r").ok_or(Stop::Wrong("a line without carriage return"))
    }

    fn body(&mut self, length: usize) -> Result<&'a [u8], Stop> {
        let rest = &self.bytes[self.at..];
        let end = length.checked_add(2).ok_or(Stop::Wrong("a length out of range"))?;
        if rest.len() < end {
            return Err(Stop::Incomplete);
        }
        self.at += end;
        Ok(&rest[..length])
    }
}

fn status(line: &[u8]) -> Reply {
    if line == b"OK" { Reply::OK } else { Reply::Line(text(line)) }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn number(digits: &[u8]) -> Result<i64, Stop> {
    let digits = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
    digits.ok_or(Stop::Wrong("an invalid integer"))
}

fn length(digits: &[u8]) -> Result<usize, Stop> {
    usize::try_from(number(digits)?).map_err(|_| Stop::Wrong("a negative length"))
}

fn double(digits: &[u8]) -> Result<Reply, Stop> {
    let digits = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
    digits.map(Reply::Double).ok_or(Stop::Wrong("an invalid double"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn check(bytes: &[u8], wanted: &Reply) {
        for cut in 0..bytes.len() {
            let mut input = BytesMut::from(&bytes[..cut]);
            assert_eq!(decode_reply(&mut input).unwrap(), None, "cut at {cut}");
            assert_eq!(input.len(), cut, "an incomplete reply stays in the buffer");
        }
        let mut input = BytesMut::from(bytes);
        input.put_slice(b"+rest");
        assert_eq!(decode_reply(&mut input).unwrap().as_ref(), Some(wanted));
        assert_eq!(&input[..], b"+rest");
    }

    #[test]
    fn every_kind_of_reply_is_decoded_once_it_is_whole() {
        check(b"+OK\r\n", &Reply::OK);
        check(b"-ERR no\r\n", &Reply::Error(ReplyError::new("ERR no")));
        check(b":-7\r\n", &Reply::Integer(-7));
        check(b"$2\r\n\r\n\r\n", &Reply::bulk(b"\r\n"));
        check(b"$-1\r\n", &Reply::Null);
        check(b"*-1\r\n", &Reply::NullArray);
        check(
            b"*2\r\n:1\r\n*1\r\n$0\r\n\r\n",
            &Reply::Array(vec![Reply::Integer(1), Reply::Array(vec![Reply::bulk(b"")])]),
        );
        check(b"%1\r\n+OK\r\n#t\r\n", &Reply::Map(vec![(Reply::OK, Reply::Boolean(true))]));
        check(b",inf\r\n", &Reply::Double(f64::INFINITY));
        check(b"=6\r\ntxt:hi\r\n", &Reply::Verbatim("txt", Bytes::from_static(b"hi")));
    }

    #[test]
    fn hostile_bytes_are_an_error_and_never_a_panic() {
        let deep = "*1\r\n".repeat(100);
        for bytes in ["?\r\n", ":x\r\n", "$-2\r\n", "\r\n", "+no return\n", &deep] {
            assert!(decode_reply(&mut BytesMut::from(bytes)).is_err(), "{bytes:?}");
        }
        let huge = "*9223372036854775807\r\n";
        assert_eq!(decode_reply(&mut BytesMut::from(huge)), Ok(None), "nothing is reserved for it");
    }
}
