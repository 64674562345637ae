//! Keys and options of ZUNION, ZINTER, ZDIFF and similar commands.

use bytes::Bytes;

use super::source::Source;
use crate::commands::args::{Args, numbers, parse_float};
use crate::commands::run::ReadContext;
use crate::resp::ReplyError;

/// How the scores of one member are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    pub(super) fn apply(self, first: f64, second: f64) -> f64 {
        match self {
            // The sum of both infinities counts as 0.
            Self::Sum => zero_if_nan(first + second),
            Self::Min => {
                if second < first {
                    second
                } else {
                    first
                }
            }
            Self::Max => {
                if second > first {
                    second
                } else {
                    first
                }
            }
        }
    }
}

/// Redis's convention where arithmetic with infinities has no result.
pub(super) fn zero_if_nan(number: f64) -> f64 {
    if number.is_nan() { 0.0 } else { number }
}

/// An input and the factor of its scores.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weighted<'a> {
    pub(super) source: Source<'a>,
    pub(super) weight: f64,
}

/// Which options a command allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AllowedOptions {
    /// WEIGHTS, AGGREGATE.
    Scores,
    /// No further options.
    None,
    /// LIMIT.
    Limit,
}

/// The parsed arguments of such a command.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) inputs: Vec<Weighted<'a>>,
    pub(super) aggregate: Aggregate,
    pub(super) with_scores: bool,
    pub(super) limit: usize,
}

impl<'a> Request<'a> {
    /// Parses the arguments from the number of keys on. `name` is the name of the command, for an
    /// error.
    pub(super) fn parse(
        ctx: &ReadContext<'a>,
        mut args: Args<'_>,
        name: &str,
        allowed: AllowedOptions,
        may_have_scores: bool,
    ) -> Result<Self, ReplyError> {
        let inputs = inputs(ctx, &mut args, name)?;
        let mut request =
            Self { inputs, aggregate: Aggregate::Sum, with_scores: false, limit: usize::MAX };
        while !args.is_empty() {
            if allowed == AllowedOptions::Scores
                && args.len() > request.inputs.len()
                && args.keyword("WEIGHTS")
            {
                for input in &mut request.inputs {
                    input.weight = weight(args.next()?)?;
                }
            } else if allowed == AllowedOptions::Scores && args.keyword("AGGREGATE") {
                request.aggregate = aggregate(&mut args)?;
            } else if may_have_scores && args.keyword("WITHSCORES") {
                request.with_scores = true;
            } else if allowed == AllowedOptions::Limit && args.keyword("LIMIT") {
                let limit = numbers::at_least(&mut args, 0, "ERR LIMIT can't be negative")?;
                request.limit = if limit == 0 { usize::MAX } else { limit };
            } else {
                return Err(ReplyError::SYNTAX);
            }
        }
        Ok(request)
    }
}

fn inputs<'a>(
    ctx: &ReadContext<'a>,
    args: &mut Args<'_>,
    name: &str,
) -> Result<Vec<Weighted<'a>>, ReplyError> {
    let count = args.integer()?;
    let count = usize::try_from(count).ok().filter(|count| *count > 0).ok_or_else(|| {
        let name = name.to_ascii_lowercase();
        ReplyError::new(format!("ERR at least 1 input key is needed for '{name}' command"))
    })?;
    let find = |key: &Bytes| Ok(Weighted { source: Source::find(ctx, key)?, weight: 1.0 });
    args.take(count)?.iter().map(find).collect()
}

fn weight(text: &[u8]) -> Result<f64, ReplyError> {
    parse_float(text).ok_or(ReplyError::new("ERR weight value is not a float"))
}

fn aggregate(args: &mut Args<'_>) -> Result<Aggregate, ReplyError> {
    let known = [("SUM", Aggregate::Sum), ("MIN", Aggregate::Min), ("MAX", Aggregate::Max)];
    let found =
        known.into_iter().find_map(|(word, aggregate)| args.keyword(word).then_some(aggregate));
    found.ok_or(ReplyError::SYNTAX)
}
