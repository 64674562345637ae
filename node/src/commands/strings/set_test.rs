use crate::commands::testing::{START_MS, TestDatabase};
use crate::resp::{Reply, ReplyError};

fn deadline(db: &TestDatabase) -> Option<u64> {
    let database = db.keyspace.database(crate::base::ids::DatabaseId(0));
    database.find(b"k", START_MS).and_then(|object| object.expire_at_ms)
}

fn refused(argv: &[&str], expected: ReplyError) {
    let mut db = TestDatabase::new();
    db.run(["SET", "k", "old"]);
    assert_eq!(db.run(argv), Reply::Error(expected), "{argv:?}");
    assert_eq!(db.run(["GET", "k"]), Reply::bulk("old"));
}

#[test]
fn set_with_nx_keeps_the_old_value() {
    let mut db = TestDatabase::new();
    assert_eq!(db.run(["SET", "k", "1", "NX"]), Reply::OK);
    assert_eq!(db.run(["SET", "k", "2", "nx"]), Reply::Null);
    assert_eq!(db.run(["SET", "k", "2", "NX", "GET"]), Reply::bulk("1"));
    assert_eq!(db.run(["GET", "k"]), Reply::bulk("1"));
    assert_eq!(db.events(), [("set", "k".to_owned())]);
}

#[test]
fn set_with_xx_needs_an_old_value() {
    let mut db = TestDatabase::new();
    assert_eq!(db.run(["SET", "k", "1", "XX"]), Reply::Null);
    assert_eq!(db.run(["SET", "k", "1", "XX", "GET"]), Reply::Null);
    assert_eq!(db.run(["GET", "k"]), Reply::Null);
    db.run(["SET", "k", "1"]);
    assert_eq!(db.run(["SET", "k", "2", "xx", "get"]), Reply::bulk("1"));
    assert_eq!(db.run(["GET", "k"]), Reply::bulk("2"));
}

#[test]
fn set_with_get_refuses_another_type_and_without_it_replaces_it() {
    let mut db = TestDatabase::new();
    db.run(["HSET", "k", "f", "v"]);
    assert_eq!(db.run(["SET", "k", "v", "GET"]), Reply::Error(ReplyError::WRONG_TYPE));
    assert_eq!(db.run(["SET", "k", "v", "XX"]), Reply::OK);
    assert_eq!(db.run(["GET", "k"]), Reply::bulk("v"));
}

#[test]
fn expiry_options_set_a_deadline_and_plain_set_clears_it() {
    let mut db = TestDatabase::new();
    let far = (START_MS + 90_000).to_string();
    for (option, number, expected) in [
        ("EX", "10", START_MS + 10_000),
        ("px", "10", START_MS + 10),
        ("EXAT", "1800000000", 1_800_000_000_000),
        ("PXAT", &far, START_MS + 90_000),
    ] {
        assert_eq!(db.run(["SET", "k", "v", option, number]), Reply::OK);
        assert_eq!(deadline(&db), Some(expected), "{option}");
        assert_eq!(db.run(["SET", "k", "w", "KEEPTTL"]), Reply::OK);
        assert_eq!(deadline(&db), Some(expected), "{option}");
    }
    db.events();
    db.run(["SET", "k", "v", "EX", "5", "EX", "6"]);
    assert_eq!(deadline(&db), Some(START_MS + 6000));
    assert_eq!(db.events(), [("set", "k".to_owned()), ("expire", "k".to_owned())]);
    db.run(["SET", "k", "v"]);
    assert_eq!(deadline(&db), None);
}

#[test]
fn a_deadline_in_the_past_hides_the_value_at_once() {
    let mut db = TestDatabase::new();
    assert_eq!(db.run(["SET", "k", "v", "PXAT", "1"]), Reply::OK);
    assert_eq!(db.run(["GET", "k"]), Reply::Null);
}

#[test]
fn a_value_is_gone_at_its_deadline_and_not_before() {
    let mut db = TestDatabase::new();
    db.run(["SET", "k", "v", "PX", "10"]);
    assert_eq!(db.at_ms(START_MS + 9).run(["GET", "k"]), Reply::bulk("v"));
    assert_eq!(db.at_ms(START_MS + 10).run(["GET", "k"]), Reply::Null);
    assert_eq!(db.run(["SET", "k", "w", "NX"]), Reply::OK);
}

#[test]
fn set_refuses_options_that_exclude_each_other() {
    for argv in [
        &["SET", "k", "v", "NX", "XX"][..],
        &["SET", "k", "v", "XX", "NX"],
        &["SET", "k", "v", "NX", "XX", "GET"],
        &["SET", "k", "v", "EX", "1", "KEEPTTL", "GET"],
        &["SET", "k", "v", "EX", "1", "PX", "1"],
        &["SET", "k", "v", "EX", "1", "KEEPTTL"],
        &["SET", "k", "v", "KEEPTTL", "EX", "1"],
        &["SET", "k", "v", "EX"],
        &["SET", "k", "v", "PERSIST"],
        &["SET", "k", "v", "other"],
    ] {
        refused(argv, ReplyError::SYNTAX);
    }
}

#[test]
fn expiry_numbers_must_be_positive_and_in_range() {
    for number in ["0", "-1", "9223372036854775807", "9223372036854775"] {
        refused(&["SET", "k", "v", "EX", number], ReplyError::invalid_expire("set"));
        refused(&["SETEX", "k", number, "v"], ReplyError::invalid_expire("setex"));
    }
    for number in ["0", "9223372036854775807"] {
        refused(&["SET", "k", "v", "PX", number], ReplyError::invalid_expire("set"));
        refused(&["PSETEX", "k", number, "v"], ReplyError::invalid_expire("psetex"));
    }
    refused(&["SET", "k", "v", "EXAT", "9223372036854776"], ReplyError::invalid_expire("set"));
    refused(&["SET", "k", "v", "EX", "1.5"], ReplyError::NOT_INTEGER);
    refused(&["SETEX", "k", "x", "v"], ReplyError::NOT_INTEGER);
}

#[test]
fn the_older_forms_of_set_work() {
    let mut db = TestDatabase::new();
    assert_eq!(db.run(["SETNX", "k", "1"]), Reply::Integer(1));
    assert_eq!(db.run(["SETNX", "k", "2"]), Reply::Integer(0));
    assert_eq!(db.run(["SETEX", "k", "7", "3"]), Reply::OK);
    assert_eq!(deadline(&db), Some(START_MS + 7000));
    assert_eq!(db.run(["PSETEX", "k", "7", "4"]), Reply::OK);
    assert_eq!(deadline(&db), Some(START_MS + 7));
    assert_eq!(db.run(["GET", "k"]), Reply::bulk("4"));
    assert_eq!(db.run(["SET", "k"]), Reply::Error(ReplyError::arity("set")));
}
