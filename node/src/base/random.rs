//! The only random sources: a seeded generator for commands, so that replicas draw the same
//! numbers, and entropy for everything else, which the simulator seeds.

use std::cell::Cell;
use std::fmt::Write;

/// A seeded generator: the same seed gives the same numbers on every replica.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Starts from `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The seed from which another generator draws the numbers that this one would draw next.
    pub const fn state(&self) -> u64 {
        self.0
    }

    /// 64 random bits (SplitMix64, Steele, Lea and Flood 2014).
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which must not be 0.
    pub const fn below(&mut self, bound: usize) -> usize {
        (((self.next() as u128) * (bound as u128)) >> 64) as usize
    }

    /// A number in 0.0 ..= 1.0.
    pub const fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / ((1_u64 << 53) - 1) as f64
    }
}

thread_local! {
    static OF_THREAD: Cell<Option<u64>> = const { Cell::new(None) };
}

/// So many random hexadecimal digits, for unique names.
pub fn hexadecimal(digits: usize) -> String {
    let mut text = String::new();
    while text.len() < digits {
        // Writing to a string cannot fail.
        let _ = write!(text, "{:016x}", entropy());
    }
    text.truncate(digits);
    text
}

/// Makes every later [`entropy`] of this thread depend only on `seed`. For the simulator.
pub fn seed_this_thread(seed: u64) {
    OF_THREAD.set(Some(seed));
}

/// Random bits for what need not agree between replicas, such as election timeouts. They come from
/// the operating system, unless the thread was seeded.
pub fn entropy() -> u64 {
    match OF_THREAD.get() {
        None => rand::random(),
        Some(seed) => {
            let mut random = Random::new(seed);
            let bits = random.next();
            OF_THREAD.set(Some(random.state()));
            bits
        }
    }
}
