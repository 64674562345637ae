//! Replies to bytes, in the protocol version that the connection chose.

use bytes::{BufMut, BytesMut};

use super::{Reply, ReplyError};
use crate::base::float::format_double;

/// A version of RESP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// Every client supports it.
    #[default]
    Resp2,
    /// After `HELLO 3`.
    Resp3,
}

impl Protocol {
    /// 2 or 3.
    pub const fn number(self) -> u8 {
        match self {
            Self::Resp2 => 2,
            Self::Resp3 => 3,
        }
    }
}

impl Reply {
    /// Appends the bytes of this reply.
    pub fn encode(&self, protocol: Protocol, out: &mut BytesMut) {
        let modern = protocol == Protocol::Resp3;
        match self {
            Self::Status(text) => line(out, b'+', text.as_bytes()),
            Self::Line(text) => line(out, b'+', text.as_bytes()),
            Self::Error(error) => encode_error(error, out),
            Self::Integer(number) => integer(out, b':', *number),
            Self::Bulk(bytes) => bulk(out, b'$', bytes),
            Self::Null => out.put_slice(if modern { b"_\r\n" } else { b"$-1\r\n" }),
            Self::NullArray => out.put_slice(if modern { b"_\r\n" } else { b"*-1\r\n" }),
            Self::Array(items) => sequence(out, b'*', items, protocol),
            Self::Set(items) => sequence(out, if modern { b'~' } else { b'*' }, items, protocol),
            Self::Push(items) => sequence(out, if modern { b'>' } else { b'*' }, items, protocol),
            Self::Map(pairs) => map(out, pairs, protocol),
            Self::Attribute(pairs) if modern => pairs_of(out, b'|', pairs, protocol),
            Self::Pairs(pairs) => nested_pairs(out, pairs, protocol),
            Self::Double(number) if modern => line(out, b',', format_double(*number).as_bytes()),
            Self::Double(number) => bulk(out, b'$', format_double(*number).as_bytes()),
            Self::Boolean(yes) if modern => out.put_slice(if *yes { b"#t\r\n" } else { b"#f\r\n" }),
            Self::Boolean(yes) => integer(out, b':', i64::from(*yes)),
            Self::BigNumber(digits) if modern => line(out, b'(', digits.as_bytes()),
            Self::BigNumber(digits) => bulk(out, b'$', digits.as_bytes()),
            Self::Verbatim(format, text) if modern => {
                length(out, b'=', text.len() + 4);
                out.reserve(text.len() + 6);
                out.put_slice(format.as_bytes());
                out.put_u8(b':');
                out.put_slice(text);
                out.put_slice(b"\r\n");
            }
            Self::Verbatim(_, text) => bulk(out, b'$', text),
            Self::Many(replies) => replies.iter().for_each(|reply| reply.encode(protocol, out)),
            Self::Attribute(_) | Self::Nothing => {}
        }
    }
}

/// Appends an error line.
pub fn encode_error(error: &ReplyError, out: &mut BytesMut) {
    line(out, b'-', error.0.as_bytes());
}

/// A text from a client must not break the line.
fn line(out: &mut BytesMut, kind: u8, text: &[u8]) {
    out.reserve(text.len() + 3);
    out.put_u8(kind);
    if memchr::memchr2(b'\r', b'\n', text).is_none() {
        out.put_slice(text);
    } else {
        out.extend(text.iter().map(|byte| if b"\r\n".contains(byte) { b' ' } else { *byte }));
    }
    out.put_slice(b"\r\n");
}

fn bulk(out: &mut BytesMut, kind: u8, bytes: &[u8]) {
    length(out, kind, bytes.len());
    out.reserve(bytes.len() + 2);
    out.put_slice(bytes);
    out.put_slice(b"\r\n");
}

fn sequence(out: &mut BytesMut, kind: u8, items: &[Reply], protocol: Protocol) {
    length(out, kind, items.len());
    items.iter().for_each(|item| item.encode(protocol, out));
}

