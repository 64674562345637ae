//! The hash that orders keys and members. The order of checkpoints and the cursors of SCAN depend
//! on it, so its output must never change: XXH3, 64 bits, seed 0, as published in the xxHash
//! specification.

/// The same 64 bits for the same bytes on every node, machine and release.
pub fn stable_hash(bytes: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(bytes)
}

#[cfg(test)]
mod tests {
    use super::stable_hash;

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!(stable_hash(b""), 0x2D06_8005_38D3_94C2);
        assert_eq!(stable_hash(b"a"), 0xE6C6_32B6_1E96_4E1F);
        assert_eq!(stable_hash(b"abc"), 0x78AF_5F94_892F_3950);
    }
}
