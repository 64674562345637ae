//! Keys of any type: deleting, expiring, renaming, copying, finding and inspecting them.

mod copy;
mod delete;
mod dump;
mod expire;
mod iterate;
mod object;
mod rename;
mod ttl;

use crate::commands::declare::Family;

pub(super) const FAMILY: Family = Family {
    group: "generic",
    category: "@keyspace",
    commands: &[
        copy::COPY,
        delete::DEL,
        dump::DUMP,
        delete::EXISTS,
        expire::EXPIRE,
        expire::EXPIREAT,
        ttl::EXPIRETIME,
        iterate::KEYS,
        copy::MOVE,
        object::OBJECT,
        expire::PERSIST,
        expire::PEXPIRE,
        expire::PEXPIREAT,
        ttl::PEXPIRETIME,
        ttl::PTTL,
        iterate::RANDOMKEY,
        rename::RENAME,
        rename::RENAMENX,
        dump::RESTORE,
        dump::RESTORE_ASKING,
        iterate::SCAN,
        delete::TOUCH,
        ttl::TTL,
        object::TYPE,
        delete::UNLINK,
    ],
};
