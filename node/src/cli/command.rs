//! `ironkv command`: sends one command to a server and prints the reply; for scripts and for pods
//! without another client.

use std::time::Duration;

use clap::Args;

use super::client::connection::Connection;
use super::client::hints::{advice_on_reply, no_reply};
use super::client::password::PasswordFlags;
use super::client::tls::TlsFlags;
use super::output::{self, Failure, Outcome};
use crate::resp::Reply;

#[derive(Debug, Args)]
pub(super) struct Command {
    /// RESP address of the server.
    #[arg(long, default_value = "127.0.0.1:6379")]
    address: String,
    #[command(flatten)]
    password: PasswordFlags,
    /// Milliseconds to wait for the connection and for the reply.
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u64).range(1..))]
    timeout_ms: u64,
    #[command(flatten)]
    tls: TlsFlags,
    /// The command and its arguments, such as `SET key value`.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

impl Command {
    pub(super) fn run(self) -> Outcome {
        let password = self.password.read()?;
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
            Reply::Error(error) => {
                let advice = advice_on_reply(&error.0);
                let failure = Failure::new(error.0);
                Err(match advice {
                    Some(advice) => failure.try_next(advice),
                    None => failure,
                })
            }
            reply => {
                let mut lines = Vec::new();
                show(&reply, &mut lines);
                output::line(lines.join("\n"));
                Ok(())
            }
        }
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
