//! Strings.

mod append;
mod expiry_option;
mod get;
mod get_modify;
mod increment;
mod increment_float;
mod lcs;
mod multi_key;
mod set;
mod shared;

use crate::commands::declare::Family;

pub(super) const FAMILY: Family = Family {
    group: "string",
    category: "@string",
    commands: &[
        get::GET,
        get::STRLEN,
        get_modify::GETDEL,
        get_modify::GETEX,
        get_modify::GETSET,
        set::SET,
        set::SETNX,
        set::SETEX,
        set::PSETEX,
        multi_key::MGET,
        multi_key::MSET,
        multi_key::MSETNX,
        increment::INCR,
        increment::DECR,
        increment::INCRBY,
        increment::DECRBY,
        increment_float::INCRBYFLOAT,
        append::APPEND,
        append::SETRANGE,
        get::GETRANGE,
        get::SUBSTR,
        lcs::LCS,
    ],
};
