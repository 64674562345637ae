//! The command line.

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::crd;
use crate::run::Run;

/// Runs IronKV clusters on Kubernetes.
#[derive(Debug, Parser)]
#[command(name = "ironkv-operator", version)]
struct Cli {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Watch the clusters and reconcile them.
    Run(Run),
    /// Print the definition of the custom resource as YAML.
    Crd,
    /// Print the version.
    Version,
}

/// Runs the command of the command line.
pub fn run() -> ExitCode {
    let done = match Cli::parse().action {
        Action::Run(run) => run.run().map_err(|error| error.to_string()),
        Action::Crd => crd::definition().map_err(|error| error.to_string()).and_then(print),
        Action::Version => print(format!("{}\n", env!("CARGO_PKG_VERSION"))),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "ironkv-operator: {error}");
            ExitCode::FAILURE
        }
    }
}

fn print(text: String) -> Result<(), String> {
    std::io::stdout().write_all(text.as_bytes()).map_err(|error| error.to_string())
}
