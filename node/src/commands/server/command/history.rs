//! What COMMAND DOCS tells of the past of a command: when its arguments and replies changed in
//! Redis, and what took its place.

use crate::commands::table::Resolved;

/// Redis version and what it brought.
type Change = (&'static str, &'static str);

const CONDITIONS: &[Change] = &[("7.0.0", "Conditions NX, XX, GT and LT.")];
const MANY_ELEMENTS: &[Change] = &[("2.4.0", "Several elements at once.")];
const COUNT: &[Change] = &[("6.2.0", "A count.")];
const MISSING_KEY: &[Change] = &[("2.8.0", "-2 for a key that does not exist.")];
const FLUSH_MODES: &[Change] = &[("4.0.0", "ASYNC."), ("6.2.0", "SYNC.")];
const RESTORE: &[Change] =
    &[("3.0.0", "REPLACE."), ("5.0.0", "ABSTTL."), ("5.0.0", "IDLETIME and FREQ.")];

/// The changes of a command, oldest first.
pub(super) fn changes(row: &Resolved) -> &'static [Change] {
    match row.full_name().as_str() {
        "auth" => &[("6.0.0", "A user name before the password.")],
        "bgsave" => &[("3.2.2", "SCHEDULE.")],
        "client|kill" => &[
            ("2.8.12", "Filters in place of an address."),
            ("2.8.12", "ID."),
            ("3.2.0", "The type master."),
            ("5.0.0", "The type replica; slave means the same."),
            ("6.2.0", "LADDR."),
        ],
        "client|list" => &[
            ("2.8.12", "The field id."),
            ("5.0.0", "TYPE."),
            ("6.0.0", "The field user."),
            ("6.2.0", "ID, and the fields argv-mem, tot-mem, laddr and redir."),
            ("7.0.0", "The fields resp, multi-mem, rbs and rbp."),
            ("7.0.3", "The field ssub."),
        ],
        "client|pause" => &[("6.2.0", "A mode: WRITE holds back writes only.")],
        "cluster|slots" => &[("4.0.0", "Node ids."), ("7.0.0", "More about each node's network.")],
        "command|info" => &[("7.0.0", "Without names, all commands.")],
        "config|get" => &[("7.0.0", "Several patterns at once.")],
        "config|set" => &[("7.0.0", "Several parameters at once.")],
        "exists" => &[("3.0.3", "Several keys at once.")],
        "expire" | "expireat" | "pexpire" | "pexpireat" => CONDITIONS,
        "flushall" | "flushdb" => FLUSH_MODES,
        "hdel" => &[("2.4.0", "Several fields at once.")],
        "hello" => &[("6.2.0", "Without a version it only describes the connection.")],
        "hset" => &[("4.0.0", "Several fields at once.")],
        "info" => &[("7.0.0", "Several sections at once.")],
        "lpop" | "rpop" => COUNT,
        "lpush" | "rpush" | "sadd" | "srem" | "zrem" => MANY_ELEMENTS,
        "lpushx" | "rpushx" => &[("4.0.0", "Several elements at once.")],
        "pttl" | "ttl" => MISSING_KEY,
        "renamenx" => &[("3.2.0", "No error when both names are the same.")],
        "restore" | "restore-asking" => RESTORE,
        "scan" => &[("6.0.0", "TYPE.")],
        "set" => &[
            ("2.6.12", "EX, PX, NX and XX."),
            ("6.0.0", "KEEPTTL."),
            ("6.2.0", "GET, EXAT and PXAT."),
            ("7.0.0", "NX and GET in one command."),
        ],
        "shutdown" => &[("7.0.0", "NOW, FORCE and ABORT.")],
        "slowlog|get" => &[("4.0.0", "Address and name of the client.")],
        "spop" => &[("3.2.0", "A count.")],
        "srandmember" => &[("2.6.0", "A count.")],
        "zadd" => &[
            ("2.4.0", "Several members at once."),
            ("3.0.2", "XX, NX, CH and INCR."),
            ("6.2.0", "GT and LT."),
        ],
        "zrange" => &[("6.2.0", "REV, BYSCORE, BYLEX and LIMIT.")],
        "zrangebyscore" => &[("2.0.0", "WITHSCORES.")],
        "zrevrangebyscore" => &[("2.1.6", "Bounds that do not belong to the range.")],
        _ => &[],
    }
}

/// Since when a command is deprecated, and what takes its place.
pub(super) fn deprecation(row: &Resolved) -> Option<(&'static str, &'static str)> {
    Some(match row.full_name().as_str() {
        "cluster|slots" => ("7.0.0", "CLUSTER SHARDS"),
        "getset" => ("6.2.0", "SET with GET"),
        "hmset" => ("4.0.0", "HSET with several fields"),
        "rpoplpush" => ("6.2.0", "LMOVE with RIGHT and LEFT"),
        "slaveof" => ("5.0.0", "REPLICAOF"),
        "substr" => ("2.0.0", "GETRANGE"),
        "zrangebylex" => ("6.2.0", "ZRANGE with BYLEX"),
        "zrangebyscore" => ("6.2.0", "ZRANGE with BYSCORE"),
        "zrevrange" => ("6.2.0", "ZRANGE with REV"),
        "zrevrangebylex" => ("6.2.0", "ZRANGE with REV and BYLEX"),
        "zrevrangebyscore" => ("6.2.0", "ZRANGE with REV and BYSCORE"),
        _ => return None,
    })
}

/// Commands that Redis uses by itself and that nobody should send.
pub(super) fn is_internal(row: &Resolved) -> bool {
    matches!(row.full_name().as_str(), "debug" | "restore-asking")
}
