//! The common part of SCAN, HSCAN, SSCAN and ZSCAN: the cursor, MATCH and COUNT, the form of the
//! reply.

use super::Args;
use super::glob::glob;
use crate::data::types::pattern::{Case, Pattern};
use crate::resp::{Reply, ReplyError};

/// How many elements one call examines by default.
const COUNT_DEFAULT: usize = 10;

/// The first argument of a scan; 0 starts one. It is parsed like C's `strtoul`, as in Redis: an
/// empty text is 0, a minus wraps around, and a NUL byte ends the text.
pub(in crate::commands) fn cursor(args: &mut Args<'_>) -> Result<u64, ReplyError> {
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
pub(in crate::commands) struct ScanOptions {
    /// How many elements to examine.
    pub(in crate::commands) count: usize,
    /// What a name must match to be in the reply; `None` for any.
    pattern: Option<Pattern>,
}

impl ScanOptions {
    /// Parses MATCH and COUNT to the end of the arguments.
    pub(in crate::commands) fn parse(mut args: Args<'_>) -> Result<Self, ReplyError> {
        let mut options = Self::default();
        while !args.is_empty() {
            options.option(&mut args)?;
        }
        Ok(options)
    }

    /// Parses one of MATCH and COUNT; a syntax error for anything else.
    pub(in crate::commands) fn option(&mut self, args: &mut Args<'_>) -> Result<(), ReplyError> {
        if args.keyword("COUNT") {
            let count = args.integer()?;
            self.count =
                usize::try_from(count).ok().filter(|n| *n > 0).ok_or(ReplyError::SYNTAX)?;
        } else if args.keyword("MATCH") {
            self.pattern = Some(glob(args.next()?, Case::Sensitive)?);
        } else {
            return Err(ReplyError::SYNTAX);
        }
        Ok(())
    }

    /// Whether a name matches.
    pub(in crate::commands) fn admits(&self, name: &[u8]) -> bool {
        self.pattern.as_ref().is_none_or(|pattern| pattern.matches(name))
    }
}

impl Default for ScanOptions {
    fn default() -> Self {
        Self { count: COUNT_DEFAULT, pattern: None }
    }
}

/// The reply: the next cursor, 0 at the end, and what was found.
pub(in crate::commands) fn reply(next: u64, found: Vec<Reply>) -> Reply {
    let next = Reply::bulk(itoa::Buffer::new().format(next));
    Reply::Array(vec![next, Reply::Array(found)])
}
