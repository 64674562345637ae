#![allow(clippy::unwrap_used)]

use crate::commands::sorted_sets::tests::{
    NOT_INTEGER, SYNTAX, WRONG_TYPE, array, check, error, int, pairs,
};

const THREE_SETS: [&str; 3] = ["ZADD a 1 x 2 y 3 z", "ZADD b 10 y 20 z 30 w", "SADD s z w v"];

fn check_with_sets(cases: Vec<(&str, crate::resp::Reply)>) -> Vec<&'static str> {
    let filled = THREE_SETS.iter().map(|line| (*line, int(3)));
    let mut db = check(filled.chain(cases).collect());
    db.events().into_iter().skip(3).map(|(name, _)| name).collect()
}

#[test]
fn scores_are_weighted_and_aggregated() {
    check_with_sets(vec![
        ("ZUNION 2 a b", array(&["x", "y", "z", "w"])),
        ("ZUNION 2 a b WITHSCORES", pairs(&[("x", 1.0), ("y", 12.0), ("z", 23.0), ("w", 30.0)])),
        (
            "ZUNION 2 a s WITHSCORES",
            pairs(&[("v", 1.0), ("w", 1.0), ("x", 1.0), ("y", 2.0), ("z", 4.0)]),
        ),
        ("ZUNION 1 s WITHSCORES", pairs(&[("v", 1.0), ("w", 1.0), ("z", 1.0)])),
        ("ZUNION 2 a none", array(&["x", "y", "z"])),
        ("ZINTER 2 a b WITHSCORES WEIGHTS 2 0.5", pairs(&[("y", 9.0), ("z", 16.0)])),
        ("ZINTER 2 a b AGGREGATE MIN WITHSCORES", pairs(&[("y", 2.0), ("z", 3.0)])),
        ("ZINTER 2 a b AGGREGATE MAX WITHSCORES", pairs(&[("y", 10.0), ("z", 20.0)])),
        ("ZINTER 3 a b s aggregate sum withscores", pairs(&[("z", 24.0)])),
        ("ZINTER 2 a none", array(&[])),
        ("ZINTER 2 a a WITHSCORES", pairs(&[("x", 2.0), ("y", 4.0), ("z", 6.0)])),
        ("ZDIFF 2 a b WITHSCORES", pairs(&[("x", 1.0)])),
        ("ZDIFF 2 a none", array(&["x", "y", "z"])),
        ("ZDIFF 2 none a", array(&[])),
        ("ZDIFF 2 a a", array(&[])),
        ("ZDIFF 3 s a b", array(&["v"])),
        ("ZINTERCARD 2 a b", int(2)),
        ("ZINTERCARD 2 a b LIMIT 1", int(1)),
        ("ZINTERCARD 2 a b LIMIT 0", int(2)),
    ]);
}

#[test]
fn infinities_that_cancel_count_as_zero() {
    check(vec![
        ("ZADD a inf m", int(1)),
        ("ZADD b -inf m", int(1)),
        ("ZUNION 2 a b WITHSCORES", pairs(&[("m", 0.0)])),
        ("ZINTER 2 a b WITHSCORES", pairs(&[("m", 0.0)])),
        ("ZUNION 1 a WEIGHTS 0 WITHSCORES", pairs(&[("m", 0.0)])),
        ("ZUNION 1 a WEIGHTS -inf WITHSCORES", pairs(&[("m", f64::NEG_INFINITY)])),
    ]);
}

#[test]
fn results_are_stored_and_empty_ones_remove_the_key() {
    let names = check_with_sets(vec![
        ("ZUNIONSTORE d 2 a b WEIGHTS 1 2", int(4)),
        ("ZRANGE d 0 -1 WITHSCORES", pairs(&[("x", 1.0), ("y", 22.0), ("z", 43.0), ("w", 60.0)])),
        ("ZINTERSTORE a 2 a b", int(2)),
        ("ZRANGE a 0 -1 WITHSCORES", pairs(&[("y", 12.0), ("z", 23.0)])),
        ("ZDIFFSTORE s 2 s a", int(2)),
        ("ZRANGE s 0 -1 WITHSCORES", pairs(&[("v", 1.0), ("w", 1.0)])),
        ("ZDIFFSTORE d 2 a a", int(0)),
        ("ZCARD d", int(0)),
        ("ZDIFFSTORE d 2 a a", int(0)),
    ]);
    assert_eq!(names, ["zunionstore", "zinterstore", "zdiffstore", "del"]);
}

#[test]
fn requests_are_checked_in_redis_order() {
    let no_key = |name: &str| {
        let text = format!("ERR at least 1 input key is needed for '{name}' command");
        crate::resp::Reply::Error(crate::resp::ReplyError::new(text))
    };
    check_with_sets(vec![
        ("ZINTER 0 a", no_key("zinter")),
        ("ZUNIONSTORE d 0 a", no_key("zunionstore")),
        ("ZINTERCARD -1 a", no_key("zintercard")),
        ("ZINTER abc a", NOT_INTEGER),
        ("ZINTER 2 a", SYNTAX),
        ("ZINTER 1 a WEIGHTS", SYNTAX),
        ("ZINTER 1 a WEIGHTS 1 2", SYNTAX),
        ("ZINTER 1 a WEIGHTS abc", error("ERR weight value is not a float")),
        ("ZINTER 1 a WEIGHTS nan", error("ERR weight value is not a float")),
        ("ZINTER 1 a AGGREGATE", SYNTAX),
        ("ZINTER 1 a AGGREGATE foo", SYNTAX),
        ("ZINTERSTORE d 1 a WITHSCORES", SYNTAX),
        ("ZDIFF 1 a WEIGHTS 1", SYNTAX),
        ("ZDIFF 1 a AGGREGATE SUM", SYNTAX),
        ("ZDIFFSTORE d 1 a WITHSCORES", SYNTAX),
        ("ZINTERCARD 1 a LIMIT -1", error("ERR LIMIT can't be negative")),
        ("ZINTERCARD 1 a LIMIT abc", error("ERR LIMIT can't be negative")),
        ("ZINTERCARD 1 a LIMIT", SYNTAX),
        ("ZINTERCARD 1 a WITHSCORES", SYNTAX),
        ("LPUSH l x", int(1)),
        ("ZUNION 2 a l", WRONG_TYPE),
        ("ZUNION 2 a l FOO", WRONG_TYPE),
        ("ZUNIONSTORE d 2 none l", WRONG_TYPE),
    ]);
}
