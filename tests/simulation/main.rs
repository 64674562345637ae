//! The whole node, three times, in one process: our network, clock, disk and threads are simulated,
//! faults come from a seed.
//!
//! `tests/simulate --seeds 100` runs more seeds; `tests/simulate --seed 7` runs one of them again,
//! exactly as it ran before.

#![allow(clippy::panic, clippy::print_stdout)]

mod apart;
mod client;
mod doors;
mod faults;
mod host;
mod locks;
mod random;
mod reads;
mod trace;
mod votes;
mod workload;
mod world;

use apart::{Run, is_one_seed, number};

/// Seeds of a run without wishes.
const SEEDS: u64 = 6;

/// The test below, which every process of one seed runs.
const HISTORIES: &str = "histories_are_linearizable_and_replicas_equal_under_seeded_faults";

#[test]
fn histories_are_linearizable_and_replicas_equal_under_seeded_faults() {
    if is_one_seed() {
        return;
    }
    let seeds = match number("IRONKV_SIMULATION_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("IRONKV_SIMULATION_SEEDS").unwrap_or(SEEDS),
    };
    let mut failed = Vec::new();
    for seed in seeds {
        let run = Run::start(HISTORIES, seed, "run").and_then(Run::end).expect("a process");
        println!("{}", run.summary);
        if run.good {
            let _ = std::fs::remove_file(run.trace);
        } else {
            failed.push(format!("{} (trace: {})", run.summary, run.trace.display()));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    if !cfg!(tokio_unstable) {
        panic!(
            "tokio cannot be seeded: RUSTFLAGS replaces what .cargo/config.toml says, so add \
             `--cfg tokio_unstable` to it"
        );
    }
    // Together, so that each is held up by the others at other moments.
    let runs = [(1, "first"), (1, "again"), (2, "other")]
        .map(|(seed, label)| Run::start(HISTORIES, seed, label).expect("a process"));
    let [first, again, other] = runs.map(|run| run.end().expect("a process"));
    let [one, two, three] = [&first, &again, &other]
        .map(|run| std::fs::read(&run.trace).unwrap_or_else(|_| panic!("{}", run.summary)));
    let (one_file, two_file) = (first.trace.display(), again.trace.display());
    assert!(one == two, "two runs of one seed differ: {one_file} and {two_file}");
    assert!(one != three, "the seed changes nothing");
    for run in [first, again, other] {
        let _ = std::fs::remove_file(run.trace);
    }
}
