//! Values in the format of Redis's files, to move them between servers.

use bytes::Bytes;

use crate::commands::args::Args;
use crate::commands::declare::documentation::tips;
use crate::commands::declare::{Arity, Command, CommandResult, Flags, KeyUse, Keys, Run};
use crate::commands::run::{Expiry, ReadContext, WriteContext};
use crate::data::keyspace::EventClass;
use crate::data::types::dump::{self, RestoreError};
use crate::resp::{Reply, ReplyError};

pub(super) const DUMP: Command = Command {
    name: "DUMP",
    summary: "Returns what a key holds in the format that RESTORE takes.",
    since: "2.6.0",
    complexity: "O(N) where N is the size of the value",
    syntax: "key",
    arity: Arity::Exactly(2),
    keys: Keys::First,
    tips: tips::VARIES,
    run: Run::Read(dump),
    ..Command::NEW
};

fn dump(ctx: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    let object = ctx.object(args.next()?);
    Ok(Reply::optional(object.map(|object| Bytes::from(dump::dump(&object.value)))))
}

pub(super) const RESTORE: Command = Command {
    name: "RESTORE",
    summary: "Makes a key from what DUMP returned, here or on a Redis server.",
    since: "2.6.0",
    complexity: "O(N) where N is the size of the value, O(N*log(N)) for a sorted set",
    syntax: "key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]",
    arity: Arity::AtLeast(4),
    keys: Keys::First,
    key_uses: &[KeyUse::Overwrite],
    flags: Flags::DENY_OOM.with(Flags::DANGEROUS),
    history: &[("3.0.0", "REPLACE."), ("5.0.0", "ABSTTL."), ("5.0.0", "IDLETIME and FREQ.")],
    run: Run::Write(restore),
    ..Command::NEW
};

pub(super) const RESTORE_ASKING: Command = Command {
    name: "RESTORE-ASKING",
    summary: "RESTORE, as servers say it to each other while they move slots.",
    since: "3.0.0",
    flags: RESTORE.flags.with(Flags::INTERNAL),
    group: Some("server"),
    ..RESTORE
};

fn restore(ctx: &mut WriteContext<'_>, mut args: Args<'_>) -> CommandResult {
    let [key, ttl, payload] = args.take(3)? else { return Err(ReplyError::SYNTAX) };
    let options = Options::parse(args)?;
    if !options.replace && ctx.object(key).is_some() {
        return Err(ReplyError::new("BUSYKEY Target key name already exists."));
    }
    let ttl_ms = Args::new(std::slice::from_ref(ttl)).integer()?;
    let ttl_ms = not_negative(ttl_ms, "TTL")?;
    let value = dump::restore(payload, ctx.settings()).map_err(|error| match error {
        RestoreError::Footer => ReplyError::new("ERR DUMP payload version or checksum are wrong"),
        RestoreError::Content => ReplyError::new("ERR Bad data format"),
    })?;
    let now_ms = ctx.now_ms();
    let deadline_ms = match (ttl_ms, options.absolute) {
        (0, _) => None,
        (ttl_ms, true) => Some(ttl_ms),
        (ttl_ms, false) => Some(now_ms.saturating_add(ttl_ms)),
    };
    if deadline_ms.is_some_and(|deadline_ms| deadline_ms <= now_ms) {
        if ctx.remove(key).is_some() {
            ctx.notify(key, (EventClass::Generic, "del"));
        }
        return Ok(Reply::OK);
    }
    let expiry = deadline_ms.map_or(Expiry::Clear, Expiry::At);
    ctx.put(key, value, expiry, (EventClass::Generic, "restore"));
    options.stamp(ctx, key);
    Ok(Reply::OK)
}

#[derive(Debug, Default)]
struct Options {
    replace: bool,
    absolute: bool,
    idle_seconds: Option<u64>,
    frequency: Option<u8>,
}

impl Options {
    fn parse(mut args: Args<'_>) -> Result<Self, ReplyError> {
        let mut options = Self::default();
        while !args.is_empty() {
            let more = args.len() > 1;
            if args.keyword("REPLACE") {
                options.replace = true;
            } else if args.keyword("ABSTTL") {
                options.absolute = true;
            } else if more && options.frequency.is_none() && args.keyword("IDLETIME") {
                options.idle_seconds = Some(not_negative(args.integer()?, "IDLETIME")?);
            } else if more && options.idle_seconds.is_none() && args.keyword("FREQ") {
                let text = "ERR Invalid FREQ value, must be >= 0 and <= 255";
                let frequency = u8::try_from(args.integer()?);
                options.frequency = Some(frequency.map_err(|_| ReplyError::new(text))?);
            } else {
                return Err(ReplyError::SYNTAX);
            }
        }
        Ok(options)
    }

    /// Gives a restored key the access statistics of its source.
    fn stamp(&self, ctx: &WriteContext<'_>, key: &[u8]) {
        let (rule, now_ms) = (ctx.settings().access_rule(), ctx.now_ms());
        let idle = self.idle_seconds.and_then(|seconds| rule.idle_stamp(now_ms, seconds));
        let frequency = self.frequency.and_then(|count| rule.frequency_stamp(now_ms, count));
        if let (Some(object), Some(stamp)) = (ctx.peek(key), idle.or(frequency)) {
            object.set_access(stamp);
        }
    }
}

fn not_negative(number: i64, name: &str) -> Result<u64, ReplyError> {
    let refused = || ReplyError::new(format!("ERR Invalid {name} value, must be >= 0"));
    u64::try_from(number).map_err(|_| refused())
}

#[cfg(test)]
#[path = "dump_test.rs"]
mod tests;
