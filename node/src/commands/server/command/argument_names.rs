//! Names and types of arguments in COMMAND DOCS where Redis' are not those that follow from the
//! syntax text: mostly of groups, which have no name there.

use crate::commands::syntax::{Argument, Kind};

/// What Redis calls an argument.
struct Correction {
    /// Whether it is a group of arguments.
    group: bool,
    /// The name that follows from the syntax text.
    from: &'static str,
    to: &'static str,
    /// `None` when the type is right.
    kind: Option<Kind>,
}

const fn group(from: &'static str, to: &'static str) -> Correction {
    Correction { group: true, from, to, kind: None }
}

const fn named(from: &'static str, to: &'static str) -> Correction {
    Correction { group: false, from, to, kind: None }
}

const fn typed(name: &'static str, kind: Kind) -> Correction {
    Correction { group: false, from: name, to: name, kind: Some(kind) }
}

const MIN: Correction = typed("min", Kind::Double);
const MAX: Correction = typed("max", Kind::Double);
const LIMIT: Correction = group("limit", "offset_count");
const PART: &[Correction] =
    &[group("left", "where"), group("before", "where"), group("min", "where")];

const CORRECTIONS: &[(&[&str], &[Correction])] = &[
    (&["client|caching"], &[group("yes", "mode")]),
    (
        &["client|kill"],
        &[
            group("ip:port", "filter"),
            group("client-id", "new-format"),
            group("type", "normal_master_slave_pubsub"),
        ],
    ),
    (&["client|list"], &[group("type", "normal_master_replica_pubsub")]),
    (&["client|no-evict"], &[group("on", "enabled")]),
    (&["client|pause"], &[group("write", "mode")]),
    (&["client|reply"], &[group("on", "on_off_skip")]),
    (&["client|tracking"], &[group("on", "status")]),
    (&["client|unblock"], &[group("timeout", "timeout_error")]),
    (&["cluster|keyslot"], &[typed("key", Kind::String)]),
    (&["config|set"], &[group("parameter", "parameter_value")]),
    (&["expire", "expireat", "pexpire", "pexpireat"], &[group("nx", "condition")]),
    (&["failover"], &[group("to", "target")]),
    (&["getex"], &[group("seconds", "expiration")]),
    (&["hello"], &[group("protover", "arguments"), group("auth", "username_password")]),
    (&["hincrbyfloat", "incrbyfloat"], &[typed("increment", Kind::Double)]),
    (&["hmset", "hset"], &[group("field", "field_value")]),
    (&["hrandfield", "zrandmember"], &[group("count", "options")]),
    (&["lcs"], &[Correction { kind: Some(Kind::Integer), ..named("min-match-len", "len") }]),
    (&["linsert", "lmpop", "zmpop"], PART),
    (&["lmove"], &[group("left", "wherefrom"), group("left", "whereto")]),
    (&["mset", "msetnx"], &[group("key", "key_value")]),
    (
        &["replicaof", "slaveof"],
        &[group("host", "args"), group("host", "host-port"), group("no", "no-one")],
    ),
    (&["set"], &[group("nx", "condition"), group("seconds", "expiration")]),
    (&["shutdown"], &[group("nosave", "nosave_save")]),
    (
        &["zadd"],
        &[
            group("nx", "condition"),
            group("gt", "comparison"),
            named("ch", "change"),
            named("incr", "increment"),
            group("score", "score_member"),
        ],
    ),
    (&["zcount", "zremrangebyscore"], &[MIN, MAX]),
    (
        &["zrange"],
        &[
            typed("start", Kind::String),
            typed("stop", Kind::String),
            group("byscore", "sortby"),
            LIMIT,
        ],
    ),
    (&["zrangestore"], &[group("byscore", "sortby"), LIMIT]),
    (&["zrangebylex", "zrevrangebylex"], &[LIMIT]),
    (&["zrangebyscore", "zrevrangebyscore"], &[MIN, MAX, LIMIT]),
];

fn corrections(command: &str) -> &'static [Correction] {
    let found = CORRECTIONS.iter().find(|(commands, _)| commands.contains(&command));
    found.map_or(&[], |(_, corrections)| corrections)
}

/// Gives the arguments of a command the names and types that Redis tells.
pub(super) fn correct(command: &str, arguments: &mut [Argument]) {
    let mut left: Vec<&Correction> = corrections(command).iter().collect();
    correct_all(&mut left, arguments);
}

/// Each correction is for the first argument that it fits, from left to right.
fn correct_all(left: &mut Vec<&Correction>, arguments: &mut [Argument]) {
    for argument in arguments {
        let fits = |correction: &&Correction| {
            correction.from == argument.name && correction.group != argument.children.is_empty()
        };
        if let Some(at) = left.iter().position(fits) {
            let correction = left.remove(at);
            correction.to.clone_into(&mut argument.name);
            argument.kind = correction.kind.unwrap_or(argument.kind);
        }
        correct_all(left, &mut argument.children);
    }
}
