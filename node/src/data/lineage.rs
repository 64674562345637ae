//! The incarnations of a data directory. A node draws a random number, its incarnation, at each
//! start and from time to time while it runs, and the log registers the current one for its id. A
//! copy of the directory, or an old state of it, does not know the numbers that were drawn
//! afterwards.

use serde::{Deserialize, Serialize};

use crate::base::limits::LINEAGE_MAX;

/// The current incarnation of a node according to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// The random number.
    pub incarnation: u64,
    /// Index of the log entry that registered it; later ones replace earlier ones.
    pub index: u64,
}

/// What a data directory knows about itself. It is durable before any of it is sent to another
/// node, so it always contains what is registered for the node, unless the directory is a copy or
/// was restored to an old state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lineage {
    /// The last registration that this directory knows of.
    pub registered: Option<Registration>,
    /// The incarnations drawn since then, oldest first.
    pub drawn: Vec<u64>,
}

impl Lineage {
    /// Whether no incarnation was ever drawn.
    pub const fn is_empty(&self) -> bool {
        self.registered.is_none() && self.drawn.is_empty()
    }

    /// Adds a new incarnation. After too many without a registration no more are added; the last
    /// one stays current then, which detects fewer copies and refuses no valid directory.
    pub fn draw(&mut self, incarnation: u64) {
        if self.drawn.len() < LINEAGE_MAX {
            self.drawn.push(incarnation);
        }
    }

    /// The current one; `None` before the first.
    pub fn current(&self) -> Option<u64> {
        let registered = self.registered.map(|registered| registered.incarnation);
        self.drawn.last().copied().or(registered)
    }

    /// Whether the current one is registered, as far as this directory knows.
    pub const fn is_registered(&self) -> bool {
        self.registered.is_some() && self.drawn.is_empty()
    }

    /// Whether this directory has had that incarnation, as far as it remembers.
    pub fn knows(&self, incarnation: u64) -> bool {
        self.registered.is_some_and(|registered| registered.incarnation == incarnation)
            || self.drawn.contains(&incarnation)
    }

    /// Whether a registration that another node has applied can be one of this directory. A
    /// registration that is older than the known one proves nothing: the other node lags.
    pub fn fits(&self, seen: Registration) -> bool {
        match self.registered {
            Some(known) if seen.index < known.index => true,
            Some(known) if seen.index == known.index => seen == known,
            Some(_) | None => self.drawn.contains(&seen.incarnation),
        }
    }

    /// Stores a registration that was applied here. `false` when it is not one of this directory,
    /// which is then a copy or an old state.
    pub fn note_registered(&mut self, seen: Registration) -> bool {
        if !self.fits(seen) {
            return false;
        }
        let place = self.drawn.iter().position(|drawn| *drawn == seen.incarnation);
        if let Some(place) = place
            && self.registered.is_none_or(|known| known.index < seen.index)
        {
            self.drawn.drain(..=place);
            self.registered = Some(seen);
        }
        true
    }

    /// Accepts a registration as one of this directory although it is not, because an operator
    /// confirms that no better directory exists.
    pub fn claim(&mut self, seen: Registration) {
        if !self.fits(seen) {
            self.registered = Some(seen);
        }
    }
}

#[cfg(test)]
#[path = "lineage_test.rs"]
mod tests;
