//! Numeric arguments with a range and their own error text.

use std::ops::Range;

use super::{Args, parse_integer};
use crate::resp::ReplyError;

/// The next argument as an integer of at least `least`. A text that is not an integer gets the same
/// error.
pub(in crate::commands) fn at_least(
    args: &mut Args<'_>,
    least: i64,
    error: &'static str,
) -> Result<usize, ReplyError> {
    let number = parse_integer(args.next()?).filter(|number| *number >= least);
    number.and_then(|number| usize::try_from(number).ok()).ok_or(ReplyError::new(error))
}

/// The next argument as an integer of at least 0.
pub(in crate::commands) fn not_negative(args: &mut Args<'_>) -> Result<usize, ReplyError> {
    at_least(args, 0, "ERR value is out of range, must be positive")
}

/// The next argument as any integer but the lowest, whose negation overflows.
pub(in crate::commands) fn negatable(args: &mut Args<'_>) -> Result<i64, ReplyError> {
    let number = args.integer()?;
    if number == i64::MIN {
        return Err(ReplyError::new(format!(
            "ERR value is out of range, value must between {} and {}",
            -i64::MAX,
            i64::MAX
        )));
    }
    Ok(number)
}

/// The indexes from `start` to `stop`, both included, of `len` elements; negative ones count from
/// the end. The range is empty when it contains no element.
pub(in crate::commands) fn index_range(start: i64, stop: i64, len: usize) -> Range<usize> {
    let from_end =
        |index: i64| if index < 0 { index.saturating_add_unsigned(len as u64) } else { index };
    let start = usize::try_from(from_end(start).max(0)).unwrap_or(usize::MAX);
    let end = usize::try_from(from_end(stop).saturating_add(1).max(0)).unwrap_or(usize::MAX);
    start.min(len)..end.min(len).max(start.min(len))
}

/// Resolves an index, which counts from the end when negative; `None` if it is outside.
pub(in crate::commands) fn index_of(index: i64, len: usize) -> Option<usize> {
    let index = if index < 0 { index.checked_add_unsigned(len as u64)? } else { index };
    usize::try_from(index).ok().filter(|index| *index < len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_count_from_both_ends_and_stay_inside() {
        let cases = [
            ((0, -1), 0..5),
            ((1, 2), 1..3),
            ((-2, -1), 3..5),
            ((-100, 100), 0..5),
            ((3, 1), 3..3),
            ((5, 9), 5..5),
            ((0, -100), 0..0),
            ((i64::MIN, i64::MAX), 0..5),
            ((i64::MAX, i64::MIN), 5..5),
        ];
        for ((start, stop), expected) in cases {
            assert_eq!(index_range(start, stop, 5), expected, "{start} {stop}");
        }
        assert_eq!(index_range(0, -1, 0), 0..0);
    }

    #[test]
    fn an_index_outside_is_refused() {
        let cases = [(0, Some(0)), (4, Some(4)), (5, None), (-5, Some(0)), (-6, None)];
        for (index, expected) in cases {
            assert_eq!(index_of(index, 5), expected, "{index}");
        }
        assert_eq!(index_of(i64::MIN, 5), None);
    }
}
