#![allow(clippy::unwrap_used)]

use crate::commands::testing::TestDatabase;
use crate::resp::{Reply, ReplyError};

pub(super) fn run(db: &mut TestDatabase, line: &str) -> Reply {
    db.run(line.split(' '))
}

/// Runs each line and compares its reply.
pub(super) fn check(cases: Vec<(&str, Reply)>) -> TestDatabase {
    let mut db = TestDatabase::new();
    for (line, expected) in cases {
        assert_eq!(run(&mut db, line), expected, "{line}");
    }
    db
}

pub(super) fn array(texts: &[&str]) -> Reply {
    Reply::Array(texts.iter().map(Reply::bulk).collect())
}

pub(super) fn pairs(members: &[(&str, f64)]) -> Reply {
    let pair = |(member, score): &(&str, f64)| (Reply::bulk(member), Reply::Double(*score));
    Reply::Pairs(members.iter().map(pair).collect())
}

pub(super) fn error(text: &'static str) -> Reply {
    Reply::Error(ReplyError::new(text))
}

pub(super) fn int(number: i64) -> Reply {
    Reply::Integer(number)
}

fn double(number: f64) -> Reply {
    Reply::Double(number)
}

pub(super) const WRONG_TYPE: Reply = Reply::Error(ReplyError::WRONG_TYPE);
pub(super) const SYNTAX: Reply = Reply::Error(ReplyError::SYNTAX);
pub(super) const NOT_INTEGER: Reply = Reply::Error(ReplyError::NOT_INTEGER);
const NOT_FLOAT: Reply = Reply::Error(ReplyError::NOT_FLOAT);

fn not_score() -> Reply {
    error("ERR min or max is not a float")
}

fn not_lex() -> Reply {
    error("ERR min or max not valid string range item")
}

#[test]
fn zadd_follows_its_options() {
    let mut db = check(vec![
        ("ZADD z 1 a 2 b 3 c", int(3)),
        ("ZADD z 1 a 5 b", int(0)),
        ("ZADD z CH 6 b 1 a 4 d", int(2)),
        ("ZADD z NX 9 a 7 e", int(1)),
        ("ZADD z XX 9 a 7 new", int(0)),
        ("ZADD z XX CH GT 8 a 10 b", int(1)),
        ("ZADD z CH LT 8 a 1 f 9 f", int(2)),
        (
            "ZRANGE z 0 -1 WITHSCORES",
            pairs(&[("f", 1.0), ("c", 3.0), ("d", 4.0), ("e", 7.0), ("a", 8.0), ("b", 10.0)]),
        ),
        ("ZADD none XX 1 a", int(0)),
        ("ZADD none XX INCR 1 a", Reply::Null),
        ("ZCARD none", int(0)),
    ]);
    let names: Vec<_> = db.events().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["zadd"; 7]);
}

#[test]
fn scores_are_incremented_within_the_rules_of_infinity() {
    let nan = || error("ERR resulting score is not a number (NaN)");
    let mut db = check(vec![
        ("ZINCRBY z 1.5 a", double(1.5)),
        ("ZADD z INCR 2 a", double(3.5)),
        ("ZADD z NX INCR 2 a", Reply::Null),
        ("ZADD z GT INCR -1 a", Reply::Null),
        ("ZADD z LT INCR -1 a", double(2.5)),
        ("ZADD z INCR 0 a", double(2.5)),
        ("ZADD z inf i", int(1)),
        ("ZINCRBY z -inf i", nan()),
        ("ZADD z INCR -inf i", nan()),
        ("ZSCORE z i", double(f64::INFINITY)),
        ("ZINCRBY z abc a", NOT_FLOAT),
        ("ZADD z nan a", NOT_FLOAT),
        ("ZADD z 1 new nan b", NOT_FLOAT),
        ("ZSCORE z new", Reply::Null),
    ]);
    let names: Vec<_> = db.events().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["zincr", "zincr", "zincr", "zadd"]);
}

