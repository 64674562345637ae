//! The model of a register with compare-and-set, as WATCH or SET with a condition provide it.

use crate::checkers::linearizability::Model;

/// The operations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// GET.
    Read,
    /// SET.
    Write(u64),
    /// Sets `to` if the value is `from`.
    CompareAndSet {
        /// The expected value.
        from: u64,
        /// The new value.
        to: u64,
    },
}

/// The results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// The value read, `None` for a register never written.
    Read(Option<u64>),
    /// A write is done.
    Written,
    /// Whether the compare-and-set was done.
    Swapped(bool),
}

/// A register, empty at first.
#[derive(Debug, Clone, Copy)]
pub struct CasRegister;

impl Model for CasRegister {
    type State = Option<u64>;
    type Call = Call;
    type Value = Value;

    fn initial(&self) -> Option<u64> {
        None
    }

    fn step(
        &self,
        state: &Option<u64>,
        call: &Call,
        result: Option<&Value>,
    ) -> Option<Option<u64>> {
        let (after, answer) = match call {
            Call::Read => (*state, Value::Read(*state)),
            Call::Write(value) => (Some(*value), Value::Written),
            Call::CompareAndSet { from, to } if *state == Some(*from) => {
                (Some(*to), Value::Swapped(true))
            }
            Call::CompareAndSet { .. } => (*state, Value::Swapped(false)),
        };
        result.is_none_or(|result| *result == answer).then_some(after)
    }
}
