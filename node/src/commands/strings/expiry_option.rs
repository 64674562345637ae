//! The expiry options of SET, SETEX, PSETEX and GETEX.

use crate::commands::args::Args;
use crate::resp::ReplyError;

/// What the number after an expiry option means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// `EX`
    Seconds,
    /// `PX`
    Milliseconds,
    /// `EXAT`
    UnixSeconds,
    /// `PXAT`
    UnixMilliseconds,
}

/// An expiry option with its number, which is not parsed yet: Redis checks the number after the
/// syntax.
#[derive(Debug, Clone, Copy)]
pub(super) struct ExpiryOption<'a> {
    /// The meaning.
    pub(super) unit: Unit,
    number: Args<'a>,
}

impl<'a> ExpiryOption<'a> {
    /// The next argument, whose meaning is known.
    pub(super) fn new(unit: Unit, args: &mut Args<'a>) -> Result<Self, ReplyError> {
        Ok(Self { unit, number: Args::new(args.take(1)?) })
    }

    /// Takes an expiry option if one comes next.
    pub(super) fn take(args: &mut Args<'a>) -> Result<Option<Self>, ReplyError> {
        let units = [
            ("EX", Unit::Seconds),
            ("PX", Unit::Milliseconds),
            ("EXAT", Unit::UnixSeconds),
            ("PXAT", Unit::UnixMilliseconds),
        ];
        match units.into_iter().find(|(word, _)| args.keyword(word)) {
            Some((_, unit)) => Self::new(unit, args).map(Some),
            None => Ok(None),
        }
    }

    /// Whether the number is a point in time rather than a duration.
    pub(super) const fn is_absolute(&self) -> bool {
        matches!(self.unit, Unit::UnixSeconds | Unit::UnixMilliseconds)
    }

    /// The deadline, Unix milliseconds; always in the future for a duration.
    pub(super) fn deadline_ms(self, now_ms: u64, command: &str) -> Result<u64, ReplyError> {
        let number = Args::new(self.number.rest()).integer()?;
        let invalid = || ReplyError::invalid_expire(command);
        let milliseconds = match self.unit {
            Unit::Seconds | Unit::UnixSeconds => number.checked_mul(1000).ok_or_else(invalid)?,
            Unit::Milliseconds | Unit::UnixMilliseconds => number,
        };
        if number <= 0 {
            return Err(invalid());
        }
        let base_ms = if self.is_absolute() { 0 } else { now_ms };
        i64::try_from(base_ms)
            .ok()
            .and_then(|base_ms| milliseconds.checked_add(base_ms))
            .and_then(|deadline_ms| u64::try_from(deadline_ms).ok())
            .ok_or_else(invalid)
    }
}
