//! The command `run`: the operator process. One of its replicas is active, the others stand by.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use futures::StreamExt;
use futures::future::try_join_all;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::core::DeserializeGuard;
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::wait::Condition as _;
use kube::runtime::wait::conditions::is_crd_established;
use kube::runtime::{Controller, controller, watcher};
use kube::{Api, Client, Config, CustomResourceExt};
use kube_lease_manager::LeaseManagerBuilder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::context::Context;
use crate::controller::{
    AffectedCluster, OptionalKinds, Shared, optional_kinds, reconcile_guarded, retry, stores,
};
use crate::crd::IronKVCluster;
use crate::health::{self, Health};
use crate::metrics::Metrics;
use crate::names;
use crate::node_admin::Nodes;
use crate::telemetry::{self, LogFormat};

/// A request that receives no byte for this long is aborted. It is longer than a watch is silent.
const READ_TIMEOUT: Duration = Duration::from_secs(295);
/// Another replica takes over at most this long after the last renewal of the lease.
const LEASE_DURATION_S: u64 = 15;
/// The lease is renewed this long before it ends. Clocks may differ by this much.
const LEASE_GRACE_S: u64 = 5;
/// How often a start checks again for something that is missing.
const START_RETRY: Duration = Duration::from_secs(2);
/// Changes within this time lead to one reconcile.
const DEBOUNCE: Duration = Duration::from_millis(100);
/// The number of clusters that are reconciled at the same time.
const CONCURRENCY: u16 = 16;

/// Watch the clusters and reconcile them.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Image of the store for new clusters without spec.image.
    #[arg(long, env = "IRONKV_OPERATOR_IMAGE")]
    image: String,
    /// Namespaces to watch, separated by commas; all when absent.
    #[arg(long, env = "IRONKV_OPERATOR_WATCH_NAMESPACES", value_delimiter = ',')]
    watch_namespaces: Vec<String>,
    /// Address and port of /livez, /readyz and /metrics.
    #[arg(long, env = "IRONKV_OPERATOR_LISTEN", default_value = "0.0.0.0:8080")]
    listen: SocketAddr,
    /// Namespace of the lease by which replicas elect the active one.
    #[arg(long, env = "POD_NAMESPACE", default_value = "default")]
    namespace: String,
    /// This replica's name in the lease.
    #[arg(long, env = "POD_NAME", default_value = "ironkv-operator")]
    identity: String,
    /// Format of log lines.
    #[arg(long, env = "IRONKV_OPERATOR_LOG_FORMAT", value_enum, default_value = "json")]
    log_format: LogFormat,
    /// A level, or a filter such as info,ironkv_operator=debug.
    #[arg(long, env = "IRONKV_OPERATOR_LOG_LEVEL", default_value = "info")]
    log_level: String,
}

