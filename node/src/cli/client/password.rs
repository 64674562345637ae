//! The password of clients: the same two flags for every subcommand that connects to a RESP port.

use std::path::PathBuf;

use clap::Args;

use crate::cli::output::Failure;

#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct PasswordFlags {
    /// Password sent with AUTH.
    #[arg(long, env = "IRONKV_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// File whose first line is the password for AUTH.
    #[arg(long, value_name = "FILE", conflicts_with = "password")]
    password_file: Option<PathBuf>,
}

impl PasswordFlags {
    /// Reads the file, if there is one.
    pub(in crate::cli) fn read(&self) -> Result<Option<String>, Failure> {
        let Some(file) = &self.password_file else { return Ok(self.password.clone()) };
        let text = std::fs::read_to_string(file)
            .map_err(|error| Failure::new(format!("{}: {error}", file.display())))?;
        let first = text.lines().find(|line| !line.is_empty());
        let empty = || Failure::new(format!("{} holds no password", file.display()));
        first.map(|line| Some(line.to_owned())).ok_or_else(empty)
    }
}