fn map(out: &mut BytesMut, pairs: &[(Reply, Reply)], protocol: Protocol) {
    match protocol {
        Protocol::Resp3 => pairs_of(out, b'%', pairs, protocol),
        Protocol::Resp2 => {
            length(out, b'*', pairs.len() * 2);
            flat(out, pairs, protocol);
        }
    }
}

fn pairs_of(out: &mut BytesMut, kind: u8, pairs: &[(Reply, Reply)], protocol: Protocol) {
    length(out, kind, pairs.len());
    flat(out, pairs, protocol);
}

fn flat(out: &mut BytesMut, pairs: &[(Reply, Reply)], protocol: Protocol) {
    for (key, value) in pairs {
        key.encode(protocol, out);
        value.encode(protocol, out);
    }
}

fn nested_pairs(out: &mut BytesMut, pairs: &[(Reply, Reply)], protocol: Protocol) {
    let modern = protocol == Protocol::Resp3;
    length(out, b'*', if modern { pairs.len() } else { pairs.len() * 2 });
    for (key, value) in pairs {
        if modern {
            length(out, b'*', 2);
        }
        key.encode(protocol, out);
        value.encode(protocol, out);
    }
}

fn length(out: &mut BytesMut, kind: u8, length: usize) {
    integer(out, kind, i64::try_from(length).unwrap_or(i64::MAX));
}

fn integer(out: &mut BytesMut, kind: u8, number: i64) {
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(number).as_bytes();
    out.reserve(digits.len() + 3);
    out.put_u8(kind);
    out.put_slice(digits);
    out.put_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(reply: &Reply, resp2: &str, resp3: &str) {
        for (protocol, expected) in [(Protocol::Resp2, resp2), (Protocol::Resp3, resp3)] {
            let mut out = BytesMut::new();
            reply.encode(protocol, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), expected, "{reply:?}");
        }
    }

    #[test]
    fn scalars_take_the_form_of_the_protocol() {
        check(&Reply::OK, "+OK\r\n", "+OK\r\n");
        check(&Reply::Integer(-5), ":-5\r\n", ":-5\r\n");
        check(&Reply::bulk("a\r\nb"), "$4\r\na\r\nb\r\n", "$4\r\na\r\nb\r\n");
        check(&Reply::Null, "$-1\r\n", "_\r\n");
        check(&Reply::NullArray, "*-1\r\n", "_\r\n");
        check(&Reply::Double(1.5), "$3\r\n1.5\r\n", ",1.5\r\n");
        check(&Reply::Boolean(true), ":1\r\n", "#t\r\n");
        check(&Reply::BigNumber("12".to_owned()), "$2\r\n12\r\n", "(12\r\n");
        check(&Reply::Verbatim("txt", "hi".into()), "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n");
        check(&Reply::Nothing, "", "");
    }

    #[test]
    fn collections_take_the_form_of_the_protocol() {
        let items = || vec![Reply::Integer(1), Reply::Null];
        check(&Reply::Array(items()), "*2\r\n:1\r\n$-1\r\n", "*2\r\n:1\r\n_\r\n");
        check(&Reply::Set(items()), "*2\r\n:1\r\n$-1\r\n", "~2\r\n:1\r\n_\r\n");
        check(&Reply::Push(items()), "*2\r\n:1\r\n$-1\r\n", ">2\r\n:1\r\n_\r\n");
        let map = Reply::Map(vec![(Reply::Integer(1), Reply::OK)]);
        check(&map, "*2\r\n:1\r\n+OK\r\n", "%1\r\n:1\r\n+OK\r\n");
        let attribute = Reply::Attribute(vec![(Reply::Integer(1), Reply::OK)]);
        check(&attribute, "", "|1\r\n:1\r\n+OK\r\n");
        check(&Reply::Many(vec![Reply::OK, Reply::OK]), "+OK\r\n+OK\r\n", "+OK\r\n+OK\r\n");
    }

    #[test]
    fn an_error_stays_one_line() {
        let error = Reply::Error(ReplyError::new("ERR bad 'a\r\n+OK'"));
        check(&error, "-ERR bad 'a  +OK'\r\n", "-ERR bad 'a  +OK'\r\n");
    }
}
