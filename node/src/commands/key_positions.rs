//! Where the keys of a command as sent are: for slots, `COMMAND GETKEYS` and access rules.

use bytes::Bytes;
use smallvec::SmallVec;

use super::args::parse_integer;
use super::command::Keys;

/// Indexes of keys among the words of a command, the name being index 0.
pub type KeyPositions = SmallVec<[usize; 4]>;

impl Keys {
    /// The positions of the keys in `words`; `None` when the arguments make no sense (a bad count).
    pub fn positions(&self, words: &[Bytes]) -> Option<KeyPositions> {
        match *self {
            Self::None => Some(KeyPositions::new()),
            Self::First => Some((1..words.len().min(2)).collect()),
            Self::Range { first, last, step } => range(words.len(), first, last, step),
            Self::Counted { at, also } => counted(words, usize::from(at), also),
            Self::Found(find) => {
                let found = find(words);
                found.iter().all(|at| *at < words.len()).then(|| found.into_iter().collect())
            }
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

fn counted(words: &[Bytes], at: usize, also: Option<u8>) -> Option<KeyPositions> {
    let count = usize::try_from(parse_integer(words.get(at)?)?).ok()?;
    let end = at.checked_add(1)?.checked_add(count)?;
    let valid = count > 0 && end <= words.len();
    valid.then(|| also.map(usize::from).into_iter().chain(at + 1..end).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(keys: Keys, text: &str, expected: Option<&[usize]>) {
        let words: Vec<Bytes> =
            text.split(' ').map(|word| Bytes::copy_from_slice(word.as_bytes())).collect();
        assert_eq!(keys.positions(&words).as_deref(), expected, "{text}");
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
    fn a_count_that_lies_gives_no_positions() {
        let keys = Keys::Counted { at: 2, also: Some(1) };
        check(keys, "ZUNIONSTORE d 2 a b", Some(&[1, 3, 4]));
        check(keys, "ZUNIONSTORE d 3 a b", None);
        check(keys, "ZUNIONSTORE d 0 a b", None);
        check(keys, "ZUNIONSTORE d -1 a b", None);
        check(keys, "ZUNIONSTORE d x a b", None);
    }
}
