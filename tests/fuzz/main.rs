//! The fuzz targets under stable Rust: random bytes, valid bytes with a few changes, and the
//! contents of `corpus/`. Coverage-guided runs are `just fuzz`.

#![allow(clippy::unwrap_used, unreachable_pub)]

mod targets;

use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

/// Where mutation starts from.
const SEEDS: [&[u8]; 12] = [
    b"\x05*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n*1\r\n$4\r\nPING\r\n",
    b"\x03SET a \"b c\\x00\"\r\nGET a\r\n",
    b"\x09*2\r\n$4\r\nECHO\r\n$5000\r\n",
    b"SET a 1 EX 10\nGETEX a PERSIST\nAPPEND a b\nSETRANGE a 3 x\nLCS a a IDX",
    b"ZADD z 1 a 2 b\nZRANGE z 0 -1 WITHSCORES\nZUNIONSTORE d 2 z z WEIGHTS 1 2\nZPOPMIN z 9",
    b"RPUSH l a b c\nLINSERT l BEFORE b x\nLTRIM l 0 1\nLMPOP 1 l LEFT COUNT 5\nLPOS l a RANK -1",
    b"HSET h a 1 b 2\nHINCRBYFLOAT h a 1e5\nHRANDFIELD h -5 WITHVALUES\nHSCAN h 0 COUNT 5",
    b"SADD s 1 2 3 a\nSPOP s 2\nSINTERCARD 1 s LIMIT 1\nSRANDMEMBER s -4\nDUMP s",
    b"RESTORE k 0 \x00\x05hello\n\x00abcdefgh\nCOPY k j REPLACE\nSCAN 0 MATCH [a-z]* TYPE string",
    b"\x01\x00\x00\x03SET\x02\x01a\x01b",
    b"%2\r\n+a\r\n:1\r\n$1\r\nb\r\n*2\r\n,1.5\r\n_\r\n",
    b">3\r\n+x\r\n=5\r\ntxt:a\r\n(123\r\n",
];

fn mutate(seed: &[u8]) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..rand::random_range(0..6) {
        let at = rand::random_range(0..=bytes.len());
        match rand::random_range(0..5) {
            0 if at < bytes.len() => bytes[at] = rand::random(),
            1 => bytes.insert(at, rand::random()),
            2 if at < bytes.len() => drop(bytes.remove(at)),
            3 => bytes.truncate(at),
            _ => {
                let other = SEEDS[rand::random_range(0..SEEDS.len())];
                let from = rand::random_range(0..other.len());
                bytes.splice(at..at, other[from..].iter().copied());
            }
        }
        bytes.truncate(4096);
    }
    bytes
}

#[test]
fn no_bytes_harm_any_target() {
    let seconds = std::env::var("IRONKV_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    let share = Duration::from_secs(seconds.unwrap_or(20)) / targets::ALL.len() as u32;
    for (name, target) in targets::ALL {
        let end = Instant::now() + share;
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
        for file in std::fs::read_dir(corpus).into_iter().flatten().flatten() {
            target(&std::fs::read(file.path()).unwrap());
        }
        let mut runs = 0_u64;
        while Instant::now() < end {
            let bytes = mutate(SEEDS[rand::random_range(0..SEEDS.len())]);
            let shown = bytes.clone();
            let outcome = std::panic::catch_unwind(move || target(&bytes));
            assert!(outcome.is_ok(), "{name} panics on b\"{}\"", shown.escape_ascii());
            runs += 1;
        }
        eprintln!("{name}: {runs} runs");
    }
}
