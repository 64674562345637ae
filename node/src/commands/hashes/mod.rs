//! Hashes.

mod hdel;
mod hget;
mod hgetall;
mod hincrby;
mod hrandfield;
mod hscan;
mod hset;

pub(super) const FAMILY: Family = Family {
    group: "hash",
    category: "@hash",
    commands: &[
        hdel::HDEL,
        hget::HEXISTS,
        hget::HGET,
        hgetall::HGETALL,
        hincrby::HINCRBY,
        hincrby::HINCRBYFLOAT,
        hgetall::HKEYS,
        hget::HLEN,
        hget::HMGET,
        hset::HMSET,
        hrandfield::HRANDFIELD,
        hscan::HSCAN,
        hset::HSET,
        hset::HSETNX,
        hget::HSTRLEN,
        hgetall::HVALS,
    ],
};

#[cfg(test)]
#[path = "hashes_test.rs"]
mod tests;

use crate::commands::declare::Family;
