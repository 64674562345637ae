//! Key specifications: where keys begin and how they are found, as Redis 7 tells it.

use super::key_flags;
use crate::commands::command::Keys;
use crate::commands::table::Resolved;
use crate::resp::Reply;

/// One map for each place where keys begin.
pub(super) fn specs(row: &Resolved) -> Vec<Reply> {
    match row.command.keys {
        Keys::None => Vec::new(),
        Keys::First => vec![spec(row, 0, at(1), range(0, 1))],
        Keys::Range { first, last, step } => ranges(row, first.into(), last.into(), step.into()),
        Keys::Counted { at: count, also } => {
            let mut specs = Vec::new();
            if let Some(place) = also {
                specs.push(spec(row, 0, at(place.into()), range(0, 1)));
            }
            let index = specs.len();
            specs.push(spec(row, index, at(count.into()), counted()));
            specs
        }
        Keys::Found(_) => vec![spec(row, 0, unknown(), unknown())],
    }
}

/// Keys that are used in different ways stand in different specifications.
fn ranges(row: &Resolved, first: i64, last: i64, step: i64) -> Vec<Reply> {
    let relative = if last < 0 { last } else { last - first };
    if !key_flags::differ(row) || last == first {
        return vec![spec(row, 0, at(first), range(relative, step))];
    }
    let rest = if last < 0 { last } else { last - first - 1 };
    vec![spec(row, 0, at(first), range(0, 1)), spec(row, 1, at(first + step), range(rest, step))]
}

fn spec(row: &Resolved, key: usize, begin: Reply, find: Reply) -> Reply {
    let flags = key_flags::flags_of(row, key).split(' ').map(Reply::Status).collect();
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

fn unknown() -> Reply {
    typed("unknown", &[])
}

fn typed(kind: &'static str, fields: &[(&'static str, i64)]) -> Reply {
    let fields = fields.iter().map(|(name, value)| (Reply::bulk(name), Reply::Integer(*value)));
    Reply::Map(vec![
        (Reply::bulk("type"), Reply::bulk(kind)),
        (Reply::bulk("spec"), Reply::Map(fields.collect())),
    ])
}
