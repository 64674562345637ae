//! Three whole nodes in one process: network, clock, disk and threads are simulated, and the faults
//! depend on a seed.
//!
//! `tests/simulate --seeds 100` runs more seeds; `tests/simulate --seed 7` repeats one of them
//! exactly.

#![allow(clippy::panic, clippy::print_stdout)]

mod client;
mod host;
mod member;
mod random;
mod subprocess;
mod trace;
mod world;

/// What the clients of a simulation did, and whether it was right.
mod history {
    pub(crate) mod deadlines;
    pub(crate) mod workload;
}

/// The faults of a simulation.
mod nemesis {
    pub(crate) mod changes;
    pub(crate) mod decay;
    pub(crate) mod faults;
    pub(crate) mod plan;
}

/// One fault at a time.
mod scenario {
    pub(crate) mod disks;
    pub(crate) mod eligibility;
    pub(crate) mod environment;
    pub(crate) mod incarnations;
    pub(crate) mod leases;
    pub(crate) mod locks;
    pub(crate) mod reads;
    pub(crate) mod reset_time;
    pub(crate) mod time;
    pub(crate) mod votes;
}

use nemesis::changes::KINDS;
use nemesis::faults::FAULTS;
use subprocess::{Run, is_one_seed, number};

/// Default number of seeds, which run one after the other beside other tests.
const SEEDS: u64 = 6;

/// With so many seeds every fault and every membership change must have occurred.
const SEEDS_OF_ALL_FAULTS: u64 = 100;

/// The test below, which every process of one seed runs.
const HISTORIES: &str = "histories_are_linearizable_and_replicas_equal_under_seeded_faults";

#[test]
fn histories_are_linearizable_and_replicas_equal_under_seeded_faults() {
    if is_one_seed() {
        return;
    }
    let seeds: Vec<u64> = match number("IRONKV_SIMULATION_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("IRONKV_SIMULATION_SEEDS").unwrap_or(SEEDS)).collect(),
    };
    let count = seeds.len() as u64;
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let at_once = if count > SEEDS { processors } else { 1 };
    let (mut failed, mut summaries) = (Vec::new(), String::new());
    for seeds in seeds.chunks(at_once) {
        let start = |seed: &u64| Run::start(HISTORIES, *seed, "run").expect("a process");
        let runs: Vec<Run> = seeds.iter().map(start).collect();
        for run in runs {
            let run = run.end().expect("a process");
            println!("{}", run.summary);
            if run.good {
                let _ = std::fs::remove_file(run.trace);
            } else {
                failed.push(format!("{} (trace: {})", run.summary, run.trace.display()));
            }
            summaries.push_str(&run.summary);
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    let mut kinds = FAULTS.iter().chain(&KINDS);
    let missing = kinds.find(|kind| !summaries.contains(&format!("\"{kind}\": ")));
    assert!(count < SEEDS_OF_ALL_FAULTS || missing.is_none(), "never made: {missing:?}");
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    if !cfg!(tokio_unstable) {
        panic!(
            "tokio cannot be seeded: RUSTFLAGS replaces the flags of .cargo/config.toml, so add \
             `--cfg tokio_unstable` to it"
        );
    }
    // At the same time, so that they slow each other down at different times.
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
