//! Who belongs to the cluster: how it begins, changes, and knows its nodes apart.

pub(crate) mod admin_client;
pub(crate) mod admin_status;
pub(crate) mod bootstrap;
pub(crate) mod change;
pub(crate) mod cluster_parameters;
pub(crate) mod eligibility;
pub(crate) mod feature_level;
pub(crate) mod incarnation;
pub mod standing;
pub(crate) mod who_is_who;
