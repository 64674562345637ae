//! `ironkv command`: sends one command to a server and prints the reply; for scripts and for pods
//! without another client.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::client::connection::Connection;
use super::client::hints::no_reply;
use super::client::tls::TlsFlags;
use super::output::{self, Failure, Outcome};
use crate::resp::Reply;

#[derive(Debug, Args)]
pub(super) struct Command {
    /// RESP address of the server.
    #[arg(long, default_value = "127.0.0.1:6379")]
    address: String,
    /// Password sent with AUTH.
    #[arg(long, env = "IRONKV_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// File whose first line is the password for AUTH.
    #[arg(long, value_name = "FILE", conflicts_with = "password")]
    password_file: Option<PathBuf>,
    /// Milliseconds to wait for the connection and for the reply.
    #[arg(long, default_value_t = 5000)]
    timeout_ms: u64,
    #[command(flatten)]
    tls: TlsFlags,
    /// The command and its arguments, such as `SET key value`.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

impl Command {
    pub(super) fn run(self) -> Outcome {
        let password = self.password()?;
        let dialer = self.tls.dialer()?;
        let limit = Duration::from_millis(self.timeout_ms);
        let words: Vec<&[u8]> = self.words.iter().map(String::as_bytes).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let reply = runtime.block_on(async {
            let mut connection = Connection::open(&dialer, &self.address, limit).await?;
            connection.authenticate(password.as_deref()).await?;
            connection.call(&words).await
        });
        match reply.map_err(|error| no_reply(&self.address, &error))? {
            Reply::Error(error) => Err(Failure::new(error.0)),
            reply => {
                let mut lines = Vec::new();
                show(&reply, &mut lines);
                output::line(lines.join("\n"));
                Ok(())
            }
        }
    }

    fn password(&self) -> Result<Option<String>, Failure> {
        let Some(file) = &self.password_file else { return Ok(self.password.clone()) };
        let text = std::fs::read_to_string(file)
            .map_err(|error| Failure::new(format!("{}: {error}", file.display())))?;
        let first = text.lines().find(|line| !line.is_empty());
        let empty = || Failure::new(format!("{} holds no password", file.display()));
        first.map(|line| Some(line.to_owned())).ok_or_else(empty)
    }
}

/// One line per value, also of nested replies; an empty line for no value.
fn show(reply: &Reply, lines: &mut Vec<String>) {
    match reply {
        Reply::Status(text) => lines.push((*text).to_owned()),
        Reply::Line(text) | Reply::BigNumber(text) => lines.push(text.clone()),
        Reply::Integer(number) => lines.push(number.to_string()),
        Reply::Double(number) => lines.push(number.to_string()),
        Reply::Boolean(yes) => lines.push(u8::from(*yes).to_string()),
        Reply::Bulk(bytes) | Reply::Verbatim(_, bytes) => {
            lines.push(String::from_utf8_lossy(bytes).into_owned());
        }
        Reply::Null | Reply::NullArray => lines.push(String::new()),
        Reply::Array(items) | Reply::Set(items) | Reply::Push(items) | Reply::Many(items) => {
            items.iter().for_each(|item| show(item, lines));
        }
        Reply::Map(pairs) | Reply::Pairs(pairs) | Reply::Attribute(pairs) => {
            pairs.iter().for_each(|(one, other)| {
                show(one, lines);
                show(other, lines);
            });
        }
        Reply::Error(error) => lines.push(error.0.clone().into_owned()),
        Reply::Nothing => {}
    }
}
