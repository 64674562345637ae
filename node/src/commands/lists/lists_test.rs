#![allow(clippy::unwrap_used)]

use crate::commands::testing::TestDatabase;
use crate::resp::Reply;

fn run(db: &mut TestDatabase, line: &str) -> Reply {
    db.run(line.split(' '))
}

fn strings(texts: &[&str]) -> Reply {
    Reply::Array(texts.iter().map(Reply::bulk).collect())
}

fn error(text: &'static str) -> Reply {
    Reply::Error(crate::resp::ReplyError::new(text))
}

fn int(number: i64) -> Reply {
    Reply::Integer(number)
}

/// Runs each line and compares its reply.
fn check(cases: Vec<(&str, Reply)>) -> TestDatabase {
    let mut db = TestDatabase::new();
    for (line, expected) in cases {
        assert_eq!(run(&mut db, line), expected, "{line}");
    }
    db
}

const WRONG_TYPE: Reply = Reply::Error(crate::resp::ReplyError::WRONG_TYPE);
const SYNTAX: Reply = Reply::Error(crate::resp::ReplyError::SYNTAX);
const NOT_INTEGER: Reply = Reply::Error(crate::resp::ReplyError::NOT_INTEGER);

#[test]
fn pushes_add_one_after_another_and_x_forms_need_a_list() {
    let mut db = check(vec![
        ("LPUSHX k a", int(0)),
        ("RPUSHX k a", int(0)),
        ("LPUSH k a b", int(2)),
        ("RPUSH k c d", int(4)),
        ("LPUSHX k e", int(5)),
        ("RPUSHX k f", int(6)),
        ("LRANGE k 0 -1", strings(&["e", "b", "a", "c", "d", "f"])),
        ("LLEN k", int(6)),
        ("LLEN none", int(0)),
        ("SADD s x", int(1)),
        ("LPUSH s a", WRONG_TYPE),
        ("LPUSHX s a", WRONG_TYPE),
        ("LLEN s", WRONG_TYPE),
    ]);
    let names: Vec<_> = db.events().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["lpush", "rpush", "lpush", "rpush", "sadd"]);
}

#[test]
fn pops_take_from_an_end_and_remove_the_empty_list() {
    let positive = || error("ERR value is out of range, must be positive");
    let mut db = check(vec![
        ("LPOP k", Reply::Null),
        ("LPOP k 1", Reply::NullArray),
        ("LPOP k 0", Reply::NullArray),
        ("LPOP k -1", positive()),
        ("LPOP k abc", positive()),
        ("LPOP k 1 2", error("ERR wrong number of arguments for 'lpop' command")),
        ("RPOP k 1 2", error("ERR wrong number of arguments for 'rpop' command")),
        ("RPUSH k a b c d e", int(5)),
        ("LPOP k 0", Reply::Array(Vec::new())),
        ("LPOP k", Reply::bulk("a")),
        ("RPOP k", Reply::bulk("e")),
        ("RPOP k 2", strings(&["d", "c"])),
        ("LPOP k 9", strings(&["b"])),
        ("LLEN k", int(0)),
    ]);
    let tail: Vec<_> = db.events().split_off(4);
    assert_eq!(tail, [("lpop", "k".to_owned()), ("del", "k".to_owned())]);
    assert!(db.keyspace.database(crate::base::ids::DatabaseId(0)).is_empty());
}

#[test]
fn lmpop_takes_from_the_first_existing_list() {
    let keys = || error("ERR numkeys should be greater than 0");
    let count = || error("ERR count should be greater than 0");
    check(vec![
        ("LMPOP 0 k LEFT", keys()),
        ("LMPOP abc k LEFT", keys()),
        ("LMPOP 2 k LEFT", SYNTAX),
        ("LMPOP 9 k LEFT", SYNTAX),
        ("LMPOP 1 k UP", SYNTAX),
        ("LMPOP 1 k LEFT COUNT 0", count()),
        ("LMPOP 1 k LEFT COUNT", SYNTAX),
        ("LMPOP 1 k LEFT COUNT 1 COUNT 1", SYNTAX),
        ("LMPOP 1 k LEFT", Reply::NullArray),
        ("RPUSH k a b c", int(3)),
        (
            "LMPOP 2 none k right count 2",
            Reply::Array(vec![Reply::bulk("k"), strings(&["c", "b"])]),
        ),
        ("LMPOP 1 k left", Reply::Array(vec![Reply::bulk("k"), strings(&["a"])])),
        ("SADD s x", int(1)),
        ("LMPOP 2 none s LEFT", WRONG_TYPE),
    ]);
}

#[test]
fn elements_are_read_by_place_from_both_ends() {
    check(vec![
        ("LINDEX k abc", Reply::Null),
        ("RPUSH k a b c", int(3)),
        ("LINDEX k abc", NOT_INTEGER),
        ("LINDEX k 0", Reply::bulk("a")),
        ("LINDEX k -1", Reply::bulk("c")),
        ("LINDEX k 3", Reply::Null),
        ("LINDEX k -4", Reply::Null),
        ("LRANGE k 1 1", strings(&["b"])),
        ("LRANGE k -2 99", strings(&["b", "c"])),
        ("LRANGE k 2 1", strings(&[])),
        ("LRANGE none 0 -1", strings(&[])),
        ("LRANGE none 0 x", NOT_INTEGER),
    ]);
}

