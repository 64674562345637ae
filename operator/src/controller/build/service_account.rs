//! The identity of the pods; they do not talk to the API server, so it may do nothing.

use k8s_openapi::api::core::v1::ServiceAccount;

use super::metadata;
use crate::controller::ValidatedCluster;
use crate::names;

pub(super) fn service_account(cluster: &ValidatedCluster) -> ServiceAccount {
    ServiceAccount {
        metadata: metadata(cluster, names::service_account(&cluster.name)),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}
