//! `ironkv cluster reset-time`: repairs a cluster whose time is far ahead of its clocks.

use std::io::{BufRead, IsTerminal};
use std::time::Duration;

use clap::Args;
use ironkv_proto::admin::v1::ResetTimeRequest;

use crate::cli::client::admin;
use crate::cli::client::tls::Dialer;
use crate::cli::output::{self, Failure, Outcome};

/// The cluster's time decides which keys are expired. At feature level 1 one wrong clock could move
/// it ahead; at higher levels only a majority of wrong clocks can. A time that is ahead is
/// corrected automatically, but this takes eight times as long as the time is ahead. Until then,
/// deadlines that are given as a point in time (EXPIREAT) pass too early.
///
/// Correct the clocks first: the time is set back to the clocks of a majority. Deadlines do not
/// move: keys whose deadline has passed by the old time are lost, and keys that got a time to live
/// while the time was ahead live longer by that difference; set their time to live again.
#[derive(Debug, Args)]
pub(super) struct ResetTime {
    /// Do not ask for confirmation.
    #[arg(long)]
    yes: bool,
}

impl ResetTime {
    pub(super) async fn run(self, dialer: &Dialer, address: &str) -> Outcome {
        let mut admin = admin::connect(dialer, address).await?;
        if !self.yes {
            let request = ResetTimeRequest { check_only: true, ..ResetTimeRequest::default() };
            let found = admin.reset_time(request).await.map_err(admin::refused)?.into_inner();
            confirm(found.ahead_ms)?;
        }
        let request = ResetTimeRequest::default();
        let done = admin.reset_time(request).await.map_err(admin::refused)?.into_inner();
        output::line(format!("the cluster's time went back by {}", seconds(done.ahead_ms)));
        Ok(())
    }
}

fn confirm(ahead_ms: u64) -> Outcome {
    let ahead = seconds(ahead_ms);
    output::note(format!(
        "the cluster's time is {ahead} ahead of a majority's clocks. Setting it back moves no \
         deadline: keys\nthat got a time to live while it was ahead live longer by as much."
    ));
    if !std::io::stdin().is_terminal() {
        return Err(Failure::new("not confirmed").try_next("repeat the command with --yes"));
    }
    output::note("Type yes to set it back:");
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    if answer.trim() == "yes" { Ok(()) } else { Err(Failure::new("nothing was changed")) }
}

fn seconds(ms: u64) -> String {
    let days = ms / 86_400_000;
    let rest = Duration::from_millis(ms % 86_400_000);
    if days == 0 { format!("{rest:?}") } else { format!("{days} days and {rest:?}") }
}
