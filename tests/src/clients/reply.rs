//! RESP2 and RESP3 replies and their decoder, separate from the server's code.

use std::fmt;

use bytes::{Buf, Bytes, BytesMut};

/// A reply as it was received.
#[derive(Clone, PartialEq)]
pub enum Reply {
    /// `+OK`
    Simple(Bytes),
    /// `-ERR ...`
    Error(Bytes),
    /// `:1`
    Integer(i64),
    /// `$3`
    Bulk(Bytes),
    /// `$-1`, `*-1` or `_`: which one it was is in the text.
    Null(&'static str),
    /// `*2`
    Array(Vec<Reply>),
    /// `%1`, as key, value, key, value.
    Map(Vec<Reply>),
    /// `~2`
    Set(Vec<Reply>),
    /// `>2`
    Push(Vec<Reply>),
    /// `,1.5` as text, so that formatting is compared too.
    Double(Bytes),
    /// `#t`
    Boolean(bool),
    /// `(123`
    BigNumber(Bytes),
    /// `=7` with its three-letter kind and colon.
    Verbatim(Bytes),
}

/// The bytes are not a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed(pub String);

impl Reply {
    /// The bytes of a string of any kind.
    pub fn bytes(&self) -> Option<&Bytes> {
        match self {
            Self::Simple(bytes) | Self::Bulk(bytes) | Self::Verbatim(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The text of a string of any kind, or of an error.
    pub fn text(&self) -> String {
        match self {
            Self::Error(bytes) | Self::Double(bytes) | Self::BigNumber(bytes) => lossy(bytes),
            Self::Integer(number) => number.to_string(),
            other => other.bytes().map_or_else(|| format!("{other:?}"), |bytes| lossy(bytes)),
        }
    }

    /// The number of an integer, or of a string that holds one.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            other => std::str::from_utf8(other.bytes()?).ok()?.parse().ok(),
        }
    }

    /// The elements of an aggregate.
    pub fn elements(&self) -> Option<&[Self]> {
        match self {
            Self::Array(all) | Self::Map(all) | Self::Set(all) | Self::Push(all) => Some(all),
            _ => None,
        }
    }

    /// Whether it is an error.
    pub fn is_error(&self) -> bool {
        matches!(self, Self::Error(_))
    }

    /// Whether it is null of any kind.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null(_))
    }

    /// Removes one complete reply from the front of `buffer`; `None` when more bytes are needed.
    ///
    /// # Errors
    /// The bytes break the protocol.
    pub fn decode(buffer: &mut BytesMut) -> Result<Option<Self>, Malformed> {
        let mut cursor = Cursor { bytes: buffer, at: 0 };
        let Some(reply) = cursor.reply(0)? else { return Ok(None) };
        let used = cursor.at;
        buffer.advance(used);
        Ok(Some(reply))
    }
}

struct Cursor<'a> {
    bytes: &'a BytesMut,
    at: usize,
}

/// `None` in these methods means that the bytes end here and more are needed.
impl Cursor<'_> {
    fn reply(&mut self, depth: usize) -> Result<Option<Reply>, Malformed> {
        if depth > 32 {
            return Err(Malformed("nested too deeply".to_owned()));
        }
        let Some(line) = self.line()? else { return Ok(None) };
        let Some((&kind, rest)) = line.split_first() else {
            return Err(Malformed("an empty line".to_owned()));
        };
        let rest = Bytes::copy_from_slice(rest);
        Ok(Some(match kind {
            b'+' => Reply::Simple(rest),
            b'-' => Reply::Error(rest),
            b':' => Reply::Integer(number(&rest)?),
            b',' => Reply::Double(rest),
            b'(' => Reply::BigNumber(rest),
            b'#' => Reply::Boolean(rest == "t"),
            b'_' => Reply::Null("_"),
            b'$' | b'=' if rest == "-1" => Reply::Null("$-1"),
            b'*' if rest == "-1" => Reply::Null("*-1"),
            b'$' | b'=' => {
                let Some(bulk) = self.bulk(length(&rest)?)? else { return Ok(None) };
                if kind == b'$' { Reply::Bulk(bulk) } else { Reply::Verbatim(bulk) }
            }
            b'*' | b'~' | b'>' | b'%' => {
                let pairs = if kind == b'%' { 2 } else { 1 };
                let Some(all) = self.elements(length(&rest)? * pairs, depth)? else {
                    return Ok(None);
                };
                match kind {
                    b'*' => Reply::Array(all),
                    b'~' => Reply::Set(all),
                    b'>' => Reply::Push(all),
                    _ => Reply::Map(all),
                }
            }
            other => return Err(Malformed(format!("no reply starts with {:?}", other as char))),
        }))
    }

    fn line(&mut self) -> Result<Option<Vec<u8>>, Malformed> {
        let rest = &self.bytes[self.at..];
        let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") else { return Ok(None) };
        let line = rest[..end].to_vec();
        self.at += end + 2;
        Ok(Some(line))
    }

    fn bulk(&mut self, length: usize) -> Result<Option<Bytes>, Malformed> {
        let rest = &self.bytes[self.at..];
        if rest.len() < length + 2 {
            return Ok(None);
        }
        if &rest[length..length + 2] != b"\r\n" {
            return Err(Malformed("a bulk string is longer than it says".to_owned()));
        }
        let bulk = Bytes::copy_from_slice(&rest[..length]);
        self.at += length + 2;
        Ok(Some(bulk))
    }

    fn elements(&mut self, count: usize, depth: usize) -> Result<Option<Vec<Reply>>, Malformed> {
        let mut all = Vec::new();
        for _ in 0..count {
            let Some(reply) = self.reply(depth + 1)? else { return Ok(None) };
            all.push(reply);
        }
        Ok(Some(all))
    }
}

