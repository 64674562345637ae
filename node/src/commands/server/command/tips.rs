//! Tips of COMMAND INFO: what a client or a proxy in front of many nodes may do with a command and
//! with its replies, in Redis' words.

use crate::commands::table::Resolved;

/// Two answers to the same question may differ.
const VARIES: &[&str] = &["nondeterministic_output"];

/// Two answers to the same question may have another order.
const REORDERS: &[&str] = &["nondeterministic_output_order"];

const EVERY_NODE_OR_FAIL: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];

const EVERY_SHARD_OR_FAIL: &[&str] =
    &["request_policy:all_shards", "response_policy:all_succeeded"];

const NODE_REPORT: &[&str] =
    &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"];

const SHARD_REPORT: &[&str] =
    &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"];

/// The tips of a command, most have none.
pub(super) fn tips_of(row: &Resolved) -> &'static [&'static str] {
    match row.full_name().as_str() {
        "client|info"
        | "client|list"
        | "lastsave"
        | "time"
        | "cluster|getkeysinslot"
        | "cluster|info"
        | "cluster|links"
        | "cluster|nodes"
        | "cluster|shards"
        | "cluster|slots"
        | "dump"
        | "object|encoding"
        | "object|freq"
        | "object|idletime"
        | "object|refcount"
        | "pttl"
        | "ttl"
        | "hrandfield"
        | "hscan"
        | "spop"
        | "srandmember"
        | "sscan"
        | "zrandmember"
        | "zscan" => VARIES,
        "command" | "command|docs" | "command|info" | "command|list" | "module|list"
        | "hgetall" | "hkeys" | "hvals" | "sdiff" | "sinter" | "smembers" | "sunion" => REORDERS,
        "config|set" | "latency|reset" | "slowlog|reset" => EVERY_NODE_OR_FAIL,
        "ping" | "flushall" | "flushdb" | "memory|purge" => EVERY_SHARD_OR_FAIL,
        "latency|doctor" | "latency|graph" | "latency|histogram" | "latency|history"
        | "latency|latest" => NODE_REPORT,
        "info" | "memory|doctor" | "memory|malloc-stats" | "memory|stats" => SHARD_REPORT,
        "slowlog|get" => &["request_policy:all_nodes", "nondeterministic_output"],
        "slowlog|len" => {
            &["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"]
        }
        "dbsize" => &["request_policy:all_shards", "response_policy:agg_sum"],
        "wait" => &["request_policy:all_shards", "response_policy:agg_min"],
        "keys" => &["request_policy:all_shards", "nondeterministic_output_order"],
        "randomkey" => &["request_policy:all_shards", "nondeterministic_output"],
        "scan" => &["nondeterministic_output", "request_policy:special"],
        "del" | "exists" | "touch" | "unlink" => {
            &["request_policy:multi_shard", "response_policy:agg_sum"]
        }
        "mget" => &["request_policy:multi_shard"],
        "mset" => &["request_policy:multi_shard", "response_policy:all_succeeded"],
        "msetnx" => &["request_policy:multi_shard", "response_policy:agg_min"],
        _ => &[],
    }
}
