//! Every type of reply, independent of the protocol version of the connection.

use bytes::Bytes;

use super::ReplyError;

/// The reply of a command. `encode` converts it to RESP2 or RESP3 bytes.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// A status line, such as `+OK`.
    Status(&'static str),
    /// A status line whose text is created at run time.
    Line(String),
    /// `:n`
    Integer(i64),
    /// `$n`: a binary-safe string.
    Bulk(Bytes),
    /// No value: `_` in RESP3, `$-1` in RESP2.
    Null,
    /// No array: `_` in RESP3, `*-1` in RESP2.
    NullArray,
    /// `*n`
    Array(Vec<Self>),
    /// `%n` in RESP3; a flat array of twice the length in RESP2.
    Map(Vec<(Self, Self)>),
    /// An array of two-element arrays in RESP3; one flat array of twice the length in RESP2:
    /// members with their scores, for example.
    Pairs(Vec<(Self, Self)>),
    /// `~n` in RESP3; an array in RESP2.
    Set(Vec<Self>),
    /// `,1.5` in RESP3; a bulk string in RESP2.
    Double(f64),
    /// `#t` in RESP3; `:1` in RESP2.
    Boolean(bool),
    /// `(n` in RESP3; a bulk string in RESP2.
    BigNumber(String),
    /// `=n` in RESP3 with a three-letter format; a bulk string in RESP2.
    Verbatim(&'static str, Bytes),
    /// `>n` in RESP3; an array in RESP2. Out of band.
    Push(Vec<Self>),
    /// `|n` in RESP3, before the reply to which it belongs; nothing in RESP2.
    Attribute(Vec<(Self, Self)>),
    /// `-CODE text`
    Error(ReplyError),
    /// Several consecutive replies to one command (`SUBSCRIBE a b`).
    Many(Vec<Self>),
    /// No reply at all (`CLIENT REPLY OFF`).
    Nothing,
}

impl Reply {
    /// `+OK`
    pub const OK: Self = Self::Status("OK");

    /// A bulk string copied from `bytes`.
    pub fn bulk(bytes: impl AsRef<[u8]>) -> Self {
        Self::Bulk(Bytes::copy_from_slice(bytes.as_ref()))
    }

    /// An integer from any length or count.
    pub fn count(count: usize) -> Self {
        Self::Integer(i64::try_from(count).unwrap_or(i64::MAX))
    }

    /// `:1` or `:0`, as Redis encodes yes or no.
    pub const fn flag(yes: bool) -> Self {
        Self::Integer(yes as i64)
    }

    /// A bulk string or Null.
    pub fn optional(bytes: Option<Bytes>) -> Self {
        bytes.map_or(Self::Null, Self::Bulk)
    }
}

impl From<ReplyError> for Reply {
    fn from(error: ReplyError) -> Self {
        Self::Error(error)
    }
}
