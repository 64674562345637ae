//! What a request would cost every replica, decided before it is proposed: one that takes too long
//! or grows too far is refused here, on the client's node.

use parking_lot::RwLockReadGuard;

use super::call::Call;
use super::dispatcher::Dispatcher;
use super::store::Store;
use crate::base::ids::DatabaseId;
use crate::base::limits::GROWTH_BYTES_PER_COMMAND_MAX;
use crate::commands::run::write_estimate::{Estimate, Estimator, needs_sizes};
use crate::data::keyspace::Keyspace;
use crate::resp::ReplyError;

/// What is allowed.
#[derive(Debug, Clone, Copy)]
pub(super) struct EstimateLimits {
    pub(super) cost_max: u64,
    /// `None` where the leader decides by `maxmemory`.
    growth_bytes_max: Option<u64>,
}

impl EstimateLimits {
    /// Refuses a request, or a part of one that cannot be divided, of so many commands.
    pub(super) fn check(&self, estimate: Estimate, commands: usize) -> Result<(), ReplyError> {
        if estimate.cost > self.cost_max.max(commands as u64) {
            return Err(ReplyError::WRITE_TOO_COSTLY);
        }
        let most = |each: u64| each.saturating_mul(commands as u64);
        if self.growth_bytes_max.is_some_and(|each| estimate.growth_bytes > most(each)) {
            return Err(ReplyError::GROWTH_TOO_LARGE);
        }
        Ok(())
    }
}

/// The sizes on this node, for as long as a request is being built.
pub(super) struct Sizes<'a> {
    keyspace: Option<RwLockReadGuard<'a, Keyspace>>,
    pub(super) limits: EstimateLimits,
}

impl Sizes<'_> {
    pub(super) fn estimator(&self) -> Estimator<'_> {
        Estimator::new(self.keyspace.as_deref())
    }

    /// The estimate of one whole transaction.
    pub(super) fn of_all<'a>(
        &self,
        calls: impl Iterator<Item = (Call<'a>, DatabaseId)>,
    ) -> Estimate {
        let mut estimator = self.estimator();
        let estimates =
            calls.map(|(call, database)| estimator.next(call.found.command, call.argv, database));
        estimates.fold(Estimate::default(), Estimate::plus)
    }
}

impl<S: Store> Dispatcher<S> {
    /// Takes the lock of the keyspace only if an estimate of one of the calls needs it.
    pub(super) fn sizes<'a>(&self, mut calls: impl Iterator<Item = Call<'a>>) -> Sizes<'_> {
        let needed = calls.any(|call| needs_sizes(call.found.command));
        let keyspace = needed.then(|| self.store.keyspace().read());
        // Without sizes nothing grows by more than its arguments.
        let has_maximum = keyspace.as_ref().is_none_or(|keyspace| keyspace.settings.maxmemory > 0);
        let growth_bytes_max = (!has_maximum).then_some(GROWTH_BYTES_PER_COMMAND_MAX);
        let cost_max = self.node.config.load().limits.write_cost_max;
        Sizes { keyspace, limits: EstimateLimits { cost_max, growth_bytes_max } }
    }
}
