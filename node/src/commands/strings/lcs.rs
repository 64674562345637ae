//! The longest common subsequence of two strings.

use bytes::Bytes;

use crate::base::limits::BULK_BYTES_MAX;
use crate::commands::args::Args;
use crate::commands::declare::documentation::ArgumentName;
use crate::commands::declare::syntax::Kind;
use crate::commands::declare::{Arity, Command, CommandResult, Keys, ReadCost, Run};
use crate::commands::run::ReadContext;
use crate::data::types::StringValue;
use crate::resp::{Reply, ReplyError};

pub(super) const LCS: Command = Command {
    name: "LCS",
    summary: "Finds the longest common subsequence of the strings stored at two keys.",
    since: "7.0.0",
    complexity: "O(N*M), N and M being the lengths of the strings",
    syntax: "key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]",
    arity: Arity::AtLeast(3),
    keys: Keys::Range { first: 1, last: 2, step: 1 },
    cost: ReadCost::Product,
    argument_names: &[ArgumentName::single("min-match-len", "len").of_type(Kind::Integer)],
    run: Run::Read(lcs),
    ..Command::NEW
};

fn lcs(ctx: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    let (first, second) = (text(ctx, args.next()?), text(ctx, args.next()?));
    let no_strings = |_| ReplyError::new("ERR The specified keys must contain string values");
    let (first, second) = (first.map_err(no_strings)?, second.map_err(no_strings)?);
    let options = Options::parse(args)?;
    let table = Table::new(&first, &second)?;
    if options.only_length {
        return Ok(Reply::count(table.length()));
    }
    let pairs = table.walk();
    if !options.positions {
        let text: Vec<u8> = pairs.iter().rev().map(|(first_at, _)| first[*first_at]).collect();
        return Ok(Reply::Bulk(text.into()));
    }
    let matches = runs(&pairs).filter(|run| run.length >= options.shortest);
    let matches = matches.map(|run| run.reply(options.with_lengths)).collect();
    Ok(Reply::Map(vec![
        (Reply::bulk("matches"), Reply::Array(matches)),
        (Reply::bulk("len"), Reply::count(table.length())),
    ]))
}

fn text(ctx: &ReadContext<'_>, key: &[u8]) -> Result<Bytes, ReplyError> {
    Ok(ctx.get::<StringValue>(key)?.map(StringValue::bytes).unwrap_or_default())
}

#[derive(Debug, Default)]
struct Options {
    only_length: bool,
    positions: bool,
    with_lengths: bool,
    shortest: usize,
}

impl Options {
    fn parse(mut args: Args<'_>) -> Result<Self, ReplyError> {
        let mut options = Self::default();
        while !args.is_empty() {
            if args.keyword("IDX") {
                options.positions = true;
            } else if args.keyword("LEN") {
                options.only_length = true;
            } else if args.keyword("WITHMATCHLEN") {
                options.with_lengths = true;
            } else if args.keyword("MINMATCHLEN") {
                options.shortest = usize::try_from(args.integer()?).unwrap_or(0);
            } else {
                return Err(ReplyError::SYNTAX);
            }
        }
        if options.positions && options.only_length {
            return Err(ReplyError::new(
                "ERR If you want both the length and indexes, please just use IDX.",
            ));
        }
        Ok(options)
    }
}

/// Lengths for every pair of prefixes, row by row; row and column 0 are the empty prefixes.
struct Table<'a> {
    first: &'a [u8],
    second: &'a [u8],
    lengths: Vec<u32>,
}

impl<'a> Table<'a> {
    fn new(first: &'a [u8], second: &'a [u8]) -> Result<Self, ReplyError> {
        let width = second.len() + 1;
        let cells = (first.len() + 1)
            .checked_mul(width)
            .filter(|cells| *cells <= BULK_BYTES_MAX / size_of::<u32>())
            .ok_or_else(|| {
                ReplyError::new(
                    "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
                )
            })?;
        let mut lengths = vec![0; cells];
        for (row, left) in first.iter().enumerate() {
            let (above, current) = lengths[row * width..(row + 2) * width].split_at_mut(width);
            for (column, right) in second.iter().enumerate() {
                current[column + 1] = match left == right {
                    true => above[column] + 1,
                    false => above[column + 1].max(current[column]),
                };
            }
        }
        Ok(Self { first, second, lengths })
    }

    fn at(&self, rows: usize, columns: usize) -> u32 {
        self.lengths[rows * (self.second.len() + 1) + columns]
    }

    fn length(&self) -> usize {
        self.at(self.first.len(), self.second.len()) as usize
    }

