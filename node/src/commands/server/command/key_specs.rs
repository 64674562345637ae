//! Key specifications: where keys begin and how they are found, as in Redis 7.

use crate::commands::declare::{Command, Keys};
use crate::resp::Reply;

/// One map for each position where keys begin.
pub(super) fn specs(command: &Command) -> Vec<Reply> {
    match command.keys {
        Keys::None => Vec::new(),
        Keys::First => vec![spec(command, 0, at(1), range(0, 1))],
        Keys::Range { first, last, step } => {
            ranges(command, first.into(), last.into(), step.into())
        }
        Keys::Counted { at: count, also } => {
            let mut specs = Vec::new();
            if let Some(key) = also {
                specs.push(spec(command, 0, at(key.into()), range(0, 1)));
            }
            let index = specs.len();
            specs.push(spec(command, index, at(count.into()), counted()));
            specs
        }
    }
}

/// Keys that are used in different ways have different specifications.
fn ranges(command: &Command, first: i64, last: i64, step: i64) -> Vec<Reply> {
    let relative = if last < 0 { last } else { last - first };
    let same_use = command.key_use(0).words() == command.key_use(1).words();
    if same_use || last == first {
        return vec![spec(command, 0, at(first), range(relative, step))];
    }
    let rest = if last < 0 { last } else { last - first - 1 };
    vec![
        spec(command, 0, at(first), range(0, 1)),
        spec(command, 1, at(first + step), range(rest, step)),
    ]
}

fn spec(command: &Command, key: usize, begin: Reply, find: Reply) -> Reply {
    let flags = command.key_use(key).words().split(' ').map(Reply::Status).collect();
    Reply::Map(vec![
        (Reply::bulk("flags"), Reply::Set(flags)),
        (Reply::bulk("begin_search"), begin),
        (Reply::bulk("find_keys"), find),
    ])
}

fn at(index: i64) -> Reply {
    typed("index", &[("index", index)])
}

fn range(last: i64, step: i64) -> Reply {
    typed("range", &[("lastkey", last), ("keystep", step), ("limit", 0)])
}

fn counted() -> Reply {
    typed("keynum", &[("keynumidx", 0), ("firstkey", 1), ("keystep", 1)])
}

fn typed(kind: &'static str, fields: &[(&'static str, i64)]) -> Reply {
    let fields = fields.iter().map(|(name, value)| (Reply::bulk(name), Reply::Integer(*value)));
    Reply::Map(vec![
        (Reply::bulk("type"), Reply::bulk(kind)),
        (Reply::bulk("spec"), Reply::Map(fields.collect())),
    ])
}
