//! Which lives a data directory has had. A node draws a random number at each start, and now and
//! then while it runs, its incarnation, and the log says which one is in force for its id. A copy
//! of the directory, or an old state of it, does not know the numbers that were drawn afterwards.

use serde::{Deserialize, Serialize};

use crate::base::limits::LINEAGE_MAX;

/// The incarnation that the log says is in force for a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// Random.
    pub incarnation: u64,
    /// Index of the log entry that says so; later ones replace earlier ones.
    pub index: u64,
}

/// What a data directory knows of itself. It is on the disk before anything of it is told to
/// another node, so what is registered for the node is always in it, unless the directory is a copy
/// or went back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lineage {
    /// The last registration that this directory knows of.
    pub registered: Option<Registration>,
    /// What was drawn since, oldest first.
    pub drawn: Vec<u64>,
}

/// What a process says of itself in every message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Of its directory.
    pub lineage: Lineage,
    /// Random, drawn at the start of the process and never again.
    pub life: u64,
}

impl Lineage {
    /// Whether nothing was ever drawn.
    pub const fn is_empty(&self) -> bool {
        self.registered.is_none() && self.drawn.is_empty()
    }

    /// A new life. So many may pass without a registration that no more fit; the last one goes on
    /// then, which notices less and refuses nothing that is right.
    pub fn draw(&mut self, incarnation: u64) {
        if self.drawn.len() < LINEAGE_MAX {
            self.drawn.push(incarnation);
        }
    }

    /// The one in force; `None` before the first.
    pub fn current(&self) -> Option<u64> {
        let registered = self.registered.map(|registered| registered.incarnation);
        self.drawn.last().copied().or(registered)
    }

    /// Whether the one in force is registered, as far as is known here.
    pub const fn is_registered(&self) -> bool {
        self.registered.is_some() && self.drawn.is_empty()
    }

    /// Whether this directory has lived through that incarnation, as far as it remembers.
    pub fn knows(&self, incarnation: u64) -> bool {
        self.registered.is_some_and(|registered| registered.incarnation == incarnation)
            || self.drawn.contains(&incarnation)
    }

    /// Whether a registration that another node has applied can be one of this directory. One that
    /// is older than what is known here says nothing: the other node lags.
    pub fn fits(&self, seen: Registration) -> bool {
        match self.registered {
            Some(known) if seen.index < known.index => true,
            Some(known) if seen.index == known.index => seen == known,
            Some(_) | None => self.drawn.contains(&seen.incarnation),
        }
    }

    /// Takes over a registration that was applied here. `false` when it is not one of this
    /// directory, which is then a copy or an old state.
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

    /// Takes a registration for one of this directory's though it is not, because an operator says
    /// that there is no better one.
    pub fn claim(&mut self, seen: Registration) {
        if !self.fits(seen) {
            self.registered = Some(seen);
        }
    }
}

#[cfg(test)]
#[path = "lineage_test.rs"]
mod tests;
