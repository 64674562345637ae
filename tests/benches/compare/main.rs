//! IronKV (three nodes), Redis (one, appendfsync always) and etcd (three nodes) on this machine, in
//! one run, with real flushes. Prints the table of `node/src/docs/benchmarks.md`.
//!
//! `cargo bench -p ironkv-tests --bench compare -- [--seconds S] [--only NAME]`. Absolute figures
//! depend on the machine; compare the ratios, and the CPU time per operation, which varies less.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the table is the product")]

mod etcd;
mod gaps;
mod load;
mod report;
mod scale;
mod systems;

use std::process::ExitCode;

use load::{Load, ROWS};
use report::Report;
use systems::System;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| {
        arguments.iter().position(|a| a == name).and_then(|at| arguments.get(at + 1)).cloned()
    };
    let seconds: f64 = value("--seconds").map_or(Ok(5.0), |text| {
        text.parse().map_err(|error| format!("--seconds {text}: {error}"))
    })?;
    let only = value("--only");
    let wanted = |name: &str| only.as_deref().is_none_or(|only| name == only);
    let mut report = Report::default();
    for start in [systems::ironkv, systems::redis, systems::etcd] {
        let mut system = match start(&wanted) {
            Ok(Some(system)) => system,
            Ok(None) => continue,
            Err(missing) => {
                report.skipped(missing);
                continue;
            }
        };
        measure(&mut system, seconds, &mut report)?;
    }
    println!("{}", report.markdown());
    Ok(())
}

fn measure(system: &mut System, seconds: f64, report: &mut Report) -> Result<(), String> {
    for row in ROWS {
        eprintln!("{}: {}", system.name, row.name);
        let load = Load { row, seconds };
        // Fills the key space, so that GET finds its keys, and warms caches.
        load.warm_up(system)?;
        let before = system.cpu_seconds();
        let figures = load.run(system)?;
        report.add(system.name, row, &figures, system.cpu_seconds() - before);
    }
    if system.name == systems::IRONKV {
        eprintln!("{}: gaps and scale", system.name);
        report.figures(gaps::measure(system));
        system.sort_leader_first();
        report.figures(scale::measure(system, seconds));
    }
    Ok(())
}