/// Why the operator ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error("cannot log: {0}")]
    Telemetry(String),
    #[error("no way to Kubernetes: {0}")]
    Config(#[from] kube::config::InferConfigError),
    #[error("{0}")]
    Kubernetes(#[from] Box<kube::Error>),
    #[error("the lease: {0}")]
    Lease(#[from] Box<kube_lease_manager::LeaseManagerError>),
    #[error("{listen}: {error}")]
    Listen { listen: SocketAddr, error: std::io::Error },
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

impl Run {
    /// Runs until a signal arrives.
    pub(crate) fn run(self) -> Result<(), RunError> {
        telemetry::start(self.log_format, &self.log_level).map_err(RunError::Telemetry)?;
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(self.serve())
    }

    async fn serve(self) -> Result<(), RunError> {
        let mut config = Config::infer().await?;
        config.read_timeout = Some(READ_TIMEOUT);
        let client = Client::try_from(config).map_err(Box::new)?;
        let metrics = Metrics::default();
        let (ready, is_ready) = watch::channel(false);
        let health = Health { metrics: metrics.clone(), ready: is_ready };
        let listen = self.listen;
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        tokio::select! {
            served = health::serve(listen, health) => {
                served.map_err(|error| RunError::Listen { listen, error })
            }
            ended = self.run_with_lease(client, metrics, ready) => ended,
            _ = terminate.recv() => Ok(()),
            _ = interrupt.recv() => Ok(()),
        }
    }

    /// Waits for the lease, runs the controllers until it is lost, and repeats.
    async fn run_with_lease(
        &self,
        client: Client,
        metrics: Metrics,
        ready: watch::Sender<bool>,
    ) -> Result<(), RunError> {
        wait_for_definition(&client).await;
        let lease = LeaseManagerBuilder::new(client.clone(), names::LEASE)
            .with_namespace(&self.namespace)
            .with_identity(&self.identity)
            .with_duration(LEASE_DURATION_S)
            .with_grace(LEASE_GRACE_S)
            .build()
            .await
            .map_err(Box::new)?;
        let (mut leads, _) = lease.watch().await;
        // From here on, some replica holds the lease.
        ready.send_replace(true);
        let reporter = Reporter {
            controller: names::MANAGER.to_owned(),
            instance: Some(self.identity.clone()),
        };
        let recorder = Recorder::new(client.clone(), reporter);
        let nodes = Arc::new(Nodes::default());
        let image = self.image.clone();
        let context = Context::new(client, nodes, recorder, metrics.clone(), image);
        let context = Arc::new(context);
        loop {
            if leads.wait_for(|leads| *leads).await.is_err() {
                return Ok(());
            }
            tracing::info!(identity = self.identity, "acts");
            metrics.set_leader(true);
            tokio::select! {
                ended = self.run_controllers(&context) => ended?,
                _ = leads.wait_for(|leads| !*leads) => {}
            }
            metrics.set_leader(false);
            tracing::info!(identity = self.identity, "stands by");
        }
    }

    async fn run_controllers(&self, context: &Arc<Context>) -> Result<(), RunError> {
        let kinds = optional_kinds(&context.client).await;
        let everywhere = [None];
        let named: Vec<Option<&str>> =
            self.watch_namespaces.iter().map(|name| Some(name.as_str())).collect();
        let scopes = if named.is_empty() { &everywhere[..] } else { &named };
        let controllers = scopes.iter().map(|namespace| run_controller(context, *namespace, kinds));
        try_join_all(controllers).await.map(drop)
    }
}

/// Runs the controller for the clusters of one namespace, or of all.
async fn run_controller(
    context: &Arc<Context>,
    namespace: Option<&str>,
    kinds: OptionalKinds,
) -> Result<(), RunError> {
    let client = &context.client;
    let (stores, changes) = stores::watch(client, namespace);
    let (task, affected) = stores::forward(changes, context.metrics.clone());
    let _abort = AbortOnDrop(task);
    if stores.wait_until_ready().await.is_err() {
        return Ok(());
    }
    let shared = Arc::new(Shared { context: Arc::clone(context), stores, kinds });
    let clusters: Api<DeserializeGuard<IronKVCluster>> = stores::api(client, namespace);
    let config = controller::Config::default().debounce(DEBOUNCE).concurrency(CONCURRENCY);
    Controller::new(clusters, watcher::Config::default())
        .with_config(config)
        .reconcile_on(affected.map(|cluster: AffectedCluster| cluster.reference()))
        .run(reconcile_guarded, retry, shared)
        .for_each(|done| async move {
            if let Err(error) = done {
                tracing::debug!(%error, "reconcile");
            }
        })
        .await;
    Ok(())
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Waits for the definition of the resource, because it may be installed after the operator.
async fn wait_for_definition(client: &Client) {
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let name = IronKVCluster::crd_name();
    loop {
        let reason = match definitions.get_opt(name).await {
            Ok(found) if is_crd_established().matches_object(found.as_ref()) => return,
            Ok(_) => "it is not there".to_owned(),
            // An operator for single namespaces may lack the permission to read it.
            Err(kube::Error::Api(status)) if status.is_forbidden() => return,
            Err(error) => error.to_string(),
        };
        tracing::warn!(definition = name, reason, "waiting for the resource definition");
        tokio::time::sleep(START_RETRY).await;
    }
}
