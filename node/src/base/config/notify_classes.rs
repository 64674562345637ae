//! The events that are published to clients: the letters of `notify-keyspace-events`.

use serde::{Deserialize, Serialize};

/// Every letter except `A`, in the order in which Redis shows them; the position of a letter is its
/// bit.
const LETTERS: &str = "g$lshzxetdKEmn";

/// The letters that `A` includes: all before `K`.
const ALL: u16 = (1 << 10) - 1;

/// A set of event classes and of the two ways to publish them. Serialized as its letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct NotifyClasses(u16);

impl NotifyClasses {
    /// Nothing is published.
    pub const NONE: Self = Self(0);

    /// From letters; `None` if one is unknown.
    pub fn parse(letters: &str) -> Option<Self> {
        letters.chars().try_fold(Self::NONE, |classes, letter| match letter {
            'A' => Some(Self(classes.0 | ALL)),
            letter => Some(Self(classes.0 | 1 << LETTERS.find(letter)?)),
        })
    }

    /// Whether events of the class with this letter are published at all.
    pub fn covers(self, letter: char) -> bool {
        (self.by_key() || self.by_event()) && self.has(letter)
    }

    /// `K`: published as `__keyspace@<db>__:<key>`.
    pub fn by_key(self) -> bool {
        self.has('K')
    }

    /// `E`: published as `__keyevent@<db>__:<event>`.
    pub fn by_event(self) -> bool {
        self.has('E')
    }

    fn has(self, letter: char) -> bool {
        LETTERS.find(letter).is_some_and(|bit| self.0 & (1 << bit) != 0)
    }
}

impl From<NotifyClasses> for String {
    fn from(classes: NotifyClasses) -> Self {
        let all = classes.0 & ALL == ALL;
        let first = if all { 10 } else { 0 };
        let rest = LETTERS.chars().skip(first).filter(|letter| classes.has(*letter));
        all.then_some('A').into_iter().chain(rest).collect()
    }
}

impl TryFrom<String> for NotifyClasses {
    type Error = &'static str;

    fn try_from(letters: String) -> Result<Self, Self::Error> {
        Self::parse(&letters).ok_or("unknown letter in notify-keyspace-events")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn classes_need_a_way_to_be_published() {
        let check = |letters: &str, class, expected| {
            let classes = NotifyClasses::parse(letters).unwrap();
            assert_eq!(classes.covers(class), expected, "{letters} {class:?}");
        };
        check("l", 'l', false);
        check("Kl", 'l', true);
        check("El", 's', false);
        check("KA", 'e', true);
        check("", 'g', false);
    }
}
