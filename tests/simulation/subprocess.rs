//! One process per seed. tokio drops the tasks of a crashed node in an order that depends on the
//! number of tasks that the process has ever started, so a second run in the same process would not
//! be the same run.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use ironkv::base::hash::stable_hash;

use crate::world::simulate;

/// Operations that must return for a run to count.
const OPERATIONS_MIN: usize = 100;

/// In the process of one seed: the seed.
const SEED: &str = "IRONKV_SIMULATION_THIS_SEED";
/// In the process of one seed: the file for the trace.
const TRACE: &str = "IRONKV_SIMULATION_TRACE";

/// A seed that runs in its own process.
pub(crate) struct Run {
    child: Child,
    trace: PathBuf,
}

/// The result of a run.
pub(crate) struct Ended {
    /// A line about it.
    pub(crate) summary: String,
    /// Whether no check failed.
    pub(crate) good: bool,
    /// Where its trace is.
    pub(crate) trace: PathBuf,
}

impl Run {
    /// Starts a run; `label` distinguishes its trace from those of other runs of the seed.
    pub(crate) fn start(test: &str, seed: u64, label: &str) -> io::Result<Self> {
        let trace = std::env::temp_dir()
            .join(format!("ironkv-simulation-{seed}-{label}-{}.txt", std::process::id()));
        let child = Command::new(std::env::current_exe()?)
            .args(["--exact", test, "--nocapture", "--test-threads", "1"])
            .env(SEED, seed.to_string())
            .env(TRACE, &trace)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        Ok(Self { child, trace })
    }

    /// Waits for its end.
    pub(crate) fn end(self) -> io::Result<Ended> {
        let output = self.child.wait_with_output()?;
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        let summary = text.lines().find(|line| line.starts_with("seed "));
        let summary = summary.map_or_else(|| text.clone(), str::to_owned);
        Ok(Ended { summary, good: output.status.success(), trace: self.trace })
    }
}

/// In the process of one seed: runs it and returns true.
pub(crate) fn is_one_seed() -> bool {
    let (Some(seed), Ok(trace)) = (number(SEED), std::env::var(TRACE)) else { return false };
    let outcome = simulate(seed);
    let hash = stable_hash(outcome.trace.as_bytes());
    let verdict = outcome.verdict.and_then(|()| match outcome.returned {
        returned if returned < OPERATIONS_MIN => {
            Err(format!("only {returned} operations returned"))
        }
        _ => Ok(()),
    });
    std::fs::write(Path::new(&trace), &outcome.trace).expect("a writable directory");
    println!(
        "\nseed {seed}: {} operations, {:?}, trace {hash:016x}: {}",
        outcome.returned,
        outcome.faults,
        verdict.as_ref().map_or_else(String::as_str, |()| "good")
    );
    assert_eq!(verdict, Ok(()));
    true
}

pub(crate) fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}
