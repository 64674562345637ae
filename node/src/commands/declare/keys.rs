//! Where the keys of a command are: for slots, `COMMAND GETKEYS` and access rules.

use bytes::Bytes;
use smallvec::SmallVec;

use crate::commands::args::parse_integer;

/// Where the keys are among the arguments; index 0 is the command name.
#[derive(Debug, Clone, Copy)]
pub enum Keys {
    /// No keys.
    None,
    /// One key at index 1.
    First,
    /// From `first` to `last` (negative counts from the end) by `step`.
    Range { first: u8, last: i8, step: u8 },
    /// A count at index `at`, then that many keys; and a key at index `also`, if any.
    Counted { at: u8, also: Option<u8> },
}

/// Indexes of keys among the arguments of a command; the name is index 0.
pub type KeyPositions = SmallVec<[usize; 4]>;

impl Keys {
    /// The positions of the keys in `argv`; `None` when the arguments are invalid (a wrong count).
    pub fn positions(&self, argv: &[Bytes]) -> Option<KeyPositions> {
        match *self {
            Self::None => Some(KeyPositions::new()),
            Self::First => Some((1..argv.len().min(2)).collect()),
            Self::Range { first, last, step } => range(argv.len(), first, last, step),
            Self::Counted { at, also } => counted(argv, usize::from(at), also),
        }
    }
}

fn range(length: usize, first: u8, last: i8, step: u8) -> Option<KeyPositions> {
    let end = if last < 0 {
        length.checked_sub(usize::from(last.unsigned_abs()))?
    } else {
        usize::try_from(last).ok()?
    };
    let end = end.min(length.checked_sub(1)?);
    Some((usize::from(first)..=end).step_by(usize::from(step.max(1))).collect())
}

fn counted(argv: &[Bytes], at: usize, also: Option<u8>) -> Option<KeyPositions> {
    let count = usize::try_from(parse_integer(argv.get(at)?)?).ok()?;
    let end = at.checked_add(1)?.checked_add(count)?;
    let valid = count > 0 && end <= argv.len();
    valid.then(|| also.map(usize::from).into_iter().chain(at + 1..end).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(keys: Keys, text: &str, expected: Option<&[usize]>) {
        let argv: Vec<Bytes> =
            text.split(' ').map(|arg| Bytes::copy_from_slice(arg.as_bytes())).collect();
        assert_eq!(keys.positions(&argv).as_deref(), expected, "{text}");
    }

    #[test]
    fn ranges_count_from_the_end_when_negative() {
        check(Keys::First, "GET a", Some(&[1]));
        check(Keys::Range { first: 1, last: -1, step: 1 }, "DEL a b c", Some(&[1, 2, 3]));
        check(Keys::Range { first: 1, last: -1, step: 2 }, "MSET a 1 b 2", Some(&[1, 3]));
        check(Keys::Range { first: 1, last: 2, step: 1 }, "RENAME a b", Some(&[1, 2]));
        check(Keys::Range { first: 1, last: -2, step: 1 }, "BLPOP a b 0", Some(&[1, 2]));
    }

    #[test]
    fn a_wrong_count_gives_no_positions() {
        let keys = Keys::Counted { at: 2, also: Some(1) };
        check(keys, "ZUNIONSTORE d 2 a b", Some(&[1, 3, 4]));
        check(keys, "ZUNIONSTORE d 3 a b", None);
        check(keys, "ZUNIONSTORE d 0 a b", None);
        check(keys, "ZUNIONSTORE d -1 a b", None);
        check(keys, "ZUNIONSTORE d x a b", None);
    }
}