    /// Positions of the common bytes, the last first. Among equally long subsequences the choice is
    /// that of Redis: at a tie it steps back in the second string.
    fn walk(&self) -> Vec<(usize, usize)> {
        let mut pairs = Vec::with_capacity(self.length());
        let (mut rows, mut columns) = (self.first.len(), self.second.len());
        while rows > 0 && columns > 0 {
            if self.first[rows - 1] == self.second[columns - 1] {
                (rows, columns) = (rows - 1, columns - 1);
                pairs.push((rows, columns));
            } else if self.at(rows - 1, columns) > self.at(rows, columns - 1) {
                rows -= 1;
            } else {
                columns -= 1;
            }
        }
        pairs
    }
}

/// Common bytes that are adjacent in both strings.
struct Match {
    first_start: usize,
    second_start: usize,
    length: usize,
}

impl Match {
    fn reply(&self, with_length: bool) -> Reply {
        let range = |start: usize| {
            Reply::Array(vec![Reply::count(start), Reply::count(start + self.length - 1)])
        };
        let mut reply = vec![range(self.first_start), range(self.second_start)];
        if with_length {
            reply.push(Reply::count(self.length));
        }
        Reply::Array(reply)
    }
}

fn runs(pairs: &[(usize, usize)]) -> impl Iterator<Item = Match> {
    let is_next =
        |after: &(usize, usize), before: &(usize, usize)| *after == (before.0 + 1, before.1 + 1);
    pairs.chunk_by(is_next).filter_map(|run| {
        let (first_start, second_start) = *run.last()?;
        Some(Match { first_start, second_start, length: run.len() })
    })
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::TestDatabase;
    use crate::resp::{Reply, ReplyError};

    fn filled() -> TestDatabase {
        let mut db = TestDatabase::new();
        db.run(["MSET", "a", "ohmytext", "b", "mynewtext"]);
        db
    }

    fn range(start: i64, end: i64) -> Reply {
        Reply::Array(vec![Reply::Integer(start), Reply::Integer(end)])
    }

    #[test]
    fn text_length_and_positions_are_those_of_a_real_redis() {
        let mut db = filled();
        assert_eq!(db.run(["LCS", "a", "b"]), Reply::bulk("mytext"));
        assert_eq!(db.run(["LCS", "a", "b", "LEN"]), Reply::Integer(6));
        let long = Reply::Array(vec![range(4, 7), range(5, 8), Reply::Integer(4)]);
        let short = Reply::Array(vec![range(2, 3), range(0, 1), Reply::Integer(2)]);
        let reply = |matches: Vec<Reply>| {
            Reply::Map(vec![
                (Reply::bulk("matches"), Reply::Array(matches)),
                (Reply::bulk("len"), Reply::Integer(6)),
            ])
        };
        let argv = ["LCS", "a", "b", "IDX", "WITHMATCHLEN"];
        assert_eq!(db.run(argv), reply(vec![long.clone(), short]));
        let argv = ["LCS", "a", "b", "IDX", "WITHMATCHLEN", "MINMATCHLEN", "4"];
        assert_eq!(db.run(argv), reply(vec![long]));
        let without = Reply::Array(vec![range(4, 7), range(5, 8)]);
        let argv = ["LCS", "a", "b", "IDX", "MINMATCHLEN", "3"];
        assert_eq!(db.run(argv), reply(vec![without]));
    }

    #[test]
    fn a_missing_key_counts_as_empty() {
        let mut db = filled();
        assert_eq!(db.run(["LCS", "a", "none"]), Reply::bulk(""));
        assert_eq!(db.run(["LCS", "none", "a", "LEN"]), Reply::Integer(0));
    }

    #[test]
    fn bad_options_types_and_sizes_are_refused() {
        let mut db = filled();
        let mut check = |argv: &[&str], text: &'static str| {
            assert_eq!(db.run(argv), ReplyError::new(text).into(), "{argv:?}");
        };
        let both = "ERR If you want both the length and indexes, please just use IDX.";
        check(&["LCS", "a", "b", "LEN", "IDX"], both);
        check(&["LCS", "a", "b", "other"], "ERR syntax error");
        check(&["LCS", "a", "b", "MINMATCHLEN"], "ERR syntax error");
        let number = "ERR value is not an integer or out of range";
        check(&["LCS", "a", "b", "MINMATCHLEN", "x"], number);
        db.run(["HSET", "h", "f", "v"]);
        let mut check = |argv: &[&str], text: &'static str| {
            assert_eq!(db.run(argv), ReplyError::new(text).into(), "{argv:?}");
        };
        check(&["LCS", "a", "h"], "ERR The specified keys must contain string values");
        let large = "x".repeat(5000);
        db.run(["MSET", "a", &large, "b", &large]);
        let text = "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len";
        assert_eq!(db.run(["LCS", "a", "b"]), ReplyError::new(text).into());
    }
}
