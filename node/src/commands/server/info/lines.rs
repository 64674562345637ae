//! The lines of a section of INFO.

use std::fmt::{Display, Write};

/// The lines of a section.
#[derive(Debug, Default)]
pub(super) struct Lines(String);

impl Lines {
    /// Adds `name:value`.
    pub(super) fn add(&mut self, name: &str, value: impl Display) {
        // Writing to a String cannot fail.
        let _ = write!(self.0, "{name}:{value}\r\n");
    }

    /// All lines.
    pub(super) fn text(&self) -> &str {
        &self.0
    }
}
