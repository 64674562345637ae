//! The size of a list as one Redis listpack, which `list-max-listpack-size` limits.

use bytes::Bytes;

use super::ListValue;
use crate::data::keyspace::Settings;
use crate::data::types::integer::canonical_integer;

/// Header and end mark of an empty listpack.
const EMPTY_BYTES: usize = 7;

/// Byte limits for -1 to -5; Redis's default, -2, is 8 KiB.
const SIZE_CLASS_BYTES: [usize; 5] = [4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10];

/// With a limit by count, a listpack still never exceeds this size.
const SAFE_BYTES_MAX: usize = 8 << 10;

/// Elements and bytes of a list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Footprint {
    count: usize,
    bytes: usize,
}

enum Limit {
    Bytes(usize),
    Count(usize),
}

impl Limit {
    fn of(settings: &Settings) -> Self {
        match usize::try_from(settings.list_max_listpack_size) {
            Ok(count) => Self::Count(count.max(1)),
            Err(_) => {
                let class = settings.list_max_listpack_size.unsigned_abs() - 1;
                let class = usize::try_from(class).unwrap_or(usize::MAX);
                Self::Bytes(SIZE_CLASS_BYTES[class.min(SIZE_CLASS_BYTES.len() - 1)])
            }
        }
    }
}

impl Footprint {
    pub(super) fn of(list: &ListValue) -> Self {
        Self { count: list.len(), bytes: EMPTY_BYTES + list.listpack_bytes }
    }

    /// The size after elements are added. Counts only their content, as Redis does at this point.
    pub(super) fn with(self, added: &[Bytes]) -> Self {
        let bytes: usize = added.iter().map(Bytes::len).sum();
        Self { count: self.count + added.len(), bytes: self.bytes + bytes }
    }

    /// Whether this is too large for one listpack.
    pub(super) fn exceeds(self, settings: &Settings) -> bool {
        match Limit::of(settings) {
            Limit::Bytes(limit) => self.bytes > limit,
            Limit::Count(limit) => self.bytes > SAFE_BYTES_MAX || self.count > limit,
        }
    }

    /// Whether this fits into half of the maximum of one listpack.
    pub(super) fn is_within_half(self, settings: &Settings) -> bool {
        match Limit::of(settings) {
            Limit::Bytes(limit) => self.bytes <= limit / 2,
            Limit::Count(limit) => self.bytes <= SAFE_BYTES_MAX && self.count <= limit / 2,
        }
    }
}

/// Bytes of one listpack entry (Redis's listpack specification): encoding, content, back length.
pub(super) fn entry_bytes(member: &[u8]) -> usize {
    let body = match canonical_integer(member) {
        Some(0..=127) => 1,
        Some(-4096..=4095) => 2,
        Some(-32_768..=32_767) => 3,
        Some(-8_388_608..=8_388_607) => 4,
        Some(-2_147_483_648..=2_147_483_647) => 5,
        Some(_) => 9,
        None => match member.len() {
            0..=63 => 1 + member.len(),
            64..=4095 => 2 + member.len(),
            _ => 5 + member.len(),
        },
    };
    let back_length = match body {
        0..=127 => 1,
        128..=16_383 => 2,
        16_384..=2_097_151 => 3,
        2_097_152..=268_435_455 => 4,
        _ => 5,
    };
    body + back_length
}
