#![allow(clippy::unwrap_used)]

use crate::commands::testing::TestDatabase;
use crate::resp::{Reply, ReplyError};

fn run(db: &mut TestDatabase, line: &str) -> Reply {
    db.run(line.split(' '))
}

fn set(texts: &[&str]) -> Reply {
    Reply::Set(texts.iter().map(Reply::bulk).collect())
}

fn array(texts: &[&str]) -> Reply {
    Reply::Array(texts.iter().map(Reply::bulk).collect())
}

fn error(text: &'static str) -> Reply {
    Reply::Error(ReplyError::new(text))
}

fn int(number: i64) -> Reply {
    Reply::Integer(number)
}

const WRONG_TYPE: Reply = Reply::Error(ReplyError::WRONG_TYPE);
const SYNTAX: Reply = Reply::Error(ReplyError::SYNTAX);

/// Runs each line and compares its reply.
fn check(cases: Vec<(&str, Reply)>) -> TestDatabase {
    let mut db = TestDatabase::new();
    for (line, expected) in cases {
        assert_eq!(run(&mut db, line), expected, "{line}");
    }
    db
}

fn encoding(db: &TestDatabase, key: &str) -> &'static str {
    let database = db.keyspace.database(crate::base::ids::DatabaseId(0));
    database.find(key.as_bytes(), 0).unwrap().value.encoding()
}

#[test]
fn members_come_and_go() {
    let mut db = check(vec![
        ("SADD k b a b", int(2)),
        ("SADD k a", int(0)),
        ("SADD k c", int(1)),
        ("SCARD k", int(3)),
        ("SMEMBERS k", set(&["b", "a", "c"])),
        ("SISMEMBER k a", int(1)),
        ("SISMEMBER k x", int(0)),
        ("SISMEMBER none x", int(0)),
        ("SMISMEMBER k a x c", Reply::Array(vec![int(1), int(0), int(1)])),
        ("SMISMEMBER none a b", Reply::Array(vec![int(0), int(0)])),
        ("SREM k x", int(0)),
        ("SREM k a b x", int(2)),
        ("SREM k c", int(1)),
        ("SCARD k", int(0)),
        ("SMEMBERS k", set(&[])),
        ("SREM k c", int(0)),
        ("LPUSH l x", int(1)),
        ("SADD l x", WRONG_TYPE),
        ("SREM l x", WRONG_TYPE),
        ("SMEMBERS l", WRONG_TYPE),
    ]);
    let names: Vec<_> = db.events().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["sadd", "sadd", "srem", "srem", "del", "lpush"]);
}

#[test]
fn smove_moves_one_member() {
    let mut db = check(vec![
        ("SMOVE a b x", int(0)),
        ("SADD a x y", int(2)),
        ("SMOVE a b x", int(1)),
        ("SMOVE a b x", int(0)),
        ("SMEMBERS b", set(&["x"])),
        ("SMOVE a a y", int(1)),
        ("SMOVE a a x", int(0)),
        ("SADD b y", int(1)),
        ("SMOVE a b y", int(1)),
        ("SCARD a", int(0)),
        ("LPUSH l x", int(1)),
        ("SMOVE b l zzz", WRONG_TYPE),
        ("SMOVE l b x", WRONG_TYPE),
        ("SMOVE none l x", int(0)),
    ]);
    let names: Vec<_> = db.events().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["sadd", "srem", "sadd", "sadd", "srem", "del", "lpush"]);
}

#[test]
fn spop_depends_only_on_the_seed() {
    let positive = || error("ERR value is out of range, must be positive");
    let mut db = check(vec![
        ("SPOP k", Reply::Null),
        ("SPOP k 2", set(&[])),
        ("SPOP k -1", positive()),
        ("SPOP k abc", positive()),
        ("SPOP k 1 2", SYNTAX),
        ("SADD k a b c d e f", int(6)),
        ("SPOP k 0", set(&[])),
    ]);
    let Reply::Bulk(first) = run(&mut db, "SPOP k") else { panic!("one member") };
    let Reply::Set(two) = run(&mut db, "SPOP k 2") else { panic!("two members") };
    assert!(two.len() == 2 && !two.contains(&Reply::Bulk(first)));
    assert_eq!(run(&mut db, "SCARD k"), int(3));
    let Reply::Set(rest) = run(&mut db, "SPOP k 99") else { panic!("the rest") };
    assert_eq!(rest.len(), 3);
    assert_eq!(run(&mut db, "SCARD k"), int(0));
    assert_eq!(db.events().pop().unwrap(), ("del", "k".to_owned()));
}

