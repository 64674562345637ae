use crate::base::ids::DatabaseId;
use crate::commands::testing::{START_MS, TestDatabase};
use crate::resp::{Reply, ReplyError};

/// `SET k hello` on a real Redis.
const HELLO: &[u8] = b"\x00\x05hello\x0a\x00cr\xdfve4 \x0a";

fn restore(db: &mut TestDatabase, key: &str, ttl: &str, options: &[&str]) -> Reply {
    let mut argv = vec![&b"RESTORE"[..], key.as_bytes(), ttl.as_bytes(), HELLO];
    argv.extend(options.iter().map(|option| option.as_bytes()));
    db.run(argv)
}

fn refused(db: &mut TestDatabase, ttl: &str, options: &[&str], text: &'static str) {
    let expected = ReplyError::new(text).into();
    assert_eq!(restore(db, "k", ttl, options), expected, "{ttl} {options:?}");
}

fn deadline(db: &TestDatabase) -> Option<u64> {
    let database = db.keyspace.database(DatabaseId(0));
    database.find(b"k", START_MS).and_then(|object| object.expire_at_ms)
}

#[test]
fn what_is_dumped_can_be_restored_under_another_name() {
    let mut db = TestDatabase::new();
    assert_eq!(db.run(["DUMP", "h"]), Reply::Null);
    db.run(["HSET", "h", "f", "v", "n", "10"]);
    let Reply::Bulk(payload) = db.run(["DUMP", "h"]) else { unreachable!() };
    db.events();
    assert_eq!(db.run([&b"RESTORE"[..], b"copy", b"0", &payload]), Reply::OK);
    assert_eq!(db.run(["HGETALL", "copy"]), db.run(["HGETALL", "h"]));
    assert_eq!(db.events(), [("restore", "copy".to_owned())]);
}

#[test]
fn an_existing_key_is_kept_without_replace() {
    let mut db = TestDatabase::new();
    db.run(["SET", "k", "old"]);
    refused(&mut db, "0", &[], "BUSYKEY Target key name already exists.");
    refused(&mut db, "x", &[], "BUSYKEY Target key name already exists.");
    assert_eq!(restore(&mut db, "k", "0", &["REPLACE"]), Reply::OK);
    assert_eq!(db.run(["GET", "k"]), Reply::bulk("hello"));
}

#[test]
fn a_time_to_live_is_a_duration_or_a_moment() {
    let mut db = TestDatabase::new();
    restore(&mut db, "k", "0", &[]);
    assert_eq!(deadline(&db), None);
    restore(&mut db, "k", "500", &["replace"]);
    assert_eq!(deadline(&db), Some(START_MS + 500));
    let later = (START_MS + 7).to_string();
    restore(&mut db, "k", &later, &["REPLACE", "ABSTTL"]);
    assert_eq!(deadline(&db), Some(START_MS + 7));
    db.events();
    assert_eq!(restore(&mut db, "k", "5", &["REPLACE", "ABSTTL"]), Reply::OK);
    assert_eq!(db.run(["GET", "k"]), Reply::Null);
    assert_eq!(db.events(), [("del", "k".to_owned())]);
}

#[test]
fn idle_time_is_kept() {
    let mut db = TestDatabase::new();
    restore(&mut db, "k", "0", &["IDLETIME", "1000"]);
    assert_eq!(db.run(["OBJECT", "IDLETIME", "k"]), Reply::Integer(1000));
}

#[test]
fn bad_arguments_are_refused() {
    let mut db = TestDatabase::new();
    refused(&mut db, "-1", &[], "ERR Invalid TTL value, must be >= 0");
    refused(&mut db, "x", &[], "ERR value is not an integer or out of range");
    refused(&mut db, "0", &["other"], "ERR syntax error");
    refused(&mut db, "0", &["IDLETIME"], "ERR syntax error");
    refused(&mut db, "0", &["IDLETIME", "1", "FREQ", "1"], "ERR syntax error");
    refused(&mut db, "0", &["IDLETIME", "-1"], "ERR Invalid IDLETIME value, must be >= 0");
    refused(&mut db, "0", &["FREQ", "256"], "ERR Invalid FREQ value, must be >= 0 and <= 255");
    let footer = ReplyError::new("ERR DUMP payload version or checksum are wrong");
    assert_eq!(db.run(["RESTORE", "k", "0", "nonsense"]), footer.clone().into());
    assert_eq!(db.run(["RESTORE", "k", "0", "nonsense", "REPLACE"]), footer.into());
    let empty_set = &b"\x02\x00\x0a\x00:\xce9\x00\x9b\x899\xe8"[..];
    let reply = db.run([&b"RESTORE"[..], b"k", b"0", empty_set]);
    assert_eq!(reply, ReplyError::new("ERR Bad data format").into());
    assert_eq!(db.run(["GET", "k"]), Reply::Null);
}