#[test]
fn zadd_refuses_contradictions() {
    let together = || error("ERR GT, LT, and/or NX options at the same time are not compatible");
    check(vec![
        ("ZADD z 1 a 2", SYNTAX),
        ("ZADD z NX 1", SYNTAX),
        ("ZADD z CH INCR", SYNTAX),
        ("ZADD z NX XX 1 a", error("ERR XX and NX options at the same time are not compatible")),
        ("ZADD z GT LT 1 a", together()),
        ("ZADD z GT NX 1 a", together()),
        ("ZADD z INCR 1 a 2 b", error("ERR INCR option supports a single increment-element pair")),
        ("LPUSH l x", int(1)),
        ("ZADD l abc a", NOT_FLOAT),
        ("ZADD l 1 a", WRONG_TYPE),
        ("ZINCRBY l 1 a", WRONG_TYPE),
    ]);
}

#[test]
fn members_are_removed_by_name_and_by_range() {
    let mut db = check(vec![
        ("ZADD z 1 a 2 b 3 c 4 d 5 e 6 f 7 g 8 h", int(8)),
        ("ZREM z a x", int(1)),
        ("ZREM z x", int(0)),
        ("ZREMRANGEBYRANK z 0 1", int(2)),
        ("ZREMRANGEBYRANK z -1 -1", int(1)),
        ("ZREMRANGEBYSCORE z (4 5", int(1)),
        ("ZREMRANGEBYSCORE z 100 inf", int(0)),
        ("ZRANGE z 0 -1", array(&["d", "f", "g"])),
        ("ZREMRANGEBYLEX z [e (g", int(1)),
        ("ZREMRANGEBYLEX z - +", int(2)),
        ("ZCARD z", int(0)),
        ("ZREM z a", int(0)),
        ("ZREMRANGEBYRANK z abc 1", NOT_INTEGER),
        ("ZREMRANGEBYSCORE z abc 1", not_score()),
        ("ZREMRANGEBYSCORE z nan 1", not_score()),
        ("ZREMRANGEBYLEX z - foo", not_lex()),
    ]);
    let names: Vec<_> = db.events().into_iter().map(|(name, _)| name).collect();
    let (by_rank, by_lex) = ("zremrangebyrank", "zremrangebylex");
    let expected = ["zadd", "zrem", by_rank, by_rank, "zremrangebyscore", by_lex, by_lex, "del"];
    assert_eq!(names, expected);
}

#[test]
fn counts_scores_and_ranks_are_returned() {
    check(vec![
        ("ZADD z 1 a 2 b 3 c", int(3)),
        ("ZCARD z", int(3)),
        ("ZCOUNT z (1 inf", int(2)),
        ("ZCOUNT z 3 1", int(0)),
        ("ZCOUNT none 1 2", int(0)),
        ("ZCOUNT z abc 1", not_score()),
        ("ZLEXCOUNT z - [b", int(2)),
        ("ZLEXCOUNT none a b", not_lex()),
        ("ZSCORE z b", double(2.0)),
        ("ZSCORE z x", Reply::Null),
        ("ZSCORE none x", Reply::Null),
        ("ZMSCORE z a x", Reply::Array(vec![double(1.0), Reply::Null])),
        ("ZMSCORE none a", Reply::Array(vec![Reply::Null])),
        ("ZRANK z a", int(0)),
        ("ZREVRANK z a", int(2)),
        ("ZRANK z x", Reply::Null),
        ("ZRANK z b WITHSCORE", Reply::Array(vec![int(1), double(2.0)])),
        ("ZREVRANK z c withscore", Reply::Array(vec![int(0), double(3.0)])),
        ("ZRANK z x WITHSCORE", Reply::NullArray),
        ("ZRANK none x WITHSCORE", Reply::NullArray),
        ("ZRANK z a FOO", SYNTAX),
        ("ZRANK z a WITHSCORE x", error("ERR wrong number of arguments for 'zrank' command")),
        ("LPUSH l x", int(1)),
        ("ZSCORE l x", WRONG_TYPE),
        ("ZRANK l x", WRONG_TYPE),
    ]);
}

