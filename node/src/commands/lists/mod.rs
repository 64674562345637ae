//! Lists. Blocking forms will stand beside what they wait for: `pop` and `transfer` do the work.

mod edit;
mod find;
mod pop;
mod push;
mod read;
mod transfer;

use super::command::Family;

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
