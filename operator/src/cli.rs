//! The command line.

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::crd;

/// Runs IronKV clusters on Kubernetes.
#[derive(Debug, Parser)]
#[command(name = "ironkv-operator", version)]
struct Cli {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print the definition of the custom resource as YAML.
    Crd,
    /// Print the version.
    Version,
}

/// Does what the command line says.
pub fn run() -> ExitCode {
    let text = match Cli::parse().action {
        Action::Crd => crd::definition().map_err(|error| error.to_string()),
        Action::Version => Ok(format!("{}\n", env!("CARGO_PKG_VERSION"))),
    };
    let written = text.and_then(|text| {
        std::io::stdout().write_all(text.as_bytes()).map_err(|error| error.to_string())
    });
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "ironkv-operator: {error}");
            ExitCode::FAILURE
        }
    }
}
