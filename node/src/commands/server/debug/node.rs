//! DEBUG about the node: SLEEP, RELOAD, LOADAOF, SET-ACTIVE-EXPIRE, LOG, STRINGMATCH-LEN.

use std::time::Duration;

use crate::base::limits::{BULK_BYTES_MAX, DEBUG_SLEEP_MAX};
use crate::commands::args::Args;
use crate::commands::args::glob::glob;
use crate::commands::declare::{CommandResult, NodeFuture};
use crate::commands::run::NodeContext;
use crate::data::types::pattern::Case;
use crate::resp::{Reply, ReplyError};

/// For settings of Redis that test suites use and that have no counterpart here.
pub(super) fn no_op(_: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    Ok(Reply::OK)
}

/// Only this connection waits; in Redis all of them would wait.
pub(super) fn sleep<'a>(_: &'a NodeContext<'a>, mut args: Args<'a>) -> NodeFuture<'a> {
    Box::pin(async move {
        let duration =
            Duration::try_from_secs_f64(args.float()?).map_err(|_| ReplyError::OUT_OF_RANGE)?;
        tokio::time::sleep(duration.min(DEBUG_SLEEP_MAX)).await;
        Ok(Reply::OK)
    })
}

/// The node always loads a checkpoint of everything acknowledged, so Redis's options have no
/// effect.
pub(super) fn reload<'a>(context: &'a NodeContext<'a>, mut args: Args<'a>) -> NodeFuture<'a> {
    Box::pin(async move {
        while !args.is_empty() {
            if !["MERGE", "NOFLUSH", "NOSAVE"].iter().any(|option| args.keyword(option)) {
                let text = "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.";
                return Err(ReplyError::new(text));
            }
        }
        context.node.cluster.read_barrier().await?;
        context.node.storage.reload().await?;
        Ok(Reply::OK)
    })
}

pub(super) fn load_log<'a>(context: &'a NodeContext<'a>, _: Args<'a>) -> NodeFuture<'a> {
    Box::pin(async move {
        context.node.cluster.read_barrier().await?;
        Ok(Reply::OK)
    })
}

pub(super) fn set_active_expire<'a>(
    context: &'a NodeContext<'a>,
    mut args: Args<'a>,
) -> NodeFuture<'a> {
    Box::pin(async move {
        let value = if args.integer()? == 0 { "no" } else { "yes" };
        context.node.cluster.change_parameters(&[("active-expire", value.as_bytes())]).await?;
        Ok(Reply::OK)
    })
}

pub(super) fn log(_: &NodeContext<'_>, mut args: Args<'_>) -> CommandResult {
    let message = String::from_utf8_lossy(args.next()?).into_owned();
    tracing::warn!(%message, "DEBUG LOG");
    Ok(Reply::OK)
}

pub(super) fn match_long_text(_: &NodeContext<'_>, mut args: Args<'_>) -> CommandResult {
    let length = usize::try_from(args.integer()?).ok().filter(|length| *length <= BULK_BYTES_MAX);
    let text = vec![b'a'; length.ok_or(ReplyError::OUT_OF_RANGE)?];
    Ok(Reply::flag(glob(args.next()?, Case::Sensitive)?.matches(&text)))
}