#[test]
fn lpos_searches_from_either_end() {
    let list = |indexes: &[i64]| Reply::Array(indexes.iter().copied().map(int).collect());
    check(vec![
        ("RPUSH k a b c 1 2 3 c c", int(8)),
        ("LPOS k c", int(2)),
        ("LPOS k x", Reply::Null),
        ("LPOS k c RANK 2", int(6)),
        ("LPOS k c RANK -1", int(7)),
        ("LPOS k c RANK 4", Reply::Null),
        ("LPOS k c COUNT 2", list(&[2, 6])),
        ("LPOS k c COUNT 0", list(&[2, 6, 7])),
        ("LPOS k c COUNT 0 RANK -2", list(&[6, 2])),
        ("LPOS k c COUNT 0 MAXLEN 7", list(&[2, 6])),
        ("LPOS k c COUNT 0 MAXLEN 7 RANK -1", list(&[7, 6, 2])),
        ("LPOS k c MAXLEN 2", Reply::Null),
        ("LPOS k x COUNT 1", list(&[])),
        ("LPOS none x COUNT 1", list(&[])),
        ("LPOS none x", Reply::Null),
        ("LPOS k c COUNT -1", error("ERR COUNT can't be negative")),
        ("LPOS k c COUNT abc", error("ERR COUNT can't be negative")),
        ("LPOS k c MAXLEN -1", error("ERR MAXLEN can't be negative")),
        ("LPOS k c RANK abc", NOT_INTEGER),
        ("LPOS k c RANK", SYNTAX),
        ("LPOS k c FOO", SYNTAX),
        ("LPOS k c RANK 0", Reply::Error(super::find::RANK_ZERO)),
        (
            "LPOS k c RANK -9223372036854775808",
            error(
                "ERR value is out of range, value must between -9223372036854775807 \
                 and 9223372036854775807",
            ),
        ),
    ]);
}

#[test]
fn lset_and_linsert_change_one_place() {
    check(vec![
        ("LSET k abc x", error("ERR no such key")),
        ("LINSERT k FOO a x", SYNTAX),
        ("LINSERT k BEFORE a x", int(0)),
        ("RPUSH k a b c", int(3)),
        ("LSET k abc x", NOT_INTEGER),
        ("LSET k 3 x", error("ERR index out of range")),
        ("LSET k -1 z", Reply::OK),
        ("LINSERT k before b x", int(4)),
        ("LINSERT k AFTER b y", int(5)),
        ("LINSERT k AFTER none y", int(-1)),
        ("LRANGE k 0 -1", strings(&["a", "x", "b", "y", "z"])),
    ]);
}

#[test]
fn lrem_and_ltrim_remove_elements_and_the_empty_list() {
    check(vec![
        ("LREM k abc a", NOT_INTEGER),
        ("LREM k 1 a", int(0)),
        ("LTRIM k 0 0", Reply::OK),
        ("RPUSH k a b a c a", int(5)),
        ("LREM k -1 a", int(1)),
        ("LRANGE k 0 -1", strings(&["a", "b", "a", "c"])),
        ("LREM k 1 a", int(1)),
        ("LREM k 0 x", int(0)),
        ("LTRIM k 1 -1", Reply::OK),
        ("LRANGE k 0 -1", strings(&["a", "c"])),
        ("LTRIM k 5 9", Reply::OK),
        ("LPUSHX k a", int(0)),
        ("RPUSH k a a", int(2)),
        ("LREM k 0 a", int(2)),
        ("LPUSHX k a", int(0)),
    ]);
}

#[test]
fn an_element_moves_between_lists_or_within_one() {
    let mut db = check(vec![
        ("LMOVE a b LEFT RIGHT", Reply::Null),
        ("LMOVE a b UP RIGHT", SYNTAX),
        ("RPUSH a 1 2 3", int(3)),
        ("LMOVE a b LEFT RIGHT", Reply::bulk("1")),
        ("LMOVE a b right left", Reply::bulk("3")),
        ("RPOPLPUSH a b", Reply::bulk("2")),
        ("LRANGE b 0 -1", strings(&["2", "3", "1"])),
        ("LLEN a", int(0)),
        ("LMOVE b b LEFT RIGHT", Reply::bulk("2")),
        ("RPOPLPUSH b b", Reply::bulk("2")),
        ("LRANGE b 0 -1", strings(&["2", "3", "1"])),
        ("SADD s x", int(1)),
        ("RPOPLPUSH b s", WRONG_TYPE),
        ("RPOPLPUSH s b", WRONG_TYPE),
        ("RPOPLPUSH none s", Reply::Null),
    ]);
    let events = db.events();
    let named = |name, key: &str| (name, key.to_owned());
    let last = [named("lpush", "b"), named("rpop", "a"), named("del", "a")];
    assert_eq!(events[5..8], last);
}

#[test]
fn a_single_element_turns_within_its_list() {
    check(vec![
        ("RPUSH k only", int(1)),
        ("LMOVE k k LEFT RIGHT", Reply::bulk("only")),
        ("LRANGE k 0 -1", strings(&["only"])),
    ]);
}
