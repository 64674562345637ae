//! A follower takes entries from its leader no faster than its disk does: what is not flushed stays
//! in memory, so while too much waits, requests are left in the connection, whose window then stops
//! the leader. Heartbeats carry no entries and are never held up.

use std::future::ready;
use std::sync::Arc;

use futures::{Stream, StreamExt};
use ironkv_proto::raft::v1::AppendRequest;
use tokio::sync::watch;
use tonic::Status;

use crate::consensus::shared::Shared;

/// Somebody waits for the answers. Once it is dropped, a request that is held up is let go: a
/// leader that gives a silent follower up and tries again must not leave one behind each time.
pub(crate) struct Wanted(#[expect(dead_code, reason = "dropping it tells")] watch::Sender<()>);

/// The requests, each with entries as soon as there is room for them.
pub(crate) fn with_room<S>(
    shared: Arc<Shared>,
    requests: S,
) -> (Wanted, impl Stream<Item = Result<AppendRequest, Status>> + Send + 'static)
where
    S: Stream<Item = Result<AppendRequest, Status>> + Send + 'static,
{
    let (wanted, answers) = watch::channel(());
    let held_up = requests.then(move |request| {
        let (shared, mut answers) = (shared.clone(), answers.clone());
        async move {
            if request.as_ref().is_ok_and(|request| !request.entries.is_empty()) {
                let bytes_max = shared.config.load().log.unflushed_bytes_max;
                tokio::select! {
                    biased;
                    () = shared.log.unflushed_below(bytes_max) => {}
                    _ = answers.changed() => return None,
                }
            }
            Some(request)
        }
    });
    (Wanted(wanted), held_up.scan((), |(), request| ready(request)))
}
