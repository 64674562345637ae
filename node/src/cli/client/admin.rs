//! Calls of the admin service of nodes.

use std::error::Error;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use ironkv_proto::admin::v1::admin_service_client::AdminServiceClient;
use ironkv_proto::admin::v1::{MemberStatus, Role, StatusRequest, StatusResponse};
use tonic::transport::{Channel, Endpoint, Uri};

use super::hints::GRPC_PORT;
use super::tls::Dialer;
use crate::base::net::innermost;
use crate::cli::output::Failure;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// A working node returns its status at once.
const STATUS_TIMEOUT: Duration = Duration::from_secs(3);
/// Nodes limit each change to a shorter time themselves.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(30);

/// A client of one node's admin service.
pub(in crate::cli) type Admin = AdminServiceClient<Channel>;

/// Connects to the gRPC port at `host:port`.
pub(in crate::cli) async fn connect(dialer: &Dialer, address: &str) -> Result<Admin, Failure> {
    let (own, to) = (dialer.clone(), address.to_owned());
    let connector = tower::service_fn(move |_: Uri| {
        let (dialer, to) = (own.clone(), to.clone());
        async move { dialer.connect(&to).await.map(TokioIo::new) }
    });
    let channel = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|error| Failure::new(format!("{address}: {error}")))?
        .connect_timeout(CONNECT_TIMEOUT.min(dialer.timeout().unwrap_or(CONNECT_TIMEOUT)))
        .timeout(dialer.timeout().unwrap_or(CHANGE_TIMEOUT))
        .connect_with_connector(connector)
        .await
        .map_err(|error| {
            Failure::new(format!("no node answers at {address}: {}", innermost(&error)))
                .try_next(GRPC_PORT)
        })?;
    Ok(AdminServiceClient::new(channel))
}

/// The reason why a node refused a request, or why there was no answer.
pub(in crate::cli) fn refused(status: tonic::Status) -> Failure {
    let cause = innermost(&status);
    // Tonic reports its own timeout only as text.
    if status.source().is_some() && cause.contains("Timeout expired") {
        return Failure::new("the node did not answer in time").try_next(
            "it may be frozen, or its disk or processors may be busy: try again, or wait \
             longer with --timeout-ms",
        );
    }
    // The answer came from a server without gRPC.
    let foreign = status.message().starts_with("grpc-status header missing");
    if status.source().is_none() && !foreign {
        return Failure::new(status.message());
    }
    let cause = if foreign { status.message() } else { &cause };
    Failure::new(format!("the server at this address is not the gRPC port of a node: {cause}"))
        .try_next(GRPC_PORT)
}

/// The status of a node and its cluster.
pub(in crate::cli) async fn status(
    dialer: &Dialer,
    address: &str,
) -> Result<StatusResponse, Failure> {
    let mut admin = connect(dialer, address).await?;
    let mut request = tonic::Request::new(StatusRequest {});
    request.set_timeout(dialer.timeout().unwrap_or(STATUS_TIMEOUT));
    let failure = |status| refused(status).at(address);
    Ok(admin.status(request).await.map_err(failure)?.into_inner())
}

/// The role as text: `leader`, `follower` …
pub(in crate::cli) fn role_name(status: &StatusResponse) -> &'static str {
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
pub(in crate::cli) fn is_leader(status: &StatusResponse) -> bool {
    status.role == i32::from(Role::Leader)
}

/// A member's node id.
pub(in crate::cli) fn member_id(member: &MemberStatus) -> u64 {
    member.member.as_ref().map_or(0, |member| member.node_id)
}

/// The index of an optional log id; 0 before the first entry.
macro_rules! index {
    ($log_id:expr) => {
        $log_id.as_ref().map_or(0, |log_id| log_id.index)
    };
}
pub(in crate::cli) use index;
