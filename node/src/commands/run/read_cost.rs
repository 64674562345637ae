//! How much a read may examine, estimated before it runs: a read that takes long runs on a
//! snapshot and lets writers in.

use bytes::Bytes;

use crate::base::ids::DatabaseId;
use crate::commands::args::parse_integer;
use crate::commands::declare::{Command, Flags, Keys, ReadCost, Run};
use crate::data::keyspace::{Database, Keyspace};
use crate::data::types::Value;

/// Bytes of a string that count as one element.
const STRING_BYTES_PER_ELEMENT: u64 = 64;

/// How many elements, or 64 bytes of strings, the command examines at most. Cheap: it uses the
/// sizes of values, and does not read them.
pub fn read_cost(
    command: &Command,
    argv: &[Bytes],
    keyspace: &Keyspace,
    database: DatabaseId,
) -> u64 {
    // A command with many arguments reads something for each.
    let at_least = argv.len() as u64;
    if command.flags.has(Flags::FAST) || !matches!(command.run, Run::Read(_)) {
        return at_least;
    }
    let database = keyspace.database(database);
    let values = || sizes(command, argv, database, elements).fold(0, u64::saturating_add);
    let asked_for = |count: Option<u64>| count.map_or_else(values, |count| count.min(values()));
    let cost = match command.cost {
        ReadCost::Values => values(),
        ReadCost::Arguments => 0,
        ReadCost::Range if is_by_rank(argv) => asked_for(between(argv)),
        ReadCost::Range | ReadCost::Limit => asked_for(limit(argv)),
        ReadCost::Scan => {
            let count = option(argv, b"COUNT").unwrap_or(10);
            if matches!(command.keys, Keys::None) { count } else { asked_for(Some(count)) }
        }
        ReadCost::Sample => asked_for(match argv.get(2) {
            None => Some(1),
            Some(count) => parse_integer(count).map(i64::unsigned_abs),
        }),
        ReadCost::Product => {
            let mut bytes = sizes(command, argv, database, string_bytes);
            let first = bytes.next().unwrap_or(0);
            first.saturating_mul(bytes.next().unwrap_or(0)) / STRING_BYTES_PER_ELEMENT
        }
        ReadCost::Database => database.len() as u64,
        ReadCost::Keyspace => {
            keyspace.databases().map(|(_, database)| database.memory_bytes() as u64).sum()
        }
    };
    cost.max(at_least)
}

/// The size of the value of each key.
fn sizes<'a>(
    command: &Command,
    argv: &'a [Bytes],
    database: &'a Database,
    size: impl Fn(&Value) -> u64 + 'a,
) -> impl Iterator<Item = u64> {
    let keys = command.keys.positions(argv).unwrap_or_default();
    let values = keys.into_iter().filter_map(|at| argv.get(at));
    // An expired value counts: the read ignores it, so the estimate is only too high.
    values.map(move |key| database.find(key, 0).map_or(0, |object| size(&object.value)))
}

fn elements(value: &Value) -> u64 {
    match value {
        Value::String(string) => string.len() as u64 / STRING_BYTES_PER_ELEMENT,
        Value::List(list) => list.len() as u64,
        Value::Set(set) => set.len() as u64,
        Value::SortedSet(set) => set.len() as u64,
        Value::Hash(hash) => hash.len() as u64,
    }
}

fn string_bytes(value: &Value) -> u64 {
    match value {
        Value::String(string) => string.len() as u64,
        _ => 0,
    }
}

/// Whether `start` and `stop` are ranks: ZRANGE without BYSCORE and BYLEX, and its relatives.
fn is_by_rank(argv: &[Bytes]) -> bool {
    let is = |arg: &Bytes, keyword: &[u8]| arg.eq_ignore_ascii_case(keyword);
    !argv.iter().skip(4).any(|arg| is(arg, b"BYSCORE") || is(arg, b"BYLEX"))
}

/// From `start` to `stop`, where both count from the same end.
fn between(argv: &[Bytes]) -> Option<u64> {
    let (start, stop) = (parse_integer(argv.get(2)?)?, parse_integer(argv.get(3)?)?);
    let same_end = (start < 0) == (stop < 0);
    same_end.then(|| stop.saturating_sub(start).saturating_add(1).try_into().unwrap_or(0))
}

/// `LIMIT offset count`
fn limit(argv: &[Bytes]) -> Option<u64> {
    let at = argv.iter().position(|arg| arg.eq_ignore_ascii_case(b"LIMIT"))?;
    let (offset, count) = (parse_integer(argv.get(at + 1)?)?, parse_integer(argv.get(at + 2)?)?);
    (offset >= 0 && count >= 0).then(|| offset.saturating_add(count).unsigned_abs())
}

/// The number after a keyword.
fn option(argv: &[Bytes], keyword: &[u8]) -> Option<u64> {
    let at = argv.iter().position(|arg| arg.eq_ignore_ascii_case(keyword))?;
    u64::try_from(parse_integer(argv.get(at + 1)?)?).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::commands::table;
    use crate::commands::testing::TestDatabase;

    fn cost(db: &TestDatabase, line: &str) -> u64 {
        let argv: Vec<Bytes> = line.split(' ').map(|arg| Bytes::from(arg.to_owned())).collect();
        read_cost(table::find(&argv).unwrap().command, &argv, &db.keyspace, DatabaseId(0))
    }

    #[test]
    fn the_cost_of_a_read_follows_from_sizes_and_arguments() {
        let mut db = TestDatabase::new();
        for number in 0..300 {
            let number = number.to_string();
            db.run(["RPUSH", "list", &number]);
            db.run(["SADD", "set", &number]);
            db.run(["HSET", "hash", &number, "v"]);
            db.run(["ZADD", "sorted", &number, &number]);
        }
        db.run(["SET", "text", &"x".repeat(6400)]);
        for (line, expected) in [
            ("LRANGE list 0 -1", 300),
            ("LRANGE list 0 9", 10),
            ("LRANGE list -9 -1", 9),
            ("SMEMBERS set", 300),
            ("SINTER set set", 600),
            ("HGETALL hash", 300),
            ("HVALS hash", 300),
            ("ZRANGE sorted 0 -1", 300),
            ("ZRANGE sorted 5 20", 16),
            ("ZRANGE sorted 0 5 BYSCORE", 300),
            ("ZRANGEBYSCORE sorted 0 200 LIMIT 5 7", 12),
            ("ZUNION 2 sorted sorted", 600),
            ("SSCAN set 0", 10),
            ("SSCAN set 0 COUNT 1000", 300),
            ("SRANDMEMBER set", 2),
            ("GETRANGE text 0 -1", 100),
            ("LCS text text", 6400 * 100),
            ("KEYS *", 5),
            ("SCAN 0 COUNT 1000000", 1_000_000),
            ("GET text", 2),
            ("SMEMBERS nothing", 2),
        ] {
            assert_eq!(cost(&db, line), expected, "{line}");
        }
        assert!(cost(&db, "DEBUG DIGEST") > 5000);
    }
}
