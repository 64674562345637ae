//! Which kinds of faults a seed draws from: not every kind in every run, so that each meets others
//! and each gets time of its own.

use crate::host::SPARES;

/// So that a disk is really full before writes are refused, now and then.
const SMALL_DISKS: [(&str, &str); 2] =
    [("data.free_bytes_min", "65536"), ("log.spare_segments", "1")];

/// So that nearly every request travels in pieces.
const SMALL_PIECES: [(&str, &str); 1] = [("limits.entry_piece_bytes", "24")];

/// See the module.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// Machines join and leave the cluster.
    pub(crate) members_change: bool,
    /// Fewer voters than this are not made by a change.
    pub(crate) voters_min: usize,
    /// Disks are full for a while, and much is written.
    pub(crate) disks_fill: bool,
    /// The files of one machine decay; its node is replaced when it notices that.
    pub(crate) disk_decays: bool,
}

impl Plan {
    pub(crate) const fn of(seed: u64) -> Self {
        Self {
            members_change: seed % 2 == 1,
            // What decayed may have been the only copy.
            voters_min: if seed % 4 == 3 && seed % 5 != 4 { 1 } else { 3 },
            disks_fill: seed % 3 == 2,
            disk_decays: seed % 5 == 4,
        }
    }

    /// Machines beside those that the cluster begins with.
    pub(crate) const fn spares(self) -> &'static [&'static str] {
        if self.members_change { &SPARES } else { &[] }
    }

    /// Settings of all nodes.
    pub(crate) const fn flags(self) -> &'static [(&'static str, &'static str)] {
        if self.disks_fill {
            &SMALL_DISKS
        } else if self.members_change {
            &SMALL_PIECES
        } else {
            &[]
        }
    }

    /// Whether clocks are set wrong, one at a time: of two voters one is no minority.
    pub(crate) const fn clocks_go_wrong(self) -> bool {
        self.voters_min >= 3
    }
}
