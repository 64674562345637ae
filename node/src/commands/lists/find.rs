//! Searching a list for an element.

use bytes::Bytes;

use crate::commands::args::{Args, numbers};
use crate::commands::declare::{Arity, Command, CommandResult, Keys, Run};
use crate::commands::run::ReadContext;
use crate::data::types::ListValue;
use crate::resp::{Reply, ReplyError};

pub(super) const LPOS: Command = Command {
    name: "LPOS",
    summary: "Returns the index of elements of a list that equal a given one.",
    since: "6.0.6",
    complexity: "O(N), N: elements compared",
    syntax: "key element [RANK rank] [COUNT num-matches] [MAXLEN len]",
    arity: Arity::AtLeast(3),
    keys: Keys::First,
    run: Run::Read(lpos),
    ..Command::NEW
};

struct Search {
    /// How many matches to skip.
    skip: usize,
    from_tail: bool,
    /// `None` for the first match alone, not in an array.
    count: Option<usize>,
    /// Maximum number of elements to compare.
    compare_max: usize,
}

impl Search {
    fn parse(args: &mut Args<'_>) -> Result<Self, ReplyError> {
        let mut search = Self { skip: 0, from_tail: false, count: None, compare_max: usize::MAX };
        while !args.is_empty() {
            if args.keyword("RANK") {
                let rank = numbers::negatable(args)?;
                if rank == 0 {
                    return Err(RANK_ZERO);
                }
                search.from_tail = rank < 0;
                search.skip = usize::try_from(rank.unsigned_abs() - 1).unwrap_or(usize::MAX);
            } else if args.keyword("COUNT") {
                let count = numbers::at_least(args, 0, "ERR COUNT can't be negative")?;
                search.count = Some(all_if_zero(count));
            } else if args.keyword("MAXLEN") {
                let len = numbers::at_least(args, 0, "ERR MAXLEN can't be negative")?;
                search.compare_max = all_if_zero(len);
            } else {
                return Err(ReplyError::SYNTAX);
            }
        }
        Ok(search)
    }

    fn run<'a>(
        &self,
        items: impl Iterator<Item = (usize, &'a Bytes)>,
        element: &[u8],
    ) -> Vec<Reply> {
        items
            .take(self.compare_max)
            .filter(|(_, item)| item.as_ref() == element)
            .map(|(index, _)| Reply::count(index))
            .skip(self.skip)
            .take(self.count.unwrap_or(1))
            .collect()
    }
}

pub(super) const RANK_ZERO: ReplyError = ReplyError(std::borrow::Cow::Borrowed(
    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... \
     or use negative to start from the end of the list",
));

const fn all_if_zero(count: usize) -> usize {
    if count == 0 { usize::MAX } else { count }
}

fn lpos(ctx: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    let (key, element) = (args.next()?, args.next()?);
    let search = Search::parse(&mut args)?;
    let items = ctx.get::<ListValue>(key)?.map(|list| list.iter().enumerate());
    let mut found = match items {
        None => Vec::new(),
        Some(items) if search.from_tail => search.run(items.rev(), element),
        Some(items) => search.run(items, element),
    };
    Ok(match search.count {
        Some(_) => Reply::Array(found),
        None => found.pop().unwrap_or(Reply::Null),
    })
}
