#![allow(clippy::unwrap_used)]

use crate::commands::testing::TestDatabase;
use crate::resp::{Reply, ReplyError};

fn bulk(text: &str) -> Reply {
    Reply::bulk(text)
}

#[test]
fn hset_counts_new_fields_and_refuses_half_a_pair() {
    let mut db = TestDatabase::new();
    assert_eq!(db.run(["HSET", "h", "a", "1", "b", "2"]), Reply::Integer(2));
    assert_eq!(db.run(["HSET", "h", "a", "3", "c", "4"]), Reply::Integer(1));
    assert_eq!(db.run(["HSET", "h", "a", "3", "c"]), Reply::Error(ReplyError::arity("hset")));
    assert_eq!(db.run(["HMSET", "h", "a", "5"]), Reply::OK);
    assert_eq!(db.run(["HMSET", "h", "a", "5", "x"]), Reply::Error(ReplyError::arity("hmset")));
    assert_eq!(
        db.run(["HMGET", "h", "a", "none", "c"]),
        Reply::Array(vec![bulk("5"), Reply::Null, bulk("4"),])
    );
    assert_eq!(
        db.run(["HGETALL", "h"]),
        Reply::Map(vec![(bulk("a"), bulk("5")), (bulk("b"), bulk("2")), (bulk("c"), bulk("4")),])
    );
}

#[test]
fn hsetnx_keeps_the_old_value() {
    let mut db = TestDatabase::new();
    assert_eq!(db.run(["HSETNX", "h", "a", "1"]), Reply::Integer(1));
    assert_eq!(db.run(["HSETNX", "h", "a", "2"]), Reply::Integer(0));
    assert_eq!(db.run(["HGET", "h", "a"]), bulk("1"));
}

#[test]
fn a_hash_is_removed_with_its_last_field() {
    let mut db = TestDatabase::new();
    db.run(["HSET", "h", "a", "1", "b", "2"]);
    db.events();
    assert_eq!(db.run(["HDEL", "h", "a", "b", "c"]), Reply::Integer(2));
    let events = db.events();
    assert_eq!(events, [("hdel", "h".to_owned()), ("del", "h".to_owned())]);
    assert_eq!(db.run(["HLEN", "h"]), Reply::Integer(0));
}

#[test]
fn hincrby_counts_and_refuses_other_texts_than_integers() {
    let mut db = TestDatabase::new();
    assert_eq!(db.run(["HINCRBY", "h", "n", "5"]), Reply::Integer(5));
    assert_eq!(db.run(["HINCRBY", "h", "n", "-7"]), Reply::Integer(-2));
    db.run(["HSET", "h", "t", "x", "max", "9223372036854775807"]);
    let refused = Reply::Error(ReplyError::new("ERR hash value is not an integer"));
    assert_eq!(db.run(["HINCRBY", "h", "t", "1"]), refused);
    assert_eq!(db.run(["HINCRBY", "h", "max", "1"]), Reply::Error(ReplyError::OVERFLOW));
    assert_eq!(db.run(["HINCRBY", "h", "n", "x"]), Reply::Error(ReplyError::NOT_INTEGER));
}

#[test]
fn another_type_is_refused() {
    let mut db = TestDatabase::new();
    db.run(["SET", "s", "v"]);
    for argv in [
        &["HSET", "s", "a", "1"][..],
        &["HGET", "s", "a"],
        &["HGETALL", "s"],
        &["HDEL", "s", "a"],
        &["HSCAN", "s", "0"],
        &["HRANDFIELD", "s"],
    ] {
        assert_eq!(db.run(argv), Reply::Error(ReplyError::WRONG_TYPE), "{argv:?}");
    }
}

#[test]
fn hrandfield_gives_distinct_fields_unless_the_count_is_negative() {
    let mut db = TestDatabase::new();
    for number in 0..300 {
        db.run(["HSET", "h", &format!("f{number}"), &number.to_string()]);
    }
    let Reply::Array(fields) = db.run(["HRANDFIELD", "h", "100"]) else { unreachable!() };
    let mut names: Vec<_> = fields.iter().map(|field| format!("{field:?}")).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 100);
    let Reply::Pairs(pairs) = db.run(["HRANDFIELD", "h", "-1000", "WITHVALUES"]) else {
        unreachable!()
    };
    assert_eq!(pairs.len(), 1000);
    assert_eq!(db.run(["HRANDFIELD", "none", "5"]), Reply::Array(Vec::new()));
    assert_eq!(db.run(["HRANDFIELD", "none"]), Reply::Null);
    let lowest = i64::MIN.to_string();
    let text = "ERR value is out of range, value must between -9223372036854775807 and \
                9223372036854775807";
    assert_eq!(db.run(["HRANDFIELD", "h", &lowest]), ReplyError::new(text).into());
    let lowest = (i64::MIN + 1).to_string();
    let refused = ReplyError::OUT_OF_RANGE.into();
    assert_eq!(db.run(["HRANDFIELD", "h", &lowest, "WITHVALUES"]), refused);
    assert_eq!(db.run(["HRANDFIELD", "h", "1", "other"]), ReplyError::SYNTAX.into());
}

#[test]
fn hincrbyfloat_counts_and_refuses_other_texts_than_floats() {
    let mut db = TestDatabase::new();
    assert_eq!(db.run(["HINCRBYFLOAT", "h", "n", "3.0"]), bulk("3"));
    assert_eq!(db.run(["HINCRBYFLOAT", "h", "n", "1.1"]), bulk("4.1"));
    db.run(["HSET", "h", "t", "x", "large", "inf", "e", "5.0e3"]);
    assert_eq!(db.run(["HINCRBYFLOAT", "h", "e", "2.0e2"]), bulk("5200"));
    let mut check = |field: &str, increment: &str, text: &'static str| {
        let reply = db.run(["HINCRBYFLOAT", "h", field, increment]);
        assert_eq!(reply, ReplyError::new(text).into(), "{field} {increment}");
    };
    check("n", "x", "ERR value is not a valid float");
    check("n", "inf", "ERR value is NaN or Infinity");
    check("t", "1", "ERR hash value is not a float");
    check("large", "1", "ERR increment would produce NaN or Infinity");
}

#[test]
fn hscan_filters_by_pattern() {
    let mut db = TestDatabase::new();
    db.run(["HSET", "h", "aa", "1", "b", "2"]);
    let page = Reply::Array(vec![bulk("0"), Reply::Array(vec![bulk("aa"), bulk("1")])]);
    assert_eq!(db.run(["HSCAN", "h", "0", "MATCH", "a*", "COUNT", "5"]), page);
    let fields = Reply::Array(vec![bulk("0"), Reply::Array(vec![bulk("aa"), bulk("b")])]);
    assert_eq!(db.run(["HSCAN", "h", "0", "NOVALUES"]), fields);
    let nothing = Reply::Array(vec![bulk("0"), Reply::Array(Vec::new())]);
    assert_eq!(db.run(["HSCAN", "none", "0", "COUNT", "x"]), nothing);
    assert_eq!(db.run(["HSCAN", "h", "0", "COUNT", "0"]), Reply::Error(ReplyError::SYNTAX));
    let refused = Reply::Error(ReplyError::new("ERR invalid cursor"));
    assert_eq!(db.run(["HSCAN", "h", "x"]), refused);
}
