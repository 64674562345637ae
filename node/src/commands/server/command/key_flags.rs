//! How a command uses its keys, in Redis' words. Derived for most: a read accesses its keys, a
//! write accesses and updates them. Here are those that do less or more.

use bytes::Bytes;

use crate::commands::command::Run;
use crate::commands::table::Resolved;

const ONLY_LOOKS: &[&str] = &[
    "exists",
    "hexists",
    "hlen",
    "hstrlen",
    "llen",
    "memory|usage",
    "object|encoding",
    "object|freq",
    "object|idletime",
    "object|refcount",
    "scard",
    "sismember",
    "strlen",
    "touch",
    "type",
    "watch",
    "xlen",
    "zcard",
];

const UPDATES: &[&str] = &[
    "expire",
    "expireat",
    "geoadd",
    "hmset",
    "hset",
    "lset",
    "persist",
    "pexpire",
    "pexpireat",
    "setrange",
    "xack",
    "xadd",
    "xclaim",
    "xsetid",
    "zadd",
];

const TAKES: &[&str] = &[
    "blmpop", "blpop", "brpop", "bzmpop", "bzpopmax", "bzpopmin", "getdel", "lmpop", "lpop",
    "rpop", "spop", "zmpop", "zpopmax", "zpopmin",
];

const DELETES: &[&str] = &[
    "hdel",
    "lrem",
    "ltrim",
    "srem",
    "xdel",
    "xtrim",
    "zrem",
    "zremrangebylex",
    "zremrangebyrank",
    "zremrangebyscore",
];

const INSERTS: &[&str] =
    &["append", "hsetnx", "linsert", "lpush", "lpushx", "pfadd", "rpush", "rpushx", "sadd"];

/// Destination first, then sources.
const STORES: &[&str] = &[
    "bitop",
    "geosearchstore",
    "sdiffstore",
    "sunionstore",
    "zdiffstore",
    "zinterstore",
    "zrangestore",
    "zunionstore",
];

const MOVES: &[&str] = &["blmove", "brpoplpush", "lmove", "rpoplpush", "smove"];

/// Redis' words for the key with this number among the keys of a command, separated by spaces.
pub(super) fn flags_of(row: &Resolved, key: usize) -> &'static str {
    let name = row.full_name();
    let name = name.as_str();
    let first = key == 0;
    match name {
        "set" | "bitfield" => "RW access update variable_flags",
        "del" | "unlink" => "RM delete",
        "mset" | "psetex" | "restore" | "restore-asking" | "setex" => "OW update",
        "msetnx" | "setnx" => "OW insert",
        "pfcount" => "RW access",
        "rename" | "renamenx" if first => "RW access delete",
        "rename" => "OW update",
        "renamenx" => "OW insert",
        "copy" if first => "RO access",
        "copy" => "OW update",
        "sinterstore" if first => "RW update",
        "sinterstore" => "RO access",
        "pfmerge" if first => "RW access insert",
        "pfmerge" => "RO access",
        "sort" if first => "RO access",
        "sort" => "OW update",
        _ if ONLY_LOOKS.contains(&name) => "RO",
        _ if UPDATES.contains(&name) => "RW update",
        _ if TAKES.contains(&name) => "RW access delete",
        _ if DELETES.contains(&name) => "RW delete",
        _ if INSERTS.contains(&name) => "RW insert",
        _ if STORES.contains(&name) => ["OW update", "RO access"][usize::from(!first)],
        _ if MOVES.contains(&name) => ["RW access delete", "RW insert"][usize::from(!first)],
        _ if matches!(row.command.run, Run::Write(_)) => "RW access update",
        _ => "RO access",
    }
}

/// As [`flags_of`], for a whole command: SET reads the key only when GET asks for it.
pub(super) fn flags_in(row: &Resolved, key: usize, words: &[Bytes]) -> &'static str {
    let gets = || words.iter().skip(3).any(|word| word.eq_ignore_ascii_case(b"GET"));
    match row.full_name().as_str() {
        "set" if gets() => "RW access update",
        "set" => "OW update",
        _ => flags_of(row, key),
    }
}

/// Whether the second key of a command with two is used in another way than the first.
pub(super) fn differ(row: &Resolved) -> bool {
    flags_of(row, 0) != flags_of(row, 1)
}
