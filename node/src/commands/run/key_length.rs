//! The limit of key names. A name is part of every log entry that removes its key and of every
//! index, so it must not be used to store data.

use bytes::Bytes;

use crate::commands::declare::{Command, Flags, Run};

/// Whether the command could create a key with a name of more than `bytes_max`. Keys that it only
/// reads or takes from do not count, so that existing keys can be moved and removed.
pub fn creates_too_long_key(command: &Command, argv: &[Bytes], bytes_max: u64) -> bool {
    let too_long = |arg: &Bytes| arg.len() as u64 > bytes_max;
    // Long values pass this check too, but they are rare.
    if !argv.iter().any(too_long) || !may_create_keys(command) {
        return false;
    }
    let Some(positions) = command.keys.positions(argv) else { return false };
    let mut keys = positions.iter().enumerate();
    keys.any(|(number, at)| {
        command.key_use(number).may_create() && argv.get(*at).is_some_and(too_long)
    })
}

fn may_create_keys(command: &Command) -> bool {
    let creates = command.flags.has(Flags::DENY_OOM) || command.flags.has(Flags::CREATES_KEY);
    creates && matches!(command.run, Run::Write(_))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::commands::table;

    fn refuses(line: &str) -> bool {
        let long = "k".repeat(11);
        let argv: Vec<Bytes> =
            line.split(' ').map(|arg| Bytes::from(arg.replace("LONG", &long))).collect();
        creates_too_long_key(table::find(&argv).unwrap().command, &argv, 10)
    }

    #[test]
    fn no_command_gives_a_key_a_name_that_is_too_long() {
        for line in [
            "SET LONG 1",
            "MSET a 1 LONG 2",
            "APPEND LONG 1",
            "LPUSH LONG 1",
            "SADD LONG 1",
            "HSET LONG f 1",
            "ZADD LONG 1 a",
            "INCR LONG",
            "RENAME a LONG",
            "RENAMENX a LONG",
            "COPY a LONG",
            "RESTORE LONG 0 x",
            "SMOVE a LONG m",
            "LMOVE a LONG LEFT LEFT",
            "SUNIONSTORE LONG a b",
            "SINTERSTORE LONG a b",
            "ZUNIONSTORE LONG 1 a",
            "ZRANGESTORE LONG a 0 1",
        ] {
            assert!(refuses(line), "{line}");
        }
    }

    #[test]
    fn a_key_that_has_such_a_name_can_be_read_and_removed() {
        for line in [
            "GET LONG",
            "DEL LONG",
            "UNLINK a LONG",
            "EXPIRE LONG 1",
            "RENAME LONG a",
            "COPY LONG a",
            "SMOVE LONG a m",
            "LMOVE LONG a LEFT LEFT",
            "SUNIONSTORE a LONG",
            "ZUNIONSTORE a 1 LONG",
            "SET a LONG",
            "SADD a LONG",
            "LPOP LONG",
        ] {
            assert!(!refuses(line), "{line}");
        }
    }

    /// The limit must apply to a new command that creates keys, too.
    #[test]
    fn every_write_that_inserts_a_key_needs_memory_or_declares_that_it_creates_keys() {
        for row in table::rows() {
            let command = row.command;
            let inserts = (0..2).any(|number| command.key_use(number).inserts());
            let is_write = matches!(command.run, Run::Write(_));
            assert!(!inserts || !is_write || may_create_keys(command), "{}", row.full_name());
        }
    }
}
