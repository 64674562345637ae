//! Sets.

mod algebra;
mod combine;
mod members;
mod random;
mod scan;

pub(super) const FAMILY: Family = Family {
    group: "set",
    category: "@set",
    commands: &[
        members::SADD,
        members::SCARD,
        combine::SDIFF,
        combine::SDIFFSTORE,
        combine::SINTER,
        combine::SINTERCARD,
        combine::SINTERSTORE,
        members::SISMEMBER,
        members::SMEMBERS,
        members::SMISMEMBER,
        members::SMOVE,
        random::SPOP,
        random::SRANDMEMBER,
        members::SREM,
        scan::SSCAN,
        combine::SUNION,
        combine::SUNIONSTORE,
    ],
};

#[cfg(test)]
#[path = "sets_test.rs"]
mod tests;

use crate::commands::declare::Family;
