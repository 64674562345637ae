//! The whole node, three times, in one process: our network, clock, disk and threads are simulated,
//! faults come from a seed.
//!
//! `IRONKV_SIMULATION_SEEDS=100 cargo test -p ironkv-tests --test simulation` runs more seeds;
//! `IRONKV_SIMULATION_SEED=7` one.

#![allow(clippy::panic, clippy::print_stdout)]

mod client;
mod doors;
mod random;
mod workload;
mod world;

use world::{simulate, trace_file};

/// Seeds of a run without wishes.
const SEEDS: u64 = 6;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn histories_are_linearizable_and_replicas_equal_under_seeded_faults() {
    let seeds = match number("IRONKV_SIMULATION_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("IRONKV_SIMULATION_SEEDS").unwrap_or(SEEDS),
    };
    let mut failed = Vec::new();
    for seed in seeds {
        let outcome = simulate(seed);
        println!("seed {seed}: {} operations, {:?}", outcome.returned, outcome.faults);
        if let Err(error) = &outcome.verdict {
            let file = trace_file(seed);
            let _ = std::fs::write(&file, &outcome.trace);
            failed.push(format!("seed {seed}: {error} (trace: {})", file.display()));
        } else if outcome.returned < 100 {
            failed.push(format!("seed {seed}: only {} operations returned", outcome.returned));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
