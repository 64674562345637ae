//! Generated gRPC messages and services, one module per package.

macro_rules! packages {
    ($($(#[$doc:meta])* $module:ident = $package:literal;)*) => {
        $(
            $(#[$doc])*
            pub mod $module {
                /// Version 1.
                #[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
                pub mod v1 {
                    tonic::include_proto!($package);
                }
            }
        )*
    };
}

packages! {
    /// What several services share.
    types = "ironkv.types.v1";
    /// Consensus between nodes.
    raft = "ironkv.raft.v1";
    /// Work handed to the leader.
    forward = "ironkv.forward.v1";
    /// Published messages.
    pubsub = "ironkv.pubsub.v1";
    /// Operations on nodes and clusters.
    admin = "ironkv.admin.v1";
}
