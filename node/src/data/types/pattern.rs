//! Redis's glob patterns: `*`, `?`, `[a-z]`, `[^a]`, `\` before a special character.
//!
//! A pattern is split at its stars. The part before the first star must match at the beginning and
//! the part after the last one at the end; each part in between is searched from the end of the
//! previous one. A part of plain bytes is searched as a substring. A part with `?` or classes is
//! matched at all positions at once, with one bit for each item, so that no text causes
//! backtracking.

use memchr::memmem::Finder;

use crate::base::limits::PATTERN_WILD_ITEMS_MAX;

/// Whether upper and lower case differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// They differ.
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

/// A parsed pattern that can be matched with many texts. A match takes one step for each byte of
/// the text; for parts between stars with `?` or classes, one for each 64 items of the part.
#[derive(Debug)]
pub struct Pattern {
    first: Vec<Item>,
    /// `None` without a star: `first` is the whole pattern.
    rest: Option<Rest>,
    /// Length of the shortest text that can match.
    bytes_min: usize,
    matches_all: bool,
}

#[derive(Debug)]
struct Rest {
    searched: Vec<Search>,
    last: Vec<Item>,
}

/// What one byte of a text must match.
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

    /// Whether the whole of `text` matches. As in Redis, only the empty pattern and a single star
    /// match the empty text.
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

/// Whether a text of the same length as the items matches them.
fn accept(items: &[Item], text: &[u8]) -> bool {
    items.iter().zip(text).all(|(item, byte)| item.accepts(*byte))
}

/// Parses a class; `rest` begins after its bracket. A class without an end extends to the end of
/// the pattern.
fn class(rest: &mut &[u8], case: Case) -> ByteSet {
    let mut set = ByteSet::default();
    let negated = rest.first() == Some(&b'^');
    *rest = &rest[usize::from(negated)..];
    loop {
        let taken = match **rest {
            [] => break,
            // In Redis, an escaped letter in a class matches only itself, even if case is ignored.
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

/// The search for a part between two stars.
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

    /// The end of the first occurrence in the text.
    fn end_in(&self, text: &[u8]) -> Option<usize> {
        match self {
            Self::Bytes(finder) => finder.find(text).map(|start| start + finder.needle().len()),
            Self::Wild(wild) => wild.end_in(text),
        }
    }
}

/// Shift-And: bit n of the state is set if the last bytes of the text match items 0 to n.
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

    /// `step` gets the items that accept the next byte and returns the last word of the new state.
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