fn number(digits: &[u8]) -> Result<i64, Malformed> {
    let text = std::str::from_utf8(digits).ok();
    text.and_then(|text| text.parse().ok())
        .ok_or_else(|| Malformed(format!("{:?} is no number", lossy(digits))))
}

fn length(digits: &[u8]) -> Result<usize, Malformed> {
    usize::try_from(number(digits)?).map_err(|_| Malformed("a negative length".to_owned()))
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// As redis-cli would show it, on one line, with distinct RESP3 kinds.
impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, mark: &str, all: &[Self]| {
            f.write_str(mark)?;
            f.debug_list().entries(all).finish()
        };
        match self {
            Self::Simple(text) => write!(f, "+{}", lossy(text)),
            Self::Error(text) => write!(f, "-{}", lossy(text)),
            Self::Integer(number) => write!(f, ":{number}"),
            Self::Bulk(bytes) => write!(f, "\"{}\"", bytes.escape_ascii()),
            Self::Verbatim(bytes) => write!(f, "=\"{}\"", bytes.escape_ascii()),
            Self::Null(kind) => write!(f, "null({kind})"),
            Self::Array(all) => list(f, "", all),
            Self::Map(all) => list(f, "%", all),
            Self::Set(all) => list(f, "~", all),
            Self::Push(all) => list(f, ">", all),
            Self::Double(text) => write!(f, ",{}", lossy(text)),
            Self::Boolean(value) => write!(f, "#{value}"),
            Self::BigNumber(text) => write!(f, "({}", lossy(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8]) -> Result<Option<Reply>, Malformed> {
        Reply::decode(&mut BytesMut::from(bytes))
    }

    #[test]
    fn every_kind_is_decoded_once_it_is_whole() {
        let check = |bytes: &str, expected: &str| {
            for cut in 0..bytes.len() {
                assert_eq!(decode(&bytes.as_bytes()[..cut]), Ok(None), "{bytes:?} to {cut}");
            }
            let reply = decode(bytes.as_bytes()).unwrap().unwrap();
            assert_eq!(format!("{reply:?}"), expected, "{bytes:?}");
        };
        check("+OK\r\n", "+OK");
        check("-ERR no\r\n", "-ERR no");
        check(":-12\r\n", ":-12");
        check("$5\r\na\r\nb\u{0}\r\n", "\"a\\r\\nb\\x00\"");
        check("$-1\r\n", "null($-1)");
        check("*-1\r\n", "null(*-1)");
        check("_\r\n", "null(_)");
        check("*2\r\n:1\r\n*0\r\n", "[:1, []]");
        check("%1\r\n+a\r\n:1\r\n", "%[+a, :1]");
        check("~1\r\n#t\r\n", "~[#true]");
        check(">1\r\n,1.5\r\n", ">[,1.5]");
        check("=5\r\ntxt:a\r\n", "=\"txt:a\"");
    }

    #[test]
    fn broken_replies_are_refused() {
        for bytes in ["?\r\n", "\r\n", ":x\r\n", "$1\r\nabc\r\n", "$-2\r\n", "*-5\r\n"] {
            assert!(decode(bytes.as_bytes()).is_err(), "{bytes:?}");
        }
    }
}
