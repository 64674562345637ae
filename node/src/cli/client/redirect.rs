//! Redirects of nodes that send clients to the leader (`routing.redirect: moved`).

use crate::resp::ReplyError;

/// The address of the leader, if the error redirects to it.
pub(in crate::cli) fn moved_to(error: &ReplyError) -> Option<&str> {
    error.0.strip_prefix("MOVED ")?.split(' ').nth(1)
}
