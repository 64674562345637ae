//! The query of ZRANGE and similar commands: which members, in which direction, how many.

use super::bounds;
use crate::commands::args::{Args, numbers};
use crate::data::types::SortedSetValue;
use crate::data::types::sorted_set::{LexBound, ScoreBound, Scored};
use crate::resp::ReplyError;

/// The type of the bounds of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Rank,
    Score,
    Lex,
}

/// The end at which the reply begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Forward,
    Reverse,
}

/// What the name of a command determines; the options BYSCORE, BYLEX and REV decide what is `None`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    pub(super) by: Option<By>,
    pub(super) direction: Option<Direction>,
    /// Whether WITHSCORES is allowed.
    pub(super) may_have_scores: bool,
}

/// A parsed query.
#[derive(Debug)]
pub(super) struct Query {
    bounds: Bounds,
    direction: Direction,
    offset: i64,
    /// A negative limit means all.
    limit: i64,
    pub(super) with_scores: bool,
}

#[derive(Debug)]
enum Bounds {
    Rank(i64, i64),
    Score(ScoreBound, ScoreBound),
    Lex(LexBound, LexBound),
}

#[derive(Debug)]
struct Options {
    by: Option<By>,
    direction: Option<Direction>,
    limit: (i64, i64),
    with_scores: bool,
}

impl Options {
    fn parse(mut args: Args<'_>, form: Form) -> Result<Self, ReplyError> {
        let Form { by, direction, may_have_scores } = form;
        let mut options = Self { by, direction, limit: (0, -1), with_scores: false };
        while !args.is_empty() {
            if may_have_scores && args.keyword("WITHSCORES") {
                options.with_scores = true;
            } else if args.len() >= 3 && args.keyword("LIMIT") {
                options.limit = (args.integer()?, args.integer()?);
            } else if options.direction.is_none() && args.keyword("REV") {
                options.direction = Some(Direction::Reverse);
            } else if options.by.is_none() && args.keyword("BYLEX") {
                options.by = Some(By::Lex);
            } else if options.by.is_none() && args.keyword("BYSCORE") {
                options.by = Some(By::Score);
            } else {
                return Err(ReplyError::SYNTAX);
            }
        }
        Ok(options)
    }
}

pub(in crate::commands::sorted_sets) const LIMIT_BY_RANK: &str =
    "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX";

pub(in crate::commands::sorted_sets) const SCORES_BY_LEX: &str =
    "ERR syntax error, WITHSCORES not supported in combination with BYLEX";

impl Query {
    /// Parses both ends and the options after them.
    pub(super) fn parse(mut args: Args<'_>, form: Form) -> Result<Self, ReplyError> {
        let (start, stop) = (args.next()?, args.next()?);
        let options = Options::parse(args, form)?;
        let by = options.by.unwrap_or(By::Rank);
        let direction = options.direction.unwrap_or(Direction::Forward);
        let (offset, limit) = options.limit;
        if limit != -1 && by == By::Rank {
            return Err(ReplyError::new(LIMIT_BY_RANK));
        }
        if options.with_scores && by == By::Lex {
            return Err(ReplyError::new(SCORES_BY_LEX));
        }
        let (min, max) = match direction {
            Direction::Forward => (start, stop),
            Direction::Reverse => (stop, start),
        };
        let bounds = match by {
            By::Rank => {
                let ends = [start.clone(), stop.clone()];
                let mut ends = Args::new(&ends);
                Bounds::Rank(ends.integer()?, ends.integer()?)
            }
            By::Score => Bounds::Score(bounds::score(min)?, bounds::score(max)?),
            By::Lex => Bounds::Lex(bounds::lex(min)?, bounds::lex(max)?),
        };
        Ok(Self { bounds, direction, offset, limit, with_scores: options.with_scores })
    }

    /// The members of the query, in its direction.
    pub(super) fn run<'a>(&self, set: &'a SortedSetValue) -> Vec<&'a Scored> {
        let len = set.len();
        let range = match (&self.bounds, self.direction) {
            (Bounds::Rank(start, stop), Direction::Forward) => {
                return set.range(numbers::index_range(*start, *stop, len)).collect();
            }
            (Bounds::Rank(start, stop), Direction::Reverse) => {
                let range = numbers::index_range(*start, *stop, len);
                return set.range(len - range.end..len - range.start).rev().collect();
            }
            (Bounds::Score(min, max), _) => set.score_range(*min, *max),
            (Bounds::Lex(min, max), _) => set.lex_range(min, max),
        };
        let Ok(offset) = usize::try_from(self.offset) else { return Vec::new() };
        let (skipped, limit) =
            (offset.min(range.len()), usize::try_from(self.limit).unwrap_or(usize::MAX));
        let taken = limit.min(range.len() - skipped);
        match self.direction {
            Direction::Forward => {
                let start = range.start + skipped;
                set.range(start..start + taken).collect()
            }
            Direction::Reverse => {
                let end = range.end - skipped;
                set.range(end - taken..end).rev().collect()
            }
        }
    }
}
