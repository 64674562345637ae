//! Two versions of the program in one cluster: the last released one and this one, rolled forward
//! and back under load. Every run ends with the checkers and with equal digests.

#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub)]

mod refusals;
mod rolls;
mod snapshots;
mod versions;

/// The load and the checkers of the fault runs.
#[path = "../faults"]
#[allow(dead_code, reason = "the fault runs use the rest of it")]
mod faults {
    pub mod load;
    pub mod workloads;
}
use faults::{load, workloads};