#[test]
fn zrange_returns_every_kind_of_range() {
    check(vec![
        ("ZADD z 1 a 2 b 3 c", int(3)),
        ("ZRANGE z 0 -1", array(&["a", "b", "c"])),
        ("ZRANGE z 0 0 REV WITHSCORES", pairs(&[("c", 3.0)])),
        ("ZRANGE z 1 99 REV", array(&["b", "a"])),
        ("ZRANGE z 2 1", array(&[])),
        ("ZRANGE z (1 3 BYSCORE", array(&["b", "c"])),
        ("ZRANGE z 3 (1 BYSCORE REV LIMIT 0 1", array(&["c"])),
        ("ZRANGE z 3 (1 REV BYSCORE LIMIT 1 -1", array(&["b"])),
        ("ZRANGE z -inf +inf BYSCORE LIMIT -1 1", array(&[])),
        ("ZRANGE z -inf +inf BYSCORE LIMIT 1 0", array(&[])),
        ("ZRANGE z -inf +inf BYSCORE LIMIT 1 1 WITHSCORES", pairs(&[("b", 2.0)])),
        ("ZRANGE z - [b BYLEX", array(&["a", "b"])),
        ("ZRANGE z + (a BYLEX REV LIMIT 0 9", array(&["c", "b"])),
        ("ZRANGE z 0 -1 LIMIT 5 -1", array(&["a", "b", "c"])),
        ("ZRANGE none 0 -1 WITHSCORES", pairs(&[])),
        ("ZREVRANGE z 0 1 WITHSCORES", pairs(&[("c", 3.0), ("b", 2.0)])),
        ("ZRANGEBYSCORE z 1 2 LIMIT 1 1 WITHSCORES", pairs(&[("b", 2.0)])),
        ("ZREVRANGEBYSCORE z +inf -inf LIMIT 1 1", array(&["b"])),
        ("ZRANGEBYLEX z - + LIMIT 1 1", array(&["b"])),
        ("ZREVRANGEBYLEX z + - LIMIT 0 2", array(&["c", "b"])),
    ]);
}

#[test]
fn zrange_refuses_conflicting_options() {
    let by_rank = || error(super::range::query::LIMIT_BY_RANK);
    let by_lex = || error(super::range::query::SCORES_BY_LEX);
    check(vec![
        ("ZRANGE z 0 -1 FOO", SYNTAX),
        ("ZRANGE z 0 -1 LIMIT 0", SYNTAX),
        ("ZRANGE z 0 -1 LIMIT 0 1", by_rank()),
        ("ZREVRANGE z 0 -1 LIMIT 0 1", by_rank()),
        ("ZRANGE z - + BYLEX WITHSCORES", by_lex()),
        ("ZRANGEBYLEX z - + WITHSCORES", by_lex()),
        ("ZRANGE z 0 1 BYSCORE BYLEX", SYNTAX),
        ("ZRANGEBYSCORE z 1 2 REV", SYNTAX),
        ("ZRANGEBYSCORE z 1 2 BYSCORE", SYNTAX),
        ("ZRANGE z a b", NOT_INTEGER),
        ("ZRANGE z a b BYSCORE", not_score()),
        ("ZRANGE z a b BYLEX", not_lex()),
        ("ZRANGE z 0 1 BYSCORE LIMIT a 1", NOT_INTEGER),
        ("ZRANGESTORE d z 0 -1 WITHSCORES", SYNTAX),
        ("LPUSH l x", int(1)),
        ("ZRANGE l a b", NOT_INTEGER),
        ("ZRANGE l 0 1", WRONG_TYPE),
        ("ZRANGESTORE d l 0 1", WRONG_TYPE),
    ]);
}

#[test]
fn zrangestore_keeps_the_scores_and_removes_the_key_when_empty() {
    let mut db = check(vec![
        ("ZADD z 1 a 2 b 3 c", int(3)),
        ("LPUSH d old", int(1)),
        ("ZRANGESTORE d z 10 2 BYSCORE REV LIMIT 0 1", int(1)),
        ("ZRANGE d 0 -1 WITHSCORES", pairs(&[("c", 3.0)])),
        ("ZRANGESTORE z z 0 1", int(2)),
        ("ZRANGE z 0 -1", array(&["a", "b"])),
        ("ZRANGESTORE d none 0 -1", int(0)),
        ("ZCARD d", int(0)),
    ]);
    let names: Vec<_> = db.events().into_iter().skip(2).map(|(name, _)| name).collect();
    assert_eq!(names, ["zrangestore", "zrangestore", "del"]);
}

