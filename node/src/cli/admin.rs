//! Asking nodes through their admin service.

use std::error::Error;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use ironkv_proto::admin::v1::admin_service_client::AdminServiceClient;
use ironkv_proto::admin::v1::{MemberStatus, Role, StatusRequest, StatusResponse};
use tonic::transport::{Channel, Endpoint, Uri};

use super::output::Failure;
use super::tls::Dialer;
use crate::base::net::innermost;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Joining and promoting wait for a snapshot to travel.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);

/// A client of one node's admin service.
pub(super) type Admin = AdminServiceClient<Channel>;

/// Connects to `host:port` of a gRPC door.
pub(super) async fn connect(dialer: &Dialer, address: &str) -> Result<Admin, Failure> {
    let (dialer, to) = (dialer.clone(), address.to_owned());
    let connector = tower::service_fn(move |_: Uri| {
        let (dialer, to) = (dialer.clone(), to.clone());
        async move { dialer.connect(&to).await.map(TokioIo::new) }
    });
    let channel = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|error| Failure::new(format!("{address}: {error}")))?
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(REQUEST_TIMEOUT)
        .connect_with_connector(connector)
        .await
        .map_err(|error| {
            Failure::new(format!("no node answers at {address}: {}", innermost(&error)))
                .try_next("is this the gRPC address (6380, or 6380 + 2n with `ironkv dev`)?")
        })?;
    Ok(AdminServiceClient::new(channel))
}

/// What a node answers instead of doing it; or why there is no answer after all.
pub(super) fn refused(status: tonic::Status) -> Failure {
    if status.source().is_none() {
        return Failure::new(status.message());
    }
    Failure::new(format!("the node hangs up: {}", innermost(&status)))
        .try_next("does it ask for TLS and a certificate? see --tls, --certificate-file, --ca-file")
}

/// What a node says of itself and its cluster.
pub(super) async fn status(dialer: &Dialer, address: &str) -> Result<StatusResponse, Failure> {
    let response =
        connect(dialer, address).await?.status(StatusRequest {}).await.map_err(refused)?;
    Ok(response.into_inner())
}

/// `leader`, `follower` …, as people say it.
pub(super) fn role_name(status: &StatusResponse) -> &'static str {
    match Role::try_from(status.role).unwrap_or(Role::Unspecified) {
        Role::Leader => "leader",
        Role::Follower => "follower",
        Role::Candidate => "candidate",
        Role::Learner => "learner",
        Role::Empty => "empty",
        Role::Removed => "removed",
        Role::Unspecified => "unknown",
    }
}

/// Whether the node leads.
pub(super) fn is_leader(status: &StatusResponse) -> bool {
    status.role == i32::from(Role::Leader)
}

/// A member's node id.
pub(super) fn member_id(member: &MemberStatus) -> u64 {
    member.member.as_ref().map_or(0, |member| member.node_id)
}

/// The index of an optional log id; 0 before the first entry.
macro_rules! index {
    ($log_id:expr) => {
        $log_id.as_ref().map_or(0, |log_id| log_id.index)
    };
}
pub(super) use index;