#[test]
fn spop_takes_the_same_members_from_a_set_that_was_stored_and_loaded() {
    use crate::data::types::set::Member;
    use crate::data::types::{SetValue, TypedValue, Value};
    for prefix in ["", "m", "a member too long for a small set, so that it is held as a table: "] {
        let members = (0..60).map(|n| format!("{prefix}{n}"));
        let argv: Vec<String> =
            ["SADD".to_owned(), "k".to_owned()].into_iter().chain(members).collect();
        let (mut db, mut loaded) = (TestDatabase::new(), TestDatabase::new());
        db.run(&argv);
        loaded.run(&argv);
        db.run(["SREM", "k", &format!("{prefix}7")]);
        loaded.run(["SREM", "k", &format!("{prefix}7")]);
        let database = loaded.keyspace.database_mut(crate::base::ids::DatabaseId(0));
        let object = database.find_mut(b"k", 0).unwrap();
        let set = SetValue::of(&object.value).unwrap();
        let stored = set.iter().map(Member::to_bytes).collect::<Vec<_>>();
        object.value = Value::Set(SetValue::from_stored(set.stored_encoding(), stored).unwrap());
        for line in ["SPOP k", "SPOP k 20", "SPOP k 3"] {
            assert_eq!(run(&mut db, line), run(&mut loaded, line), "{prefix}");
        }
    }
}

#[test]
fn srandmember_returns_different_or_repeated_members() {
    let mut db = check(vec![
        ("SRANDMEMBER k", Reply::Null),
        ("SRANDMEMBER k 2", array(&[])),
        ("SRANDMEMBER k -2", array(&[])),
        ("SRANDMEMBER k abc", Reply::Error(ReplyError::NOT_INTEGER)),
        ("SRANDMEMBER k 1 2", SYNTAX),
        ("SADD k a b c", int(3)),
        ("SRANDMEMBER k 3", array(&["a", "b", "c"])),
        ("SRANDMEMBER k 0", array(&[])),
        ("SRANDMEMBER k -99999999999", error("ERR value is out of range")),
    ]);
    let Reply::Array(two) = run(&mut db, "SRANDMEMBER k 2") else { panic!("two") };
    assert!(two.len() == 2 && two[0] != two[1]);
    let Reply::Array(many) = run(&mut db, "SRANDMEMBER k -50") else { panic!("many") };
    assert_eq!(many.len(), 50);
    assert!(["a", "b", "c"].iter().all(|member| many.contains(&Reply::bulk(member))));
}

#[test]
fn sets_combine() {
    check(vec![
        ("SADD a 1 2 3 x", int(4)),
        ("SADD b 2 3 4", int(3)),
        ("SINTER a b", set(&["2", "3"])),
        ("SINTER a none", set(&[])),
        ("SUNION a b none", set(&["1", "2", "3", "x", "4"])),
        ("SDIFF a b", set(&["1", "x"])),
        ("SDIFF a a", set(&[])),
        ("SDIFF none a", set(&[])),
        ("SDIFF a none", set(&["1", "2", "3", "x"])),
        ("SINTERCARD 2 a b", int(2)),
        ("SINTERCARD 2 a b LIMIT 1", int(1)),
        ("SINTERCARD 2 a b LIMIT 0", int(2)),
        ("SINTERCARD 2 a none", int(0)),
        ("SINTERCARD 0 a", error("ERR numkeys should be greater than 0")),
        ("SINTERCARD abc a", error("ERR numkeys should be greater than 0")),
        ("SINTERCARD 2 a", error("ERR Number of keys can't be greater than number of args")),
        ("SINTERCARD 1 a LIMIT -1", error("ERR LIMIT can't be negative")),
        ("SINTERCARD 1 a LIMIT", SYNTAX),
        ("SINTERCARD 1 a FOO", SYNTAX),
        ("LPUSH l x", int(1)),
        ("SINTER none l", WRONG_TYPE),
        ("SUNION none l", WRONG_TYPE),
        ("SDIFF none l", WRONG_TYPE),
        ("SINTERCARD 2 none l", WRONG_TYPE),
    ]);
}

