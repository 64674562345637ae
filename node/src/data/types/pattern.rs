//! Redis' glob patterns: `*`, `?`, `[a-z]`, `[^a]`, `\` before a special character.
//!
//! A pattern is cut at its stars. The part before the first star must stand at the beginning, the
//! part after the last one at the end, and for the others it is enough to look for each from where
//! the one before ended. A part of plain bytes is searched for as such; one with `?` or classes is
//! followed at all places at once, a bit for each item, so that no text makes it start over.

use memchr::memmem::Finder;

use crate::base::limits::PATTERN_WILD_ITEMS_MAX;

/// Whether the case of letters counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// It does.
    Sensitive,
    /// `a` and `A` are the same.
    Ignored,
}

/// A part with `?` or classes is longer than [`PATTERN_WILD_ITEMS_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "pattern has more than {PATTERN_WILD_ITEMS_MAX} characters between two stars, among them ? or ["
)]
pub struct PatternTooComplex;

/// A pattern, read once and then matched with many texts. A match takes a step for each byte of the
/// text, and for parts between stars that hold `?` or classes one for each 64 items of the part.
#[derive(Debug)]
pub struct Pattern {
    first: Vec<Item>,
    /// `None` without a star: `first` is all.
    rest: Option<Rest>,
    /// Of the shortest text.
    bytes_min: usize,
    matches_all: bool,
}

#[derive(Debug)]
struct Rest {
    searched: Vec<Search>,
    last: Vec<Item>,
}

/// What one byte of a text must be.
#[derive(Debug, Clone, PartialEq)]
enum Item {
    Byte(u8),
    Any,
    Class(Box<ByteSet>),
}

/// A bit for each byte.
#[derive(Debug, Clone, Default, PartialEq)]
struct ByteSet([u64; 4]);

impl ByteSet {
    fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    const fn contains(&self, byte: u8) -> bool {
        self.0[(byte >> 6) as usize] & (1 << (byte & 63)) != 0
    }

    fn negate(&mut self) {
        self.0.iter_mut().for_each(|word| *word = !*word);
    }
}

impl Item {
    fn literal(byte: u8, case: Case) -> Self {
        if case == Case::Sensitive || !byte.is_ascii_alphabetic() {
            return Self::Byte(byte);
        }
        let mut both = ByteSet::default();
        both.insert(byte.to_ascii_lowercase());
        both.insert(byte.to_ascii_uppercase());
        Self::Class(Box::new(both))
    }

    fn accepts(&self, byte: u8) -> bool {
        match self {
            Self::Byte(wanted) => *wanted == byte,
            Self::Any => true,
            Self::Class(set) => set.contains(byte),
        }
    }
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// [`PatternTooComplex`].
    pub fn new(pattern: &[u8], case: Case) -> Result<Self, PatternTooComplex> {
        let mut parts = vec![Vec::new()];
        let mut rest = pattern;
        while let Some((byte, after)) = rest.split_first() {
            rest = after;
            let item = match *byte {
                b'*' => {
                    parts.push(Vec::new());
                    continue;
                }
                b'?' => Item::Any,
                b'[' => Item::Class(Box::new(class(&mut rest, case))),
                b'\\' if !rest.is_empty() => {
                    let escaped = rest[0];
                    rest = &rest[1..];
                    Item::literal(escaped, case)
                }
                literal => Item::literal(literal, case),
            };
            if let Some(part) = parts.last_mut() {
                part.push(item);
            }
        }
        let bytes_min = parts.iter().map(Vec::len).sum();
        let matches_all = pattern == b"*";
        let last = if parts.len() > 1 { parts.pop() } else { None };
        let mut parts = parts.into_iter();
        let first = parts.next().unwrap_or_default();
        let rest = match last {
            None => None,
            Some(last) => {
                let searched = parts.filter(|part| !part.is_empty()).map(Search::new);
                Some(Rest { searched: searched.collect::<Result<_, _>>()?, last })
            }
        };
        Ok(Self { first, rest, bytes_min, matches_all })
    }

    /// Whether the whole of `text` matches. As in Redis, nothing but the empty pattern and a single
    /// star match the empty text.
    pub fn matches(&self, text: &[u8]) -> bool {
        if self.matches_all || text.len() < self.bytes_min {
            return self.matches_all;
        }
        let (start, mut between) = text.split_at(self.first.len());
        if !accept(&self.first, start) {
            return false;
        }
        let Some(rest) = &self.rest else { return between.is_empty() };
        let (middle, end) = between.split_at(between.len() - rest.last.len());
        between = middle;
        if text.is_empty() || !accept(&rest.last, end) {
            return false;
        }
        for search in &rest.searched {
            let Some(end) = search.end_in(between) else { return false };
            between = &between[end..];
        }
        true
    }
}

