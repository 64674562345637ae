//! SAVE, BGSAVE, BGREWRITEAOF, LASTSAVE, which are about checkpoints here, and SHUTDOWN.

use crate::commands::args::Args;
use crate::commands::declare::container::at_once;
use crate::commands::declare::documentation::{ArgumentName, tips};
use crate::commands::declare::{Arity, Command, CommandResult, Flags, NodeFuture, Run};
use crate::commands::run::NodeContext;
use crate::resp::{Reply, ReplyError};

const FLAGS: Flags = Flags::ADMIN.with(Flags::NO_SCRIPT);

/// The common fields of the commands about checkpoints.
const BASE: Command = Command {
    since: "1.0.0",
    complexity: "O(N) where N is the total number of keys in all databases",
    flags: FLAGS,
    ..Command::NEW
};

pub(super) const SAVE: Command = Command {
    name: "SAVE",
    summary: "Writes a checkpoint and waits for it; other clients continue.",
    arity: Arity::Exactly(1),
    flags: FLAGS.with(Flags::NO_MULTI),
    run: Run::Node(save),
    ..BASE
};

pub(super) const BGSAVE: Command = Command {
    name: "BGSAVE",
    summary: "Writes a checkpoint in the background.",
    syntax: "[SCHEDULE]",
    arity: Arity::AtLeast(1),
    history: &[("3.2.2", "SCHEDULE.")],
    run: Run::Node(save_in_background),
    ..BASE
};

pub(super) const BGREWRITEAOF: Command = Command {
    name: "BGREWRITEAOF",
    summary: "Writes a checkpoint in the background, so that the log behind it can go.",
    arity: Arity::Exactly(1),
    run: Run::Node(rewrite_log),
    ..BASE
};

pub(super) const LASTSAVE: Command = Command {
    name: "LASTSAVE",
    summary: "Returns when the last checkpoint was finished, Unix seconds.",
    arity: Arity::Exactly(1),
    flags: Flags::FAST.with(Flags::LOADING).with(Flags::STALE).with(Flags::ADMIN_CATEGORY),
    tips: tips::VARIES,
    run: at_once!(last_save),
    ..BASE
};

pub(super) const SHUTDOWN: Command = Command {
    name: "SHUTDOWN",
    summary: "Hands leadership over and stops this node in order.",
    syntax: "[NOSAVE | SAVE] [NOW] [FORCE] [ABORT]",
    arity: Arity::AtLeast(1),
    flags: FLAGS.with(Flags::LOADING).with(Flags::STALE).with(Flags::NO_MULTI),
    history: &[("7.0.0", "NOW, FORCE and ABORT.")],
    argument_names: &[ArgumentName::group("nosave", "nosave_save")],
    run: at_once!(shut_down),
    ..BASE
};

fn save<'a>(context: &'a NodeContext<'a>, _: Args<'a>) -> NodeFuture<'a> {
    Box::pin(async move {
        if context.node.cluster.status().checkpoint_running {
            return Err(ReplyError::new("ERR Background save already in progress"));
        }
        context.node.storage.checkpoint_now().await?;
        Ok(Reply::OK)
    })
}

/// A checkpoint in the background cannot report a failure later, so it is refused before.
fn refuse_without_disk_space(context: &NodeContext<'_>) -> Result<(), ReplyError> {
    if context.node.cluster.status().checkpoint_no_room {
        let text = "ERR too little disk space for a checkpoint; free some, and it is written \
                    automatically";
        return Err(ReplyError::new(text));
    }
    Ok(())
}

fn save_in_background<'a>(context: &'a NodeContext<'a>, mut args: Args<'a>) -> NodeFuture<'a> {
    Box::pin(async move {
        let scheduled = args.keyword("SCHEDULE");
        args.end()?;
        if context.node.cluster.status().checkpoint_running && !scheduled {
            return Err(ReplyError::new("ERR Background save already in progress"));
        }
        refuse_without_disk_space(context)?;
        context.node.storage.begin_checkpoint();
        Ok(Reply::Status("Background saving started"))
    })
}

fn rewrite_log<'a>(context: &'a NodeContext<'a>, _: Args<'a>) -> NodeFuture<'a> {
    Box::pin(async move {
        if context.node.cluster.status().checkpoint_running {
            let text = "ERR Background append only file rewriting already in progress";
            return Err(ReplyError::new(text));
        }
        refuse_without_disk_space(context)?;
        context.node.storage.begin_checkpoint();
        Ok(Reply::Status("Background append only file rewriting started"))
    })
}

fn last_save(context: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    Ok(Reply::Integer((context.node.cluster.status().checkpoint_at_ms / 1000).cast_signed()))
}

/// Every acknowledged write is on disk already, so SAVE and NOSAVE do the same.
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
    context.node.shutdown.stop();
    // Redis does not reply either: the connection closes when the node stops.
    Ok(Reply::Nothing)
}
