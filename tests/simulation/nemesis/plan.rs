//! The kinds of faults of a seed: not every kind in every run, so that each is combined with others
//! and each has enough time.

use crate::host::SPARES;

/// Small enough that a disk is sometimes full before writes are refused.
const SMALL_DISKS: [(&str, &str); 2] =
    [("data.free_bytes_min", "65536"), ("log.spare_segments", "1")];

/// Small enough that nearly every request is proposed in pieces.
const SMALL_PIECES: [(&str, &str); 1] = [("limits.entry_piece_bytes", "24")];

/// See the module.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// Machines join and leave the cluster.
    pub(crate) members_change: bool,
    /// No change leaves fewer voters than this.
    pub(crate) voters_min: usize,
    /// Disks are full for a while, and many bytes are written.
    pub(crate) disks_fill: bool,
    /// The files of one machine decay; its node is replaced after it has detected that.
    pub(crate) disk_decays: bool,
}

impl Plan {
    pub(crate) const fn of(seed: u64) -> Self {
        Self {
            members_change: seed % 2 == 1,
            // The decayed copy may have been the only one.
            voters_min: if seed % 4 == 3 && seed % 5 != 4 { 1 } else { 3 },
            disks_fill: seed % 3 == 2,
            disk_decays: seed % 5 == 4,
        }
    }

    /// Machines besides those with which the cluster begins.
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

    /// Whether clocks become wrong, one at a time: of two voters one is not a minority.
    pub(crate) const fn clocks_go_wrong(self) -> bool {
        self.voters_min >= 3
    }
}
