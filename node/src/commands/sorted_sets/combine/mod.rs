//! Commands on several sorted sets or sets.

mod algebra;
mod options;
mod source;

use super::range;
use super::reply::members_reply;
use crate::commands::args::Args;
use crate::commands::declare::{Arity, Command, CommandResult, Flags, KeyUse, Keys, Run};
use crate::commands::run::{ReadContext, WriteContext};
use crate::data::types::SortedSetValue;
use crate::data::types::sorted_set::Scored;
use crate::resp::Reply;
use options::{AllowedOptions, Request};

const READ_KEYS: Keys = Keys::Counted { at: 1, also: None };
const STORE_KEYS: Keys = Keys::Counted { at: 2, also: Some(1) };

pub(super) const ZUNION: Command = Command {
    name: "ZUNION",
    summary: "Returns the members that any of several sorted sets has.",
    since: "6.2.0",
    complexity: "O(N + M log M), N: members of all inputs, M: members of the result",
    syntax: "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>] \
             [WITHSCORES]",
    arity: Arity::AtLeast(3),
    keys: READ_KEYS,
    run: Run::Read(|ctx, args| read(ctx, args, ZUNION.name, Operation::Union)),
    ..Command::NEW
};

pub(super) const ZUNIONSTORE: Command = Command {
    name: "ZUNIONSTORE",
    summary: "Stores the members that any of several sorted sets has.",
    since: "2.0.0",
    complexity: "O(N + M log M), N: members of all inputs, M: members of the result",
    syntax: "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] \
             [AGGREGATE <SUM | MIN | MAX>]",
    arity: Arity::AtLeast(4),
    keys: STORE_KEYS,
    key_uses: &[KeyUse::Overwrite, KeyUse::Read],
    flags: Flags::DENY_OOM,
    run: Run::Write(|ctx, args| store(ctx, args, ZUNIONSTORE.name, Operation::Union)),
    ..Command::NEW
};

pub(super) const ZINTER: Command = Command {
    name: "ZINTER",
    summary: "Returns the members that all of several sorted sets have.",
    since: "6.2.0",
    complexity: "O(N*K log M), N: members of the smallest of K inputs, M: of the largest",
    syntax: "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>] \
             [WITHSCORES]",
    arity: Arity::AtLeast(3),
    keys: READ_KEYS,
    run: Run::Read(|ctx, args| read(ctx, args, ZINTER.name, Operation::Intersection)),
    ..Command::NEW
};

pub(super) const ZINTERSTORE: Command = Command {
    name: "ZINTERSTORE",
    summary: "Stores the members that all of several sorted sets have.",
    since: "2.0.0",
    complexity: "O(N*K log M), N: members of the smallest of K inputs, M: of the largest",
    syntax: "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] \
             [AGGREGATE <SUM | MIN | MAX>]",
    arity: Arity::AtLeast(4),
    keys: STORE_KEYS,
    key_uses: &[KeyUse::Overwrite, KeyUse::Read],
    flags: Flags::DENY_OOM,
    run: Run::Write(|ctx, args| store(ctx, args, ZINTERSTORE.name, Operation::Intersection)),
    ..Command::NEW
};

pub(super) const ZINTERCARD: Command = Command {
    name: "ZINTERCARD",
    summary: "Returns the number of members that all of several sorted sets have.",
    since: "7.0.0",
    complexity: "O(N*K log M), N: members of the smallest of K inputs, M: of the largest",
    syntax: "numkeys key [key ...] [LIMIT limit]",
    arity: Arity::AtLeast(3),
    keys: READ_KEYS,
    run: Run::Read(zintercard),
    ..Command::NEW
};

pub(super) const ZDIFF: Command = Command {
    name: "ZDIFF",
    summary: "Returns the members of a sorted set that none of several others has.",
    since: "6.2.0",
    complexity: "O(N log M), N: members of all inputs, M: members of the largest",
    syntax: "numkeys key [key ...] [WITHSCORES]",
    arity: Arity::AtLeast(3),
    keys: READ_KEYS,
    run: Run::Read(|ctx, args| read(ctx, args, ZDIFF.name, Operation::Difference)),
    ..Command::NEW
};

pub(super) const ZDIFFSTORE: Command = Command {
    name: "ZDIFFSTORE",
    summary: "Stores the members of a sorted set that none of several others has.",
    since: "6.2.0",
    complexity: "O(N log M), N: members of all inputs, M: members of the largest",
    syntax: "destination numkeys key [key ...]",
    arity: Arity::AtLeast(4),
    keys: STORE_KEYS,
    key_uses: &[KeyUse::Overwrite, KeyUse::Read],
    flags: Flags::DENY_OOM,
    run: Run::Write(|ctx, args| store(ctx, args, ZDIFFSTORE.name, Operation::Difference)),
    ..Command::NEW
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Union,
    Intersection,
    Difference,
}

impl Operation {
    const fn allowed_options(self) -> AllowedOptions {
        match self {
            Self::Union | Self::Intersection => AllowedOptions::Scores,
            Self::Difference => AllowedOptions::None,
        }
    }

    const fn stored(self) -> &'static str {
        match self {
            Self::Union => "zunionstore",
            Self::Intersection => "zinterstore",
            Self::Difference => "zdiffstore",
        }
    }

    fn run(self, request: Request<'_>) -> Vec<Scored> {
        match self {
            Self::Union => algebra::union(request.inputs, request.aggregate),
            Self::Intersection => {
                algebra::intersection(request.inputs, request.aggregate, usize::MAX)
            }
            Self::Difference => algebra::difference(&request.inputs),
        }
    }
}

fn read(ctx: &ReadContext<'_>, args: Args<'_>, name: &str, operation: Operation) -> CommandResult {
    let request = Request::parse(ctx, args, name, operation.allowed_options(), true)?;
    let with_scores = request.with_scores;
    let mut members = operation.run(request);
    members.sort_unstable_by(|a, b| (a.score, &a.member).cmp(&(b.score, &b.member)));
    Ok(members_reply(members.iter(), with_scores))
}

fn store(
    ctx: &mut WriteContext<'_>,
    mut args: Args<'_>,
    name: &str,
    operation: Operation,
) -> CommandResult {
    let key = args.next()?;
    let members = {
        let request = Request::parse(&ctx.read(), args, name, operation.allowed_options(), false)?;
        operation.run(request)
    };
    let result = SortedSetValue::from_distinct(members, ctx.settings());
    Ok(range::store(ctx, key, result, operation.stored()))
}

fn zintercard(ctx: &ReadContext<'_>, args: Args<'_>) -> CommandResult {
    let request = Request::parse(ctx, args, ZINTERCARD.name, AllowedOptions::Limit, false)?;
    let members = algebra::intersection(request.inputs, request.aggregate, request.limit);
    Ok(Reply::count(members.len()))
}

#[cfg(test)]
#[path = "combine_test.rs"]
mod tests;
