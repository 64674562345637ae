//! Adding members and changing their scores.

use bytes::Bytes;

use crate::commands::args::Args;
use crate::commands::declare::documentation::ArgumentName;
use crate::commands::declare::{Arity, Command, CommandResult, Flags, KeyUse, Keys, Run};
use crate::commands::run::WriteContext;
use crate::data::keyspace::{EventClass, Settings};
use crate::data::types::SortedSetValue;
use crate::data::types::sorted_set::Score;
use crate::resp::{Reply, ReplyError};

pub(super) const ZADD: Command = Command {
    name: "ZADD",
    summary: "Adds members to a sorted set or changes their scores.",
    since: "1.2.0",
    complexity: "O(N log M), N: members given, M: members of the sorted set",
    syntax: "key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]",
    arity: Arity::AtLeast(4),
    keys: Keys::First,
    key_uses: &[KeyUse::Update],
    flags: Flags::DENY_OOM.with(Flags::FAST),
    history: &[
        ("2.4.0", "Several members at once."),
        ("3.0.2", "XX, NX, CH and INCR."),
        ("6.2.0", "GT and LT."),
    ],
    argument_names: &[
        ArgumentName::group("nx", "condition"),
        ArgumentName::group("gt", "comparison"),
        ArgumentName::single("ch", "change"),
        ArgumentName::single("incr", "increment"),
        ArgumentName::group("score", "score_member"),
    ],
    run: Run::Write(zadd),
    ..Command::NEW
};

pub(super) const ZINCRBY: Command = Command {
    name: "ZINCRBY",
    summary: "Adds to the score of a member of a sorted set.",
    since: "1.2.0",
    complexity: "O(log N), N: members of the sorted set",
    syntax: "key increment member",
    arity: Arity::Exactly(4),
    keys: Keys::First,
    flags: Flags::DENY_OOM.with(Flags::FAST),
    run: Run::Write(zincrby),
    ..Command::NEW
};

/// Which scores are written, and what the reply is.
#[derive(Debug, Clone, Copy, Default)]
struct Options {
    only_new: bool,
    only_existing: bool,
    only_greater: bool,
    only_lower: bool,
    count_changed: bool,
    increment: bool,
}

impl Options {
    fn parse(args: &mut Args<'_>) -> Self {
        let mut options = Self::default();
        loop {
            let option = [
                ("NX", &mut options.only_new),
                ("XX", &mut options.only_existing),
                ("GT", &mut options.only_greater),
                ("LT", &mut options.only_lower),
                ("CH", &mut options.count_changed),
                ("INCR", &mut options.increment),
            ]
            .into_iter()
            .find_map(|(word, option)| args.keyword(word).then_some(option));
            let Some(option) = option else { return options };
            *option = true;
        }
    }

    /// Whether the outcome depends on the present score of a member.
    const fn needs_old_score(self) -> bool {
        self.only_new
            || self.only_existing
            || self.only_greater
            || self.only_lower
            || self.increment
    }

    /// `count` is the number of arguments after the options: scores and members.
    fn check(self, count: usize) -> Result<(), ReplyError> {
        let contradiction = |text| Err(ReplyError::new(text));
        if count == 0 || count % 2 == 1 {
            return Err(ReplyError::SYNTAX);
        }
        if self.only_new && self.only_existing {
            return contradiction("ERR XX and NX options at the same time are not compatible");
        }
        let ordered = [self.only_greater, self.only_lower, self.only_new];
        if ordered.into_iter().filter(|set| *set).count() > 1 {
            return contradiction(
                "ERR GT, LT, and/or NX options at the same time are not compatible",
            );
        }
        if self.increment && count > 2 {
            return contradiction("ERR INCR option supports a single increment-element pair");
        }
        Ok(())
    }
}

const NOT_A_NUMBER: ReplyError =
    ReplyError(std::borrow::Cow::Borrowed("ERR resulting score is not a number (NaN)"));

/// The result for one member.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Outcome {
    /// An option forbade it.
    Refused,
    /// Its score is the same as before.
    Same(f64),
    Added(f64),
    Changed(f64),
}

fn zadd(ctx: &mut WriteContext<'_>, mut args: Args<'_>) -> CommandResult {
    let key = args.next()?;
    let options = Options::parse(&mut args);
    options.check(args.len())?;
    add(ctx, key, args, options)
}

fn zincrby(ctx: &mut WriteContext<'_>, mut args: Args<'_>) -> CommandResult {
    let key = args.next()?;
    add(ctx, key, args, Options { increment: true, ..Options::default() })
}

fn add(
    ctx: &mut WriteContext<'_>,
    key: &Bytes,
    mut args: Args<'_>,
    options: Options,
) -> CommandResult {
    let mut members = Vec::with_capacity(args.len() / 2);
    while !args.is_empty() {
        members.push((args.float()?, args.next()?));
    }
    if ctx.get::<SortedSetValue>(key)?.is_none() && options.only_existing {
        return Ok(if options.increment { Reply::Null } else { Reply::Integer(0) });
    }
    let settings = ctx.settings().clone();
    let set = ctx.get_or_create::<SortedSetValue>(key)?;
    // As in Redis, only a new sorted set is prepared for long members, and only for the first one.
    let first = members.first().filter(|_| set.is_empty());
    set.expect(members.len(), first.map_or(0, |(_, member)| member.len()), &settings);
    let mut outcomes = Vec::with_capacity(members.len());
    for (score, member) in members {
        // An error is possible only for the single member of an increment, before any change.
        outcomes.push(add_one(set, score, member, options, &settings)?);
    }
    let added = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Added(_))).count();
    let changed = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Changed(_))).count();
    if added + changed > 0 {
        let event = if options.increment { "zincr" } else { "zadd" };
        ctx.changed(key, (EventClass::SortedSet, event));
    }
    Ok(match outcomes.as_slice() {
        [Outcome::Refused] if options.increment => Reply::Null,
        [Outcome::Same(score) | Outcome::Added(score) | Outcome::Changed(score)]
            if options.increment =>
        {
            Reply::Double(*score)
        }
        _ if options.count_changed => Reply::count(added + changed),
        _ => Reply::count(added),
    })
}

fn add_one(
    set: &mut SortedSetValue,
    number: f64,
    member: &Bytes,
    options: Options,
    settings: &Settings,
) -> Result<Outcome, ReplyError> {
    if !options.needs_old_score() {
        let score = Score::new(number).ok_or(NOT_A_NUMBER)?;
        return Ok(match set.insert(member, score, settings) {
            None => Outcome::Added(number),
            Some(old) if old == score => Outcome::Same(number),
            Some(_) => Outcome::Changed(number),
        });
    }
    let old = set.score(member).map(Score::get);
    let new = match old {
        Some(_) if options.only_new => return Ok(Outcome::Refused),
        None if options.only_existing => return Ok(Outcome::Refused),
        Some(old) if options.increment => old + number,
        _ => number,
    };
    let score = Score::new(new).ok_or(NOT_A_NUMBER)?;
    match old {
        Some(old) if options.only_greater && new <= old => return Ok(Outcome::Refused),
        Some(old) if options.only_lower && new >= old => return Ok(Outcome::Refused),
        Some(old) if old == new => return Ok(Outcome::Same(new)),
        _ => {}
    }
    set.insert(member, score, settings);
    Ok(if old.is_some() { Outcome::Changed(new) } else { Outcome::Added(new) })
}
