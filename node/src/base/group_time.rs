//! The time of a group, which its leader defines.

/// Bits for the milliseconds: enough for the next 8,900 years.
const MS_BITS: u32 = 48;

const MS_MAX: u64 = (1 << MS_BITS) - 1;

/// The number of times that the time of the group had been set back (its epoch), then Unix
/// milliseconds. A time of a later epoch is always later, whatever a clock shows, so a stored
/// maximum cannot undo a correction of the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct GroupTime(u64);

impl GroupTime {
    /// The highest possible epoch.
    pub const EPOCH_MAX: u32 = u16::MAX as u32;

    /// A time of this epoch.
    pub const fn new(epoch: u32, ms: u64) -> Self {
        let epoch = if epoch < Self::EPOCH_MAX { epoch } else { Self::EPOCH_MAX };
        Self((epoch as u64) << MS_BITS | if ms < MS_MAX { ms } else { MS_MAX })
    }

    /// The number of times that the time had been set back.
    pub const fn epoch(self) -> u32 {
        (self.0 >> MS_BITS) as u32
    }

    /// Unix milliseconds.
    pub const fn ms(self) -> u64 {
        self.0 & MS_MAX
    }

    /// For an atomic. The numbers have the same order as the times.
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// The reverse of [`GroupTime::to_bits`].
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_epoch_is_later_with_any_clock() {
        let spoiled = GroupTime::new(3, 9_000_000_000_000);
        let right = GroupTime::new(4, 1_700_000_000_000);
        assert!(right > spoiled && right.to_bits() > spoiled.to_bits());
        assert_eq!((right.epoch(), right.ms()), (4, 1_700_000_000_000));
        assert_eq!(GroupTime::from_bits(right.to_bits()), right);
        assert_eq!(GroupTime::new(1, u64::MAX).epoch(), 1);
        assert_eq!(GroupTime::new(u32::MAX, 5).ms(), 5);
    }
}
