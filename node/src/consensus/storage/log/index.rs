//! Where on the disk an entry stands: a sparse list of markers, from each of which the file can be
//! read on in order. Memory is bounded by one marker for each [`MARKER_BYTES`] of log.

use std::collections::VecDeque;

/// A new marker is set after this many bytes.
pub(super) const MARKER_BYTES: u64 = 4096;
/// Markers that one look-up passes at most, so that it is quick; the reader just looks up again.
const SPAN_MARKERS_MAX: usize = 1024;

/// The place of one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marker {
    pub(super) index: u64,
    /// Number of the segment.
    pub(super) segment: u64,
    /// Of the entry's item, or of the frame that begins with it.
    pub(super) offset: u64,
    /// Whether who reads on from the marker before meets exactly the entries up to this one.
    pub(super) continues: bool,
}

/// A part of one file that holds the entries up to `until`, exclusive, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) segment: u64,
    pub(super) offset: u64,
    pub(super) until: u64,
}

/// What one frame changes in the index, in order.
#[derive(Debug, Clone, Copy)]
pub(super) enum IndexChange {
    Mark(Marker),
    /// Entries from this index on are gone.
    Truncate(u64),
    /// Entries up to `up_to` are gone; `last` is the last entry there was.
    Purge {
        up_to: u64,
        last: u64,
    },
}

/// The markers of all live entries on the disk, in order of index.
#[derive(Debug, Default)]
pub(super) struct Index {
    markers: VecDeque<Marker>,
}

impl Index {
    pub(super) fn apply(&mut self, change: IndexChange) {
        match change {
            IndexChange::Mark(marker) => self.markers.push_back(marker),
            IndexChange::Truncate(first_removed) => {
                while self.markers.back().is_some_and(|marker| marker.index >= first_removed) {
                    self.markers.pop_back();
                }
            }
            IndexChange::Purge { up_to, last } => {
                while self.markers.front().is_some_and(|_| self.first_end(last) <= up_to + 1) {
                    self.markers.pop_front();
                }
            }
        }
    }

    /// Index after the last entry that the first marker stands for.
    fn first_end(&self, last: u64) -> u64 {
        self.markers.get(1).map_or(last + 1, |next| next.index)
    }

    /// Where to begin to read for `index`, which must be a live entry on the disk.
    pub(super) fn find(&self, index: u64) -> Option<Span> {
        let after = self.markers.partition_point(|marker| marker.index <= index);
        let start = self.markers.get(after.checked_sub(1)?)?;
        let ahead = self.markers.range(after..).take(SPAN_MARKERS_MAX);
        let mut until = u64::MAX;
        for marker in ahead {
            until = marker.index;
            if !marker.continues {
                break;
            }
        }
        Some(Span { segment: start.segment, offset: start.offset, until })
    }

    /// Segment and offset of the last marker at or before `index`, or of the first one of all.
    pub(super) fn place_of(&self, index: u64) -> Option<(u64, u64)> {
        let after = self.markers.partition_point(|marker| marker.index <= index);
        let marker = self.markers.get(after.saturating_sub(1))?;
        Some((marker.segment, marker.offset))
    }

    /// The first marked entry that stands at this place or behind it.
    pub(super) fn first_from(&self, place: (u64, u64)) -> Option<u64> {
        let at = self.markers.partition_point(|marker| (marker.segment, marker.offset) < place);
        self.markers.get(at).map(|marker| marker.index)
    }

    /// The oldest segment that holds a live entry.
    pub(super) fn first_segment(&self) -> Option<u64> {
        self.markers.front().map(|marker| marker.segment)
    }
}

/// Decides which entries get a marker; used in the same way when writing and when recovering.
#[derive(Debug, Default)]
pub(super) struct MarkerPolicy {
    last: Option<(u64, u64)>,
    broken: bool,
}

impl MarkerPolicy {
    /// The next entry does not simply follow the one before.
    pub(super) const fn interrupt(&mut self) {
        self.broken = true;
    }

    /// The marker of the entry with its item at `offset`, if it gets one.
    pub(super) fn entry(&mut self, index: u64, segment: u64, offset: u64) -> Option<Marker> {
        let continues = !self.broken && self.last.is_some_and(|(marked, _)| marked == segment);
        let near = self.last.is_some_and(|(_, at)| offset < at + MARKER_BYTES);
        if continues && near {
            return None;
        }
        self.last = Some((segment, offset));
        self.broken = false;
        Some(Marker { index, segment, offset, continues })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn index(entries: &[(u64, u64, u64, bool)]) -> Index {
        let mut index = Index::default();
        for &(entry, segment, offset, continues) in entries {
            index.apply(IndexChange::Mark(Marker { index: entry, segment, offset, continues }));
        }
        index
    }

    #[test]
    fn a_span_ends_where_reading_on_would_leave_the_live_entries() {
        let index =
            index(&[(1, 1, 100, false), (5, 1, 200, true), (9, 1, 300, false), (12, 2, 64, false)]);
        let span = |segment, offset, until| Some(Span { segment, offset, until });
        assert_eq!(index.find(0), None);
        assert_eq!(index.find(4), span(1, 100, 9));
        assert_eq!(index.find(6), span(1, 200, 9));
        assert_eq!(index.find(9), span(1, 300, 12));
        assert_eq!(index.find(40), span(2, 64, u64::MAX));
    }

    #[test]
    fn a_purge_frees_a_segment_once_its_last_live_entry_is_gone() {
        let mut index = index(&[(1, 1, 100, false), (5, 2, 64, false), (8, 3, 64, false)]);
        let mut first_after = |up_to| {
            index.apply(IndexChange::Purge { up_to, last: 10 });
            index.first_segment()
        };
        assert_eq!(first_after(3), Some(1));
        assert_eq!(first_after(4), Some(2));
        assert_eq!(first_after(9), Some(3));
        assert_eq!(first_after(10), None);
    }

    #[test]
    fn markers_are_sparse_and_never_bridge_a_truncation() {
        let mut policy = MarkerPolicy::default();
        assert!(!policy.entry(1, 1, 4096).unwrap().continues);
        assert_eq!(policy.entry(2, 1, 5000), None);
        assert!(policy.entry(3, 1, 9000).unwrap().continues);
        policy.interrupt();
        assert!(!policy.entry(3, 1, 9100).unwrap().continues);
        assert!(!policy.entry(4, 2, 4200).unwrap().continues);
    }
}
