//! The slot of a key, as Redis Cluster defines it.

use crate::base::ids::Slot;
use crate::base::limits::SLOTS;

/// The slot of a key: CRC16-XMODEM of its hash tag, modulo the number of slots.
pub fn slot_of(key: &[u8]) -> Slot {
    Slot(crc16(hash_tag(key)) % SLOTS)
}

/// The part between the first `{` and the first `}` after it, unless that is empty; else the key.
fn hash_tag(key: &[u8]) -> &[u8] {
    let Some(open) = memchr::memchr(b'{', key) else { return key };
    let rest = &key[open + 1..];
    match memchr::memchr(b'}', rest) {
        Some(length) if length > 0 => &rest[..length],
        _ => key,
    }
}

const POLYNOMIAL: u16 = 0x1021;

/// `TABLES[n][b]`: the checksum of byte `b` followed by `n` zero bytes. With eight tables, eight
/// bytes are processed in one step, without waiting for the previous byte.
static TABLES: [[u16; 256]; 8] = tables();

const fn tables() -> [[u16; 256]; 8] {
    let mut tables = [[0_u16; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ POLYNOMIAL };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut zeros = 1;
    while zeros < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[zeros - 1][byte];
            tables[zeros][byte] = (before << 8) ^ tables[0][(before >> 8) as usize];
            byte += 1;
        }
        zeros += 1;
    }
    tables
}

fn crc16(bytes: &[u8]) -> u16 {
    let at = |table: usize, byte: u8| TABLES[table][usize::from(byte)];
    let (chunks, rest) = bytes.as_chunks::<8>();
    let mut crc = 0_u16;
    for chunk in chunks {
        let [high, low] = crc.to_be_bytes();
        crc = at(7, chunk[0] ^ high) ^ at(6, chunk[1] ^ low);
        crc ^= at(5, chunk[2]) ^ at(4, chunk[3]) ^ at(3, chunk[4]);
        crc ^= at(2, chunk[5]) ^ at(1, chunk[6]) ^ at(0, chunk[7]);
    }
    for byte in rest {
        let [high, _] = crc.to_be_bytes();
        crc = (crc << 8) ^ at(0, byte ^ high);
    }
    crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_xmodem_for_every_length() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
        let model = crc::Crc::<u16>::new(&crc::CRC_16_XMODEM);
        let bytes: Vec<u8> = (0..100_u8).map(|byte| byte.wrapping_mul(37)).collect();
        for length in 0..bytes.len() {
            assert_eq!(crc16(&bytes[..length]), model.checksum(&bytes[..length]));
        }
    }

    #[test]
    fn slots_are_those_of_redis_cluster() {
        for (key, slot) in [("foo", 12182), ("bar", 5061), ("", 0), ("hello", 866)] {
            assert_eq!(slot_of(key.as_bytes()), Slot(slot), "{key}");
        }
    }

    #[test]
    fn only_the_first_non_empty_tag_counts() {
        let check = |key: &str, tag: &str| {
            assert_eq!(hash_tag(key.as_bytes()), tag.as_bytes(), "{key}");
        };
        check("{user1000}.following", "user1000");
        check("foo{}{bar}", "foo{}{bar}");
        check("foo{{bar}}zap", "{bar");
        check("foo{bar}{zap}", "bar");
        check("foo{bar", "foo{bar");
        check("foo}bar{", "foo}bar{");
    }
}