/// Whether texts of the same length as the items are what they say.
fn accept(items: &[Item], text: &[u8]) -> bool {
    items.iter().zip(text).all(|(item, byte)| item.accepts(*byte))
}

/// The class behind its bracket, which `rest` begins with; leaves what follows it. A class without
/// an end reaches to the end of the pattern.
fn class(rest: &mut &[u8], case: Case) -> ByteSet {
    let mut set = ByteSet::default();
    let negated = rest.first() == Some(&b'^');
    *rest = &rest[usize::from(negated)..];
    loop {
        let taken = match **rest {
            [] => break,
            // Redis takes an escaped letter in a class for itself, whatever the case.
            [b'\\', escaped, ..] => {
                set.insert(escaped);
                2
            }
            [b']', ..] => {
                *rest = &rest[1..];
                break;
            }
            [start, b'-', end, ..] => {
                insert_range(&mut set, start.min(end), start.max(end), case);
                3
            }
            [single, ..] => {
                insert_range(&mut set, single, single, case);
                1
            }
        };
        *rest = &rest[taken..];
    }
    if negated {
        set.negate();
    }
    set
}

fn insert_range(set: &mut ByteSet, start: u8, end: u8, case: Case) {
    let fold = |byte: u8| if case == Case::Ignored { byte.to_ascii_lowercase() } else { byte };
    let range = fold(start)..=fold(end);
    (0..=u8::MAX).filter(|byte| range.contains(&fold(*byte))).for_each(|byte| set.insert(byte));
}

/// Looks for a part between two stars.
#[derive(Debug)]
enum Search {
    Bytes(Box<Finder<'static>>),
    Wild(Wild),
}

impl Search {
    fn new(items: Vec<Item>) -> Result<Self, PatternTooComplex> {
        let plain = items.iter().map(|item| match item {
            Item::Byte(byte) => Some(*byte),
            _ => None,
        });
        if let Some(bytes) = plain.collect::<Option<Vec<u8>>>() {
            return Ok(Self::Bytes(Box::new(Finder::new(&bytes).into_owned())));
        }
        if items.len() > PATTERN_WILD_ITEMS_MAX {
            return Err(PatternTooComplex);
        }
        Ok(Self::Wild(Wild::new(&items)))
    }

    /// Where the first occurrence in the text ends.
    fn end_in(&self, text: &[u8]) -> Option<usize> {
        match self {
            Self::Bytes(finder) => finder.find(text).map(|start| start + finder.needle().len()),
            Self::Wild(wild) => wild.end_in(text),
        }
    }
}

/// Shift-And: bit n of the state says that the last bytes of the text are what items 0 to n say.
#[derive(Debug)]
struct Wild {
    /// For each byte the items that accept it, `words` words each.
    accepted_by: Vec<u64>,
    words: usize,
    last_bit: u64,
}

impl Wild {
    fn new(items: &[Item]) -> Self {
        let words = items.len().div_ceil(64);
        let mut accepted_by = vec![0; 256 * words];
        for byte in 0..=u8::MAX {
            let row = &mut accepted_by[usize::from(byte) * words..][..words];
            for (number, item) in items.iter().enumerate() {
                row[number / 64] |= u64::from(item.accepts(byte)) << (number % 64);
            }
        }
        Self { accepted_by, words, last_bit: 1 << ((items.len() - 1) % 64) }
    }

    fn end_in(&self, text: &[u8]) -> Option<usize> {
        if self.words == 1 {
            let mut state = 0;
            return self.find(text, |accepted| {
                state = (state << 1 | 1) & accepted[0];
                state
            });
        }
        let mut state = vec![0; self.words];
        self.find(text, |accepted| {
            let mut carry = 1;
            for (word, accepted) in state.iter_mut().zip(accepted) {
                let out = *word >> 63;
                *word = (*word << 1 | carry) & accepted;
                carry = out;
            }
            state[accepted.len() - 1]
        })
    }

    /// `step` takes what accepts the next byte and gives the last word of the new state.
    fn find(&self, text: &[u8], mut step: impl FnMut(&[u64]) -> u64) -> Option<usize> {
        let ends = |byte: &u8| {
            let accepted = &self.accepted_by[usize::from(*byte) * self.words..][..self.words];
            step(accepted) & self.last_bit != 0
        };
        text.iter().position(ends).map(|at| at + 1)
    }
}

#[cfg(test)]
#[path = "pattern_test.rs"]
mod tests;
