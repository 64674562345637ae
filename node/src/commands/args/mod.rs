//! Reading arguments: a cursor over the arguments of one command, and options that many share.

pub(super) mod glob;
pub(super) mod numbers;
pub(super) mod sampling;
pub(super) mod scan_options;

use bytes::Bytes;

use crate::base::read_double::{is_out_of_range, read_double};
use crate::resp::ReplyError;

/// The arguments after the command's name (and subcommand's). `Copy`, so a lookahead is a copy.
#[derive(Debug, Clone, Copy)]
pub struct Args<'a> {
    rest: &'a [Bytes],
}

impl<'a> Args<'a> {
    /// Over `rest`, which holds no command name.
    pub const fn new(rest: &'a [Bytes]) -> Self {
        Self { rest }
    }

    /// Arguments left.
    pub const fn len(&self) -> usize {
        self.rest.len()
    }

    /// Whether nothing is left.
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// All that is left.
    pub const fn rest(&self) -> &'a [Bytes] {
        self.rest
    }

    /// The next argument without taking it.
    pub fn peek(&self) -> Option<&'a Bytes> {
        self.rest.first()
    }

    /// The next argument; a syntax error when there is none.
    #[expect(clippy::should_implement_trait, reason = "the end is an error here, not a None")]
    pub fn next(&mut self) -> Result<&'a Bytes, ReplyError> {
        let (first, rest) = self.rest.split_first().ok_or(ReplyError::SYNTAX)?;
        self.rest = rest;
        Ok(first)
    }

    /// The next argument as a signed 64-bit integer.
    pub fn integer(&mut self) -> Result<i64, ReplyError> {
        parse_integer(self.next()?).ok_or(ReplyError::NOT_INTEGER)
    }

    /// The next argument as a float; `inf` is allowed, `nan` is not.
    pub fn float(&mut self) -> Result<f64, ReplyError> {
        parse_float(self.next()?).ok_or(ReplyError::NOT_FLOAT)
    }

    /// Takes the next argument if it is this keyword, in any case.
    pub fn keyword(&mut self, keyword: &str) -> bool {
        match self.rest.split_first() {
            Some((first, rest)) if first.eq_ignore_ascii_case(keyword.as_bytes()) => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// Succeeds only if nothing is left.
    pub fn end(&self) -> Result<(), ReplyError> {
        if self.rest.is_empty() { Ok(()) } else { Err(ReplyError::SYNTAX) }
    }

    /// Splits off the first `count` arguments.
    pub fn take(&mut self, count: usize) -> Result<&'a [Bytes], ReplyError> {
        let (first, rest) = self.rest.split_at_checked(count).ok_or(ReplyError::SYNTAX)?;
        self.rest = rest;
        Ok(first)
    }
}

/// A signed 64-bit integer exactly as Redis's `string2ll` parses it: no spaces, no plus sign, no
/// leading zero.
pub fn parse_integer(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let plain = digits.len() <= 19 && digits.iter().all(u8::is_ascii_digit);
    let canonical = digits.first() != Some(&b'0') || text == b"0";
    if digits.is_empty() || !plain || !canonical {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// A float as Redis parses it: as `strtod` does, but without space before it and within the range.
/// Infinities are allowed by name, `nan` is refused.
pub fn parse_float(text: &[u8]) -> Option<f64> {
    if text.first().is_none_or(u8::is_ascii_whitespace) {
        return None;
    }
    read_double(text).filter(|number| !is_out_of_range(text, *number))
}
