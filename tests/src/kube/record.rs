//! The record of a client in a pod about each of its requests, and its evaluation.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// An event of the write with the number of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A write that must exist from now on.
    Acknowledged,
    /// A write that may exist or not.
    Unknown,
    /// A write that does not exist.
    Refused,
    /// A read that did not see an acknowledged write.
    Stale,
    /// No more writes follow.
    Stopped,
}

const WORDS: [(Event, &str); 5] = [
    (Event::Acknowledged, "acknowledged"),
    (Event::Unknown, "unknown"),
    (Event::Refused, "refused"),
    (Event::Stale, "stale"),
    (Event::Stopped, "stopped"),
];

/// One line of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What happened.
    pub event: Event,
    /// The number of the write.
    pub number: u64,
    /// When, in milliseconds since the client's first start.
    pub at_ms: u64,
    /// The text of the answer or error.
    pub remark: String,
}

impl Line {
    /// As text, without its end.
    fn text(&self) -> String {
        let word =
            WORDS.iter().find(|(event, _)| *event == self.event).map_or("", |(_, word)| word);
        let remark = self.remark.replace('\n', " ");
        format!("{word} {} {} {remark}", self.number, self.at_ms)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.splitn(4, ' ');
        let word = words.next()?;
        let (event, _) = WORDS.iter().find(|(_, known)| *known == word)?;
        let number = words.next()?.parse().ok()?;
        let at_ms = words.next()?.parse().ok()?;
        Some(Self { event: *event, number, at_ms, remark: words.next()?.to_owned() })
    }
}

/// A record that is being written.
#[derive(Debug)]
pub struct Record(File);

impl Record {
    /// Opens a file to append to it.
    ///
    /// # Errors
    /// Errors of the file.
    pub fn append(path: &Path) -> io::Result<Self> {
        Ok(Self(File::options().create(true).append(true).open(path)?))
    }

    /// Adds a line.
    ///
    /// # Errors
    /// Errors of the file.
    pub fn write(&mut self, line: &Line) -> io::Result<()> {
        self.0.write_all(format!("{}\n", line.text()).as_bytes())
    }
}

/// The complete lines of a record; none when there is no file yet.
///
/// # Errors
/// Errors of the file, or an invalid line.
pub fn read(path: &Path) -> io::Result<Vec<Line>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    // The last line may be incomplete.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let parse = |line: &str| {
        Line::parse(line).ok_or_else(|| io::Error::other(format!("no line of a record: {line}")))
    };
    whole.lines().map(parse).collect()
}

/// The summary of a record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// How many writes were acknowledged.
    pub acknowledged: u64,
    /// How many may exist or not.
    pub unknown: u64,
    /// How many do not exist.
    pub refused: u64,
    /// The longest time without an acknowledgement, from the first write to the last, milliseconds.
    pub longest_gap_ms: u64,
    /// The last errors, the newest at the end.
    pub last_errors: Vec<String>,
    /// Reads that did not see an acknowledged write. There must be none.
    pub stale: Vec<String>,
    /// Acknowledged writes that are missing at the end. There must be none.
    pub missing: Vec<String>,
    /// How many keys each member has at the end. All must be equal.
    pub keys: BTreeMap<String, u64>,
}

const ERRORS_KEPT: usize = 8;

impl Report {
    /// Everything that follows from the lines alone.
    pub fn of(lines: &[Line]) -> Self {
        let count = |event| lines.iter().filter(|line| line.event == event).count() as u64;
        let describe =
            |line: &Line| format!("write {} at {}: {}", line.number, line.at_ms, line.remark);
        let failed = |line: &&Line| matches!(line.event, Event::Unknown | Event::Refused);
        let failures: Vec<String> = lines.iter().filter(failed).map(describe).collect();
        Self {
            acknowledged: count(Event::Acknowledged),
            unknown: count(Event::Unknown),
            refused: count(Event::Refused),
            longest_gap_ms: longest_gap_ms(lines),
            last_errors: failures[failures.len().saturating_sub(ERRORS_KEPT)..].to_vec(),
            stale: lines.iter().filter(|line| line.event == Event::Stale).map(describe).collect(),
            missing: Vec::new(),
            keys: BTreeMap::new(),
        }
    }

    /// A violation of the guarantees.
    pub fn problem(&self) -> Option<&'static str> {
        let differs = |keys| Some(keys) != self.keys.values().next();
        if !self.missing.is_empty() {
            Some("acknowledged writes are missing")
        } else if !self.stale.is_empty() {
            Some("reads did not see acknowledged writes")
        } else if self.keys.values().any(differs) {
            Some("members do not have the same keys")
        } else {
            None
        }
    }
}

/// The first and the last line count as acknowledgements: without answers, or from the last answer
/// on, the whole time is a gap.
fn longest_gap_ms(lines: &[Line]) -> u64 {
    let (Some(first), Some(last)) = (lines.first(), lines.last()) else { return 0 };
    let acknowledged = lines.iter().filter(|line| line.event == Event::Acknowledged);
    let mut times: Vec<u64> = acknowledged.map(|line| line.at_ms).collect();
    times.insert(0, first.at_ms);
    times.push(last.at_ms);
    times.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).max().unwrap_or(0)
}

#[cfg(test)]
#[path = "record_test.rs"]
mod tests;
