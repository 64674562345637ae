#![allow(clippy::unwrap_used)]

use super::*;
use crate::commands::table;
use crate::commands::testing::TestDatabase;

const KB: u64 = 1000;

fn words(line: &str) -> Vec<Bytes> {
    line.split(' ').map(|arg| Bytes::from(arg.to_owned())).collect()
}

/// The estimates of the commands of one request.
fn estimates(db: &TestDatabase, lines: &[&str]) -> Vec<(u64, u64)> {
    let mut estimator = Estimator::new(Some(&db.keyspace));
    let next = |line: &&str| {
        let argv = words(line);
        let command = table::find(&argv).unwrap().command;
        let estimate = estimator.next(command, &argv, DatabaseId(0));
        (estimate.growth_bytes, estimate.cost)
    };
    lines.iter().map(next).collect()
}

fn filled() -> TestDatabase {
    let mut db = TestDatabase::new();
    for number in 0..1000 {
        let number = number.to_string();
        db.run(["SADD", "set", &number]);
        db.run(["ZADD", "sorted", &number, &number]);
        db.run(["RPUSH", "list", &number]);
    }
    db.run(["SADD", "small", "1", "2"]);
    db.run(["SET", "text", &"x".repeat(6400)]);
    db
}

fn bytes_of(db: &TestDatabase, key: &str) -> u64 {
    let object = db.keyspace.database(DatabaseId(0)).find(key.as_bytes(), 0).unwrap();
    object.value.heap_bytes() as u64
}

#[test]
fn what_a_write_may_add_follows_from_sizes_and_arguments() {
    let db = filled();
    let (set, small) = (bytes_of(&db, "set"), bytes_of(&db, "small"));
    let (sorted, text) = (bytes_of(&db, "sorted"), bytes_of(&db, "text"));
    for (line, expected) in [
        ("SET key value", 11),
        ("APPEND text 12345", 15),
        ("DEL text", 0),
        ("LREM list 0 5", 0),
        ("SETRANGE new 67000000 x", 67_000_001),
        ("SETRANGE text 10 x", 0),
        ("SETRANGE text 6400 xyz", 3),
        ("SETRANGE new 99999999999 x", 0),
        ("COPY set other", set),
        ("COPY text other", text),
        ("SUNIONSTORE d set small set", set + small),
        ("SINTERSTORE d set small", small.max(20)),
        ("SDIFFSTORE d set small", set),
        ("ZUNIONSTORE d 2 sorted sorted", sorted),
        ("ZINTERSTORE d 2 sorted small", small.max(24)),
        ("ZDIFFSTORE d 2 sorted small", sorted),
        ("ZRANGESTORE d sorted 0 99", sorted / 10),
        ("ZRANGESTORE d sorted -inf +inf BYSCORE", sorted),
    ] {
        assert_eq!(estimates(&db, &[line])[0].0, expected, "{line}");
    }
}

#[test]
fn how_long_a_write_takes_follows_from_sizes_and_arguments() {
    let db = filled();
    let repeated = " set".repeat(1000);
    for (line, expected) in [
        ("SADD set 1 2 3".to_owned(), 5),
        ("COPY set other".to_owned(), 3),
        ("LREM list 0 5".to_owned(), KB),
        ("LINSERT list BEFORE 5 6".to_owned(), KB),
        ("SUNIONSTORE d set small".to_owned(), KB + 2),
        (format!("SUNIONSTORE d{repeated}"), 1002),
        (format!("SINTERSTORE d{repeated}"), 1002),
        ("SINTERSTORE d set small".to_owned(), 4),
        (format!("SDIFFSTORE d{repeated}"), 2 * KB),
        (format!("ZUNIONSTORE d 1000{repeated}"), KB * KB),
        (format!("ZINTERSTORE d 1000{repeated}"), KB * KB),
        ("ZRANGESTORE d sorted 0 99".to_owned(), 100),
        ("SMEMBERS set".to_owned(), KB),
    ] {
        assert_eq!(estimates(&db, &[&line])[0].1, expected, "{line}");
    }
}

#[test]
fn a_command_uses_what_those_before_it_have_written() {
    let db = filled();
    let twice = estimates(&db, &["SETRANGE new 1000 x", "SETRANGE new 1001 xy"]);
    assert_eq!((twice[0].0, twice[1].0), (1001, 2));
    let chain = ["SUNIONSTORE a set small", "RENAME a b", "ZUNIONSTORE c 3 b b b", "SMEMBERS b"];
    let chain = estimates(&db, &chain);
    assert!(chain[2].1 >= 3 * KB && chain[3].1 >= KB, "{chain:?}");
    let added = estimates(&db, &["SADD fresh 1 2 3 4 5 6 7 8", "ZUNIONSTORE d 2 fresh fresh"]);
    assert!(added[1].1 >= 16, "{added:?}");
    let copied = estimates(&db, &["COPY set set DB 3", "COPY set other", "COPY other third"]);
    assert!(copied.iter().all(|estimate| estimate.0 == bytes_of(&db, "set")), "{copied:?}");
}

#[test]
fn a_payload_tells_what_it_unpacks_to() {
    let mut db = TestDatabase::new();
    db.run(["SET", "text", &"x".repeat(100_000)]);
    db.run(["RPUSH", "list", &"y".repeat(50_000), "2", "3"]);
    db.run(["HSET", "hash", "field", &"z".repeat(20_000)]);
    db.run(["ZADD", "sorted", "1.5", &"m".repeat(30_000)]);
    for (key, bytes) in [("text", 100_000), ("list", 50_002), ("hash", 20_005), ("sorted", 30_000)]
    {
        let object = db.keyspace.database(DatabaseId(0)).find(key.as_bytes(), 0).unwrap();
        let payload = dump::dump(&object.value);
        let mut argv = words("RESTORE new 0");
        argv.push(Bytes::from(payload));
        let command = table::find(&argv).unwrap().command;
        let mut estimator = Estimator::new(Some(&db.keyspace));
        let estimate = estimator.next(command, &argv, DatabaseId(0));
        let allowed = bytes..bytes + 100;
        assert!(allowed.contains(&estimate.growth_bytes), "{key}: {estimate:?}");
    }
}

/// Each command that stores what it finds in other keys must say so.
#[test]
fn every_write_that_reads_other_keys_and_needs_memory_declares_its_growth() {
    for row in table::rows() {
        let command = row.command;
        let reads = (0..3).any(|number| {
            matches!(command.key_use(number), crate::commands::declare::KeyUse::Read)
        });
        let is_write = matches!(command.run, Run::Write(_));
        let grows = is_write && reads && command.flags.has(Flags::DENY_OOM);
        assert!(!grows || command.growth != Growth::Arguments, "{}", row.full_name());
    }
}
