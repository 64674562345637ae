//! File descriptors. Every connection and every open file takes one, and without one for its next
//! segment the log takes no write: connections get a share of them and can never take them all.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::limits::{GRPC_CONNECTIONS_MAX, HTTP_CONNECTIONS_MAX};

/// Descriptors that are never given to connections of others: for the segments of the log, the
/// checkpoints, the listeners, the threads, the connections to peers and the TLS handshakes.
const OWN_MIN: u64 = 128;
const OWN_MAX: u64 = 1024;

/// How the descriptors of the process are shared out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptors {
    /// All of them.
    pub limit: u64,
    /// For connections of Redis clients.
    pub clients: u32,
    /// For connections to the HTTP port.
    pub http: usize,
    /// For connections to the gRPC port.
    pub grpc: usize,
}

impl Descriptors {
    /// The shares of so many descriptors. A low limit lowers every share.
    pub fn share(limit: u64) -> Self {
        let at_most = |max: usize| (limit / 8).clamp(1, max as u64);
        let (http, grpc) = (at_most(HTTP_CONNECTIONS_MAX), at_most(GRPC_CONNECTIONS_MAX));
        let others = http + grpc + (limit / 4).clamp(OWN_MIN, OWN_MAX);
        let clients = limit.saturating_sub(others).max(1);
        Self {
            limit,
            clients: u32::try_from(clients).unwrap_or(u32::MAX),
            http: http as usize,
            grpc: grpc as usize,
        }
    }
}

/// Without a limit.
impl Default for Descriptors {
    fn default() -> Self {
        Self::share(u64::MAX)
    }
}

/// Raises the soft limit of this process to the hard one, and returns the limit in force.
pub fn raise_limit() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = current != maximum
        && setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok();
    if raised { maximum } else { current }.unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_get_what_all_others_leave() {
        for (limit, clients, http, grpc) in [
            (0, 1, 1, 1),
            (100, 1, 12, 12),
            (300, 98, 37, 37),
            (1024, 512, 128, 128),
            (4096, 2304, 256, 512),
            (65_536, 63_744, 256, 512),
            (u64::MAX, u32::MAX, 256, 512),
        ] {
            assert_eq!(Descriptors::share(limit), Descriptors { limit, clients, http, grpc });
        }
    }

    #[test]
    fn the_shares_never_exceed_the_limit() {
        for limit in 200..20_000 {
            let Descriptors { clients, http, grpc, .. } = Descriptors::share(limit);
            let connections = u64::from(clients) + http as u64 + grpc as u64;
            assert!(connections + OWN_MIN <= limit, "{limit}");
        }
    }

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        let limit = raise_limit();
        assert_eq!(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX), limit);
    }
}