#[test]
fn results_are_stored_over_anything_and_empty_ones_remove_the_key() {
    let mut db = check(vec![
        ("SADD a 1 2 3", int(3)),
        ("SADD b 2 3 x", int(3)),
        ("LPUSH d old", int(1)),
        ("SINTERSTORE d a b", int(2)),
        ("SMEMBERS d", set(&["2", "3"])),
        ("SDIFFSTORE d b a", int(1)),
        ("SMEMBERS d", set(&["x"])),
        ("SUNIONSTORE a a b", int(4)),
        ("SMEMBERS a", set(&["1", "2", "3", "x"])),
        ("SINTERSTORE d a none", int(0)),
        ("SCARD d", int(0)),
        ("SINTERSTORE d a none", int(0)),
        ("LPUSH l x", int(1)),
        ("SINTERSTORE b a l", WRONG_TYPE),
        ("SCARD b", int(3)),
    ]);
    let names: Vec<_> = db.events().into_iter().skip(3).map(|(name, _)| name).collect();
    assert_eq!(names, ["sinterstore", "sdiffstore", "sunionstore", "del", "lpush"]);
}

#[test]
fn encodings_follow_the_first_member_and_the_number_of_arguments() {
    let mut db = TestDatabase::new();
    let many = |prefix: &str, count: usize| {
        let members = (0..count).map(|n| format!("{prefix}{n}"));
        ["SADD".to_owned(), "k".to_owned()].into_iter().chain(members).collect::<Vec<_>>()
    };
    let cases = [
        (many("", 512), "intset"),
        (many("", 513), "hashtable"),
        (many("m", 128), "listpack"),
        (many("m", 129), "hashtable"),
    ];
    for (argv, expected) in cases {
        db.run(&argv);
        assert_eq!(encoding(&db, "k"), expected);
        db.run(["SPOP", "k", "999"]);
    }
    check(vec![("SADD a 1 2 3", int(3)), ("SADD a 1 1 1", int(0))]);
}

#[test]
fn sscan_gives_small_sets_whole_and_large_ones_in_pages() {
    let scan = |members: &[&str]| Reply::Array(vec![Reply::bulk("0"), array(members)]);
    let mut db = check(vec![
        ("SSCAN k abc", error("ERR invalid cursor")),
        ("SSCAN k 0 COUNT 0", scan(&[])),
        ("SADD k ab b ac", int(3)),
        ("SSCAN k 0", scan(&["ab", "b", "ac"])),
        ("SSCAN k 0 MATCH a* COUNT 1", scan(&["ab", "ac"])),
        ("SSCAN k 0 COUNT 0", SYNTAX),
        ("SSCAN k 0 COUNT abc", Reply::Error(ReplyError::NOT_INTEGER)),
        ("SSCAN k 0 MATCH", SYNTAX),
        ("SSCAN k 0 FOO", SYNTAX),
        ("LPUSH l x", int(1)),
        ("SSCAN l 0", WRONG_TYPE),
    ]);
    let members = (0..1000).map(|n| format!("m{n}"));
    db.run(["SADD".to_owned(), "big".to_owned()].into_iter().chain(members));
    let (mut cursor, mut seen, mut calls) = ("0".to_owned(), Vec::new(), 0);
    loop {
        let Reply::Array(mut parts) = db.run(["SSCAN", "big", &cursor, "COUNT", "50"]) else {
            panic!("cursor and page")
        };
        let (Some(Reply::Array(page)), Some(Reply::Bulk(next))) = (parts.pop(), parts.pop()) else {
            panic!("cursor and page")
        };
        seen.extend(page);
        calls += 1;
        cursor = String::from_utf8(next.to_vec()).unwrap();
        if cursor == "0" {
            break;
        }
    }
    assert_eq!((seen.len(), calls), (1000, 20));
}
