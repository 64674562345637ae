//! The Raft group as dispatch and commands need it.

use std::future::Future;

use futures::future::BoxFuture;

use super::store::{Failure, Proposer, ReadControl, Replica};
use crate::base::group_time::GroupTime;
use crate::base::ids::NodeId;
use crate::commands::Executed;
use crate::commands::request::Request;
use crate::commands::run::ports::{ClusterControl, FlushGoal, Flushed, StorageControl};
use crate::consensus::{self, Expected, Group, ProposeError};
use crate::data::keyspace::KeyspaceLock;
use crate::resp::ReplyError;
use crate::services::cluster::{Member, RaftStatus};

impl Proposer for Group {
    fn propose(
        &self,
        request: Request,
    ) -> impl Future<Output = Result<Executed, Failure>> + Send + 'static {
        let proposed = Self::propose(self, request);
        async move {
            proposed.await.map_err(|error| match error {
                ProposeError::NotExecuted(refusal) => Failure::NotExecuted(refusal.reply()),
                ProposeError::Unknown => Failure::Unknown,
            })
        }
    }
}

impl ReadControl for Group {
    fn may_read_now(&self) -> bool {
        Self::may_read_now(self)
    }

    async fn catch_up(&self) -> Result<(), ReplyError> {
        Self::catch_up(self).await.map_err(|error| error.reply())
    }

    fn leader_time(&self) -> GroupTime {
        Self::leader_time(self)
    }

    fn note_read(&self, time: GroupTime) {
        Self::note_read(self, time);
    }

    async fn read_barrier(&self) -> Result<GroupTime, ReplyError> {
        Self::read_barrier(self).await.map_err(|error| error.reply())
    }

    fn stale_read_allowed(&self) -> Result<(), ReplyError> {
        Self::stale_read_allowed(self).map_err(|error| error.reply())
    }

    fn stale_time(&self) -> GroupTime {
        Self::stale_time(self)
    }
}

impl Replica for Group {
    fn keyspace(&self) -> &KeyspaceLock {
        Self::keyspace(self)
    }

    fn loads(&self) -> u64 {
        Self::loads(self)
    }

    fn applied_time(&self) -> GroupTime {
        Self::applied_time(self)
    }

    fn applied_index(&self) -> u64 {
        Self::applied_index(self)
    }

    fn leader(&self) -> Option<Member> {
        Self::leader(self)
    }

    fn is_leader(&self) -> bool {
        Self::is_leader(self)
    }
}

impl ClusterControl for Group {
    fn status(&self) -> RaftStatus {
        Self::status(self)
    }

    fn wait_to_hear_leader(&self) -> BoxFuture<'_, ()> {
        Box::pin(Self::wait_to_hear_leader(self))
    }

    fn read_barrier(&self) -> BoxFuture<'_, Result<(), ReplyError>> {
        let barrier = async { Self::read_barrier(self).await.map(drop) };
        Box::pin(async { barrier.await.map_err(|error| error.reply()) })
    }

    fn wait_flushed(&self, goal: FlushGoal) -> BoxFuture<'_, Flushed> {
        let FlushGoal { index, here, others, until } = goal;
        Box::pin(async move {
            let goal = consensus::FlushGoal { index, here, others, until };
            let reached = Self::wait_flushed(self, goal).await;
            Flushed { here: reached.here, others: reached.others }
        })
    }

    fn transfer_leader(&self, to: Option<NodeId>) -> BoxFuture<'_, Result<(), ReplyError>> {
        Box::pin(async move {
            let transferred = Self::transfer_leader(self, to, Expected::Any, false).await;
            transferred.map(drop).map_err(|error| ReplyError::new(format!("ERR {error}")))
        })
    }

    fn change_parameters<'a>(
        &'a self,
        parameters: &'a [(&'a str, &'a [u8])],
    ) -> BoxFuture<'a, Result<(), ReplyError>> {
        Box::pin(async move {
            Self::change_parameters(self, parameters).await.map_err(|error| match error {
                ProposeError::NotExecuted(refusal) => refusal.reply(),
                ProposeError::Unknown => ReplyError::new("UNKNOWN it may or may not be set"),
            })
        })
    }
}

impl StorageControl for Group {
    fn keyspace(&self) -> &KeyspaceLock {
        Self::keyspace(self)
    }

    fn read_time_ms(&self) -> u64 {
        Self::stale_time(self).ms()
    }

    fn checkpoint_now(&self) -> BoxFuture<'_, Result<(), ReplyError>> {
        Box::pin(async {
            let written = Self::checkpoint_now(self).await;
            written.map(drop).map_err(|error| ReplyError::new(format!("ERR {error}")))
        })
    }

    fn begin_checkpoint(&self) {
        let group = self.clone();
        let checkpoint = async move {
            if let Err(error) = Self::checkpoint_now(&group).await {
                tracing::error!(%error, "no checkpoint was written");
            }
        };
        self.run_on_raft_thread(Box::new(|| Box::pin(checkpoint)));
    }

    fn reload(&self) -> BoxFuture<'_, Result<(), ReplyError>> {
        Box::pin(async {
            let reloaded = Self::reload(self).await;
            reloaded.map_err(|error| ReplyError::new(format!("ERR nothing was reloaded: {error}")))
        })
    }
}
