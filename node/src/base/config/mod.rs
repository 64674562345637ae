//! The configuration of one node: a struct per topic, loaded in layers, changed at run time.

mod choices;
mod clients_memory;
mod kind;
mod live;
mod load;
mod memory;
mod nearest;
mod notify_classes;
mod output_buffer;
pub mod parameters;
mod rewrite;
mod sections;
mod tree;
mod validate;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use choices::{
    ClientCertificates, DebugAccess, LogFormat, LogLevel, ReadMode, Redirect, Switch,
};
pub use clients_memory::ClientsMemory;
use kind::parse_yes_no;
pub use kind::{Kind, Refusal};
pub use live::{LiveConfig, ReloadReport, Unapplied};
pub use load::{Loaded, Problem, Problems, Sources, load};
pub use memory::{parse_memory, show_memory};
pub use nearest::nearest;
pub use notify_classes::NotifyClasses;
pub use output_buffer::{OutputBufferLimit, OutputBufferLimits};
pub use sections::{
    AdvertiseConfig, AuthConfig, CheckpointConfig, ClusterConfig, DataConfig, LimitsConfig,
    ListenConfig, LogConfig, NodeConfig, RaftConfig, ReadsConfig, RoutingConfig, SecurityConfig,
    TelemetryConfig, ThreadsConfig, TlsConfig,
};
pub use tree::Source;

/// Everything that can be configured on one node.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where this node listens.
    pub listen: ListenConfig,
    /// How others reach this node.
    pub advertise: AdvertiseConfig,
    /// Where this node keeps its data.
    pub data: DataConfig,
    /// How this node finds its cluster.
    pub node: NodeConfig,
    /// Cluster-wide behaviour to which this node agrees.
    pub cluster: ClusterConfig,
    /// Timings of consensus.
    pub raft: RaftConfig,
    /// How reads are answered.
    pub reads: ReadsConfig,
    /// Where requests are executed.
    pub routing: RoutingConfig,
    /// Every maximum that can be changed.
    pub limits: LimitsConfig,
    /// Threads.
    pub threads: ThreadsConfig,
    /// The write-ahead log.
    pub log: LogConfig,
    /// Checkpoints.
    pub checkpoint: CheckpointConfig,
    /// Access control.
    pub security: SecurityConfig,
    /// Passwords of clients.
    pub auth: AuthConfig,
    /// TLS certificates.
    pub tls: TlsConfig,
    /// Logs and measurements.
    pub telemetry: TelemetryConfig,
    /// Redis parameters without a meaning here, kept because clients read them.
    pub parameters: BTreeMap<String, String>,
}

/// One key of the configuration, for help texts and documentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyDoc {
    /// Dotted, such as `listen.resp_port`.
    pub key: &'static str,
    /// What it does.
    pub text: &'static str,
    /// The default as YAML.
    pub default: String,
}

impl KeyDoc {
    /// The environment variable: `IRONKV_LISTEN_RESP_PORT`.
    pub fn environment(&self) -> String {
        load::environment_name(self.key)
    }

    /// The flag without its dashes: `listen-resp-port`.
    pub fn flag(&self) -> String {
        self.key.replace(['.', '_'], "-")
    }
}

impl Config {
    /// Every key in the order of the file, without `parameters`.
    pub fn keys() -> Vec<KeyDoc> {
        let defaults = tree::flatten_defaults();
        let sections = [
            ListenConfig::DOCS,
            AdvertiseConfig::DOCS,
            DataConfig::DOCS,
            NodeConfig::DOCS,
            ClusterConfig::DOCS,
            RaftConfig::DOCS,
            ReadsConfig::DOCS,
            RoutingConfig::DOCS,
            LimitsConfig::DOCS,
            ThreadsConfig::DOCS,
            LogConfig::DOCS,
            CheckpointConfig::DOCS,
            SecurityConfig::DOCS,
            AuthConfig::DOCS,
            TlsConfig::DOCS,
            TelemetryConfig::DOCS,
        ];
        let rows = sections.into_iter().flatten();
        rows.map(|(key, text)| KeyDoc {
            key,
            text: text.trim(),
            default: defaults.get(*key).map(tree::show).unwrap_or_default(),
        })
        .collect()
    }

    /// The `host:port` that is reported to clients; that of the TLS port when there is no other.
    pub fn resp_address(&self) -> String {
        let port = match self.listen.resp_port {
            0 => self.listen.resp_tls_port,
            port => port,
        };
        self.advertised(&self.listen.resp_host, self.advertise.resp_port, port)
    }

    /// The `host:port` that is reported to peers.
    pub fn grpc_address(&self) -> String {
        self.advertised(&self.listen.grpc_host, self.advertise.grpc_port, self.listen.grpc_port)
    }

    /// The `host:port` of the HTTP listener.
    pub fn http_address(&self) -> String {
        self.advertised(&self.listen.http_host, self.advertise.http_port, self.listen.http_port)
    }

    fn advertised(&self, listen_host: &str, port: u16, listen_port: u16) -> String {
        let port = if port == 0 { listen_port } else { port };
        let anywhere = matches!(listen_host, "0.0.0.0" | "::" | "[::]" | "*" | "");
        match self.advertise.host.as_str() {
            "" if anywhere => {
                let system = rustix::system::uname();
                join(&system.nodename().to_string_lossy(), port)
            }
            "" => join(listen_host, port),
            host => join(host, port),
        }
    }
}

/// `host:port`, with brackets round an IPv6 host.
pub fn join(host: &str, port: u16) -> String {
    if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_documented_and_every_documented_key_exists() {
        let documented: Vec<&str> = Config::keys().iter().map(|doc| doc.key).collect();
        let existing = tree::flatten_defaults();
        for key in existing.keys() {
            assert!(documented.contains(&key.as_str()), "{key} has no documentation");
        }
        assert_eq!(documented.len(), existing.len());
        assert!(Config::keys().iter().all(|doc| !doc.text.is_empty()));
    }

    #[test]
    fn the_advertised_address_falls_back_to_the_listen_address() {
        let mut config = Config::default();
        config.listen.resp_host = "10.0.0.1".to_owned();
        assert_eq!(config.resp_address(), "10.0.0.1:6379");
        config.advertise.host = "kv-0.kv".to_owned();
        config.advertise.resp_port = 16379;
        assert_eq!(config.resp_address(), "kv-0.kv:16379");
        config.advertise.host = "fd00::1".to_owned();
        assert_eq!(config.grpc_address(), "[fd00::1]:6380");
    }

    #[test]
    fn listening_everywhere_advertises_the_machine_by_name() {
        let mut config = Config::default();
        config.listen.resp_host = "0.0.0.0".to_owned();
        let address = config.resp_address();
        assert!(address.ends_with(":6379") && !address.starts_with("0.0.0.0"), "{address}");
    }
}