#[test]
fn extremes_are_popped() {
    let flat = |member: &str, score| Reply::Array(vec![Reply::bulk(member), double(score)]);
    let positive = || error("ERR value is out of range, must be positive");
    let mut db = check(vec![
        ("ZPOPMIN z", array(&[])),
        ("ZPOPMIN z 1", pairs(&[])),
        ("ZPOPMIN z -1", positive()),
        ("ZPOPMIN z abc", positive()),
        ("ZPOPMIN z 1 2", SYNTAX),
        ("ZADD z 1 a 2 b 3 c 4 d 5 e", int(5)),
        ("ZPOPMIN z 0", pairs(&[])),
        ("ZPOPMIN z", flat("a", 1.0)),
        ("ZPOPMAX z", flat("e", 5.0)),
        ("ZPOPMAX z 2", pairs(&[("d", 4.0), ("c", 3.0)])),
        ("ZPOPMIN z 9", pairs(&[("b", 2.0)])),
        ("ZCARD z", int(0)),
        ("LPUSH l x", int(1)),
        ("ZPOPMIN l abc", positive()),
        ("ZPOPMIN l 0", WRONG_TYPE),
    ]);
    let names: Vec<_> = db.events().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["zadd", "zpopmin", "zpopmax", "zpopmax", "zpopmin", "del", "lpush"]);
}

#[test]
fn zmpop_takes_from_the_first_existing_sorted_set() {
    let nested = |key: &str, members: &[(&str, f64)]| {
        let pair = |(m, s): &(&str, f64)| Reply::Array(vec![Reply::bulk(m), double(*s)]);
        Reply::Array(vec![Reply::bulk(key), Reply::Array(members.iter().map(pair).collect())])
    };
    check(vec![
        ("ZMPOP 1 z MIN", Reply::NullArray),
        ("ZADD z 1 a 2 b 3 c", int(3)),
        ("ZMPOP 2 none z MIN", nested("z", &[("a", 1.0)])),
        ("ZMPOP 1 z MAX COUNT 9", nested("z", &[("c", 3.0), ("b", 2.0)])),
        ("ZMPOP 0 z MIN", error("ERR numkeys should be greater than 0")),
        ("ZMPOP 2 z MIN", SYNTAX),
        ("ZMPOP 1 z FOO", SYNTAX),
        ("ZMPOP 1 z MIN COUNT 0", error("ERR count should be greater than 0")),
        ("ZMPOP 1 z MIN COUNT 1 COUNT 1", SYNTAX),
    ]);
}

#[test]
fn random_members_come_with_scores_on_request() {
    let range = || error("ERR value is out of range");
    let mut db = check(vec![
        ("ZRANDMEMBER z", Reply::Null),
        ("ZRANDMEMBER z 1 WITHSCORES", array(&[])),
        ("ZRANDMEMBER z abc", NOT_INTEGER),
        ("ZADD z 1 a 2 b 3 c", int(3)),
        ("ZRANDMEMBER z 9", array(&["a", "b", "c"])),
        ("ZRANDMEMBER z 0 WITHSCORES", pairs(&[])),
        ("ZRANDMEMBER z 3 WITHSCORES", pairs(&[("a", 1.0), ("b", 2.0), ("c", 3.0)])),
        ("ZRANDMEMBER z 1 FOO", SYNTAX),
        ("ZRANDMEMBER z 1 WITHSCORES x", SYNTAX),
        ("ZRANDMEMBER z 4611686018427387904 WITHSCORES", range()),
        ("ZRANDMEMBER z -4611686018427387905 WITHSCORES", range()),
    ]);
    let Reply::Array(many) = run(&mut db, "ZRANDMEMBER z -40") else { panic!("forty") };
    assert_eq!(many.len(), 40);
}

#[test]
fn zscan_gives_scores_as_strings() {
    let scan = |parts: &[&str]| Reply::Array(vec![Reply::bulk("0"), array(parts)]);
    let mut db = check(vec![
        ("ZSCAN z abc", error("ERR invalid cursor")),
        ("ZSCAN z 0 COUNT 0", scan(&[])),
        ("ZADD z 1.5 a 2 ab", int(2)),
        ("ZSCAN z 0", scan(&["a", "1.5", "ab", "2"])),
        ("ZSCAN z 0 MATCH ?b", scan(&["ab", "2"])),
        ("ZSCAN z 0 FOO", SYNTAX),
    ]);
    let members = (0..500).flat_map(|n| [n.to_string(), format!("m{n}")]);
    db.run(["ZADD".to_owned(), "big".to_owned()].into_iter().chain(members));
    let Reply::Array(parts) = run(&mut db, "ZSCAN big 0 COUNT 100") else { panic!("a page") };
    let Reply::Array(page) = &parts[1] else { panic!("members and scores") };
    assert_eq!(page.len(), 200);
    assert_ne!(parts[0], Reply::bulk("0"));
}
