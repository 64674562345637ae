//! The identity of the pods. It has no permissions, because pods do not use the API server.

use k8s_openapi::api::core::v1::ServiceAccount;

use super::common::metadata;
use crate::controller::decide::ValidatedCluster;
use crate::names;

pub(super) fn service_account(cluster: &ValidatedCluster) -> ServiceAccount {
    ServiceAccount {
        metadata: metadata(cluster, names::service_account(&cluster.name)),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}
