//! What SCAN, HSCAN, SSCAN and ZSCAN share: the cursor, MATCH and COUNT, the shape of the reply.

use bytes::Bytes;

use super::args::Args;
use crate::data::types::pattern;
use crate::resp::{Reply, ReplyError};

/// How many elements one call looks at unless told.
const COUNT_DEFAULT: usize = 10;

/// The first argument of a scan; 0 starts one. Read as by C's `strtoul`, as Redis does: nothing is
/// 0, a minus wraps around, and what follows a NUL byte is not looked at.
pub(super) fn cursor(args: &mut Args<'_>) -> Result<u64, ReplyError> {
    let text = args.next()?.split(|byte| *byte == 0).next().unwrap_or_default();
    if text.is_empty() {
        return Ok(0);
    }
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let unsigned = digits.first().is_some_and(u8::is_ascii_digit);
    let text = std::str::from_utf8(digits).ok().filter(|_| unsigned);
    let number: Option<u64> = text.and_then(|text| text.parse().ok());
    let number = number.ok_or(ReplyError::new("ERR invalid cursor"))?;
    Ok(if negative { number.wrapping_neg() } else { number })
}

/// The options after the cursor.
#[derive(Debug)]
pub(super) struct ScanOptions<'a> {
    /// Elements to look at.
    pub(super) count: usize,
    /// What a name must match to be in the reply; `None` for any.
    pattern: Option<&'a Bytes>,
}

impl<'a> ScanOptions<'a> {
    /// Parses MATCH and COUNT to the end of the arguments.
    pub(super) fn parse(mut args: Args<'a>) -> Result<Self, ReplyError> {
        let mut options = Self::default();
        while !args.is_empty() {
            options.option(&mut args)?;
        }
        Ok(options)
    }

    /// Parses one of MATCH and COUNT; a syntax error for anything else.
    pub(super) fn option(&mut self, args: &mut Args<'a>) -> Result<(), ReplyError> {
        if args.keyword("COUNT") {
            let count = args.integer()?;
            self.count =
                usize::try_from(count).ok().filter(|n| *n > 0).ok_or(ReplyError::SYNTAX)?;
        } else if args.keyword("MATCH") {
            self.pattern = Some(args.next()?).filter(|pattern| pattern.as_ref() != b"*");
        } else {
            return Err(ReplyError::SYNTAX);
        }
        Ok(())
    }

    /// Whether a name is wanted.
    pub(super) fn admits(&self, name: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| pattern::matches(pattern, name))
    }
}

impl Default for ScanOptions<'_> {
    fn default() -> Self {
        Self { count: COUNT_DEFAULT, pattern: None }
    }
}

/// The reply: the next cursor, 0 at the end, and what was found.
pub(super) fn reply(next: u64, found: Vec<Reply>) -> Reply {
    let next = Reply::bulk(itoa::Buffer::new().format(next));
    Reply::Array(vec![next, Reply::Array(found)])
}
