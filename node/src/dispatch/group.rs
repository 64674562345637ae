//! The Raft group as dispatch needs it.

use std::future::Future;

use parking_lot::RwLock;

use super::store::{Failure, Store};
use crate::commands::request::Request;
use crate::consensus::{Group, ProposeError};
use crate::data::keyspace::Keyspace;
use crate::resp::{Reply, ReplyError};
use crate::services::cluster::Member;

impl Store for Group {
    fn propose(
        &self,
        request: Request,
    ) -> impl Future<Output = Result<Vec<Reply>, Failure>> + Send + 'static {
        let proposed = Self::propose(self, request);
        async move {
            proposed.await.map_err(|error| match error {
                ProposeError::NotExecuted(refusal) => Failure::NotExecuted(refusal.reply()),
                ProposeError::Unknown => Failure::Unknown,
            })
        }
    }

    fn may_read_now(&self) -> bool {
        Self::may_read_now(self)
    }

    async fn read_barrier(&self) -> Result<(), ReplyError> {
        Self::read_barrier(self).await.map_err(|error| error.reply())
    }

    fn stale_read_allowed(&self) -> Result<(), ReplyError> {
        Self::stale_read_allowed(self).map_err(|error| error.reply())
    }

    fn keyspace(&self) -> &RwLock<Keyspace> {
        Self::keyspace(self)
    }

    fn read_time_ms(&self) -> u64 {
        Self::read_time_ms(self)
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
