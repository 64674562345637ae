//! The operations of the clients and the properties that must hold.

mod accounts;
mod lists;
mod locks;
mod registers;

pub use accounts::Accounts;
pub use lists::Lists;
pub use locks::Locks;
pub use registers::Registers;

use std::time::Duration;

use tokio::time::Instant;

/// Keys are used for a while and then replaced by new ones, so that each history stays short.
#[derive(Debug, Clone, Copy)]
pub struct Generations {
    start: Instant,
    length: Duration,
}

impl Generations {
    fn new(length: Duration) -> Self {
        Self { start: Instant::now(), length }
    }

    fn count(self, how_long: Duration) -> usize {
        // Faults can take longer than planned; the last generation then lasts until the end.
        how_long.as_secs() as usize * 3 / self.length.as_secs() as usize + 10
    }

    fn now(self, count: usize) -> usize {
        let passed = self.start.elapsed().as_millis() / self.length.as_millis();
        (passed as usize).min(count - 1)
    }
}
