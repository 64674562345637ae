//! Lists.

mod edit;
mod find;
mod pop;
mod push;
mod read;
mod transfer;

pub(super) const FAMILY: Family = Family {
    group: "list",
    category: "@list",
    commands: &[
        transfer::LMOVE,
        pop::LMPOP,
        read::LINDEX,
        edit::LINSERT,
        read::LLEN,
        pop::LPOP,
        find::LPOS,
        push::LPUSH,
        push::LPUSHX,
        read::LRANGE,
        edit::LREM,
        edit::LSET,
        edit::LTRIM,
        pop::RPOP,
        transfer::RPOPLPUSH,
        push::RPUSH,
        push::RPUSHX,
    ],
};

#[cfg(test)]
#[path = "lists_test.rs"]
mod tests;

use crate::commands::declare::Family;
