//! What an executed request returns.

use std::time::Duration;

use crate::resp::Reply;

/// The outcome of a [`Request`](super::request::Request).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Executed {
    /// One for each unit, in their order.
    pub replies: Vec<Reply>,
    /// Log index of the entry with the request; 0 when the leader's version does not send it.
    pub index: u64,
    /// For how long each command ran where it was executed first, microseconds: one for each unit,
    /// and for each command of a transaction. Empty when the leader's version does not send it.
    pub times_us: Vec<u32>,
}

impl Executed {
    /// For how long the commands ran, in their order; `otherwise` for each whose time is not known.
    pub fn times(&self, otherwise: Duration) -> impl Iterator<Item = Duration> + use<> {
        let known = self.times_us.clone().into_iter();
        let known = known.map(|us| Duration::from_micros(us.into()));
        known.chain(std::iter::repeat(otherwise))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_time_counts_as_the_time_of_the_request() {
        let executed = Executed { times_us: vec![7], ..Executed::default() };
        let whole = Duration::from_secs(1);
        let times: Vec<_> = executed.times(whole).take(3).collect();
        assert_eq!(times, [Duration::from_micros(7), whole, whole]);
    }
}
