//! SAVE, BGSAVE, BGREWRITEAOF, LASTSAVE: a checkpoint in Redis' words. SHUTDOWN.

use super::at_once;
use crate::commands::args::Args;
use crate::commands::command::{Arity, Command, CommandResult, Flags, Keys, NodeFuture, Run};
use crate::commands::context::NodeContext;
use crate::resp::{Reply, ReplyError};

const FLAGS: Flags = Flags::ADMIN.with(Flags::NO_SCRIPT);

const fn command(
    name: &'static str,
    summary: &'static str,
    syntax: &'static str,
    arity: Arity,
    flags: Flags,
    run: Run,
) -> Command {
    let complexity = "O(N) where N is the total number of keys in all databases";
    Command {
        name,
        summary,
        since: "1.0.0",
        complexity,
        syntax,
        arity,
        keys: Keys::None,
        flags,
        run,
    }
}

pub(super) const SAVE: Command = command(
    "SAVE",
    "Writes a checkpoint and waits for it; other clients go on.",
    "",
    Arity::Exactly(1),
    FLAGS.with(Flags::NO_MULTI),
    Run::Node(save),
);

pub(super) const BGSAVE: Command = command(
    "BGSAVE",
    "Writes a checkpoint in the background.",
    "[SCHEDULE]",
    Arity::AtLeast(1),
    FLAGS,
    Run::Node(save_in_background),
);

pub(super) const BGREWRITEAOF: Command = command(
    "BGREWRITEAOF",
    "Writes a checkpoint in the background, so that the log behind it can go.",
    "",
    Arity::Exactly(1),
    FLAGS,
    Run::Node(rewrite_log),
);

pub(super) const LASTSAVE: Command = command(
    "LASTSAVE",
    "Returns when the last checkpoint was finished, Unix seconds.",
    "",
    Arity::Exactly(1),
    Flags::FAST.with(Flags::LOADING).with(Flags::STALE),
    at_once!(last_save),
);

pub(super) const SHUTDOWN: Command = command(
    "SHUTDOWN",
    "Hands leadership over and stops this node in order.",
    "[NOSAVE | SAVE] [NOW] [FORCE] [ABORT]",
    Arity::AtLeast(1),
    FLAGS.with(Flags::LOADING).with(Flags::STALE).with(Flags::NO_MULTI),
    at_once!(shut_down),
);

fn save<'a>(context: &'a NodeContext<'a>, _: Args<'a>) -> NodeFuture<'a> {
    Box::pin(async move {
        if context.node.status().checkpoint_running {
            return Err(ReplyError::new("ERR Background save already in progress"));
        }
        context.node.checkpoint_now().await?;
        Ok(Reply::OK)
    })
}

fn save_in_background<'a>(context: &'a NodeContext<'a>, mut args: Args<'a>) -> NodeFuture<'a> {
    Box::pin(async move {
        let scheduled = args.keyword("SCHEDULE");
        args.end()?;
        if context.node.status().checkpoint_running && !scheduled {
            return Err(ReplyError::new("ERR Background save already in progress"));
        }
        context.node.begin_checkpoint();
        Ok(Reply::Status("Background saving started"))
    })
}

fn rewrite_log<'a>(context: &'a NodeContext<'a>, _: Args<'a>) -> NodeFuture<'a> {
    Box::pin(async move {
        if context.node.status().checkpoint_running {
            let text = "ERR Background append only file rewriting already in progress";
            return Err(ReplyError::new(text));
        }
        context.node.begin_checkpoint();
        Ok(Reply::Status("Background append only file rewriting started"))
    })
}

fn last_save(context: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    Ok(Reply::Integer((context.node.status().checkpoint_at_ms / 1000).cast_signed()))
}

/// Every acknowledged write is on disk already, so SAVE and NOSAVE come to the same.
fn shut_down(context: &NodeContext<'_>, args: Args<'_>) -> CommandResult {
    let (mut save, mut no_save, mut abort) = (false, false, false);
    let mut rest = args;
    while !rest.is_empty() {
        if rest.keyword("SAVE") {
            save = true;
        } else if rest.keyword("NOSAVE") {
            no_save = true;
        } else if rest.keyword("ABORT") {
            abort = true;
        } else if !rest.keyword("NOW") && !rest.keyword("FORCE") {
            return Err(ReplyError::SYNTAX);
        }
    }
    if save && no_save || abort && args.len() > 1 {
        return Err(ReplyError::SYNTAX);
    }
    if abort {
        return Err(ReplyError::new("ERR No shutdown in progress."));
    }
    context.node.shut_down();
    // Redis does not answer either: the connection closes when the node stops.
    Ok(Reply::Nothing)
}
