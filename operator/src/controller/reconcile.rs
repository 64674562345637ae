//! One reconcile of one cluster: observe, decide, act, report. It executes at most one step. It is
//! level-triggered: all that it relies on later is in the status.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use kube::core::DeserializeGuard;
use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};
use tokio::time::Instant;

use super::act::build::{self, BuildContext, Objects};
use super::act::secrets::{self, ReconciledSecrets};
use super::act::{Applier, Outcome, StepError, StepExecutor, parameters, patches};
use super::decide::{StatusLatches, Step, ValidatedCluster, Waiting, plan, validate};
use super::observe::secrets::ObservedSecrets;
use super::observe::stores::Stores;
use super::observe::{self, ClusterObjects, NodeStatuses, OptionalKinds};
use super::report::{self, Facts, Findings, Problem, Reason, ReportWriter};
use crate::context::{Context, Memory};
use crate::crd::IronKVCluster;
use crate::names::Uid;

/// After a step the next one follows soon, because watches report pods but not memberships.
const AFTER_STEP: Duration = Duration::from_millis(300);
const WHILE_WAITING: Duration = Duration::from_secs(2);
const WHILE_STOPPED: Duration = Duration::from_secs(5);
/// At rest, this finds partitioned members, which the watches do not report for most of a minute,
/// and a new leader.
const AT_REST: Duration = Duration::from_secs(5);
/// A reconcile that takes longer is aborted, as if the process had ended: Kubernetes or a node
/// accepted a request and does not answer. It is well above the longest timeout of a node.
const RECONCILE_TIMEOUT: Duration = Duration::from_secs(60);

/// Why a reconcile failed. It is tried again with back-off.
#[derive(Debug, thiserror::Error)]
#[error("{}: {}", .0.reason.as_str(), .0.message)]
pub(crate) struct ReconcileError(Problem);

/// What all reconciles for one scope of watches share.
pub(crate) struct Shared {
    /// The context of the process.
    pub(crate) context: Arc<Context>,
    /// The observed objects.
    pub(crate) stores: Stores,
    /// The optional kinds that this Kubernetes has.
    pub(crate) kinds: OptionalKinds,
}

/// Reconciles one cluster, unless its shape is unknown, for example because it comes from a newer
/// definition. Such a resource does not stop the others.
pub(crate) async fn reconcile_guarded(
    resource: Arc<DeserializeGuard<IronKVCluster>>,
    shared: Arc<Shared>,
) -> Result<Action, ReconcileError> {
    match &resource.0 {
        Ok(cluster) => reconcile(Arc::new(cluster.clone()), shared).await,
        Err(invalid) => {
            let (namespace, name) = (resource.namespace(), resource.name_any());
            tracing::warn!(namespace, name, error = invalid.error, "a resource that is not known");
            shared.context.metrics.error("Unknown");
            Ok(Action::await_change())
        }
    }
}

/// Reconciles one cluster.
pub(super) async fn reconcile(
    resource: Arc<IronKVCluster>,
    shared: Arc<Shared>,
) -> Result<Action, ReconcileError> {
    let context = &shared.context;
    let uid = uid(&*resource);
    if resource.metadata.deletion_timestamp.is_some() {
        // The garbage collector deletes the objects, and there is no finalizer.
        context.forget(&uid);
        return Ok(Action::await_change());
    }
    context.metrics.begin();
    let started = Instant::now();
    let mut memory = context.recall(&uid);
    let reconciler = Reconciler { resource: &resource, shared: &shared };
    // The box keeps the futures of the controller small.
    let run = Box::pin(reconciler.run(&mut memory));
    let result = tokio::time::timeout(RECONCILE_TIMEOUT, run).await.unwrap_or_else(|_| {
        let text = format!("no answer from Kubernetes within {} s", RECONCILE_TIMEOUT.as_secs());
        Err(Problem::new(Reason::TimedOut, text))
    });
    memory.failures = if result.is_ok() { 0 } else { memory.failures.saturating_add(1) };
    context.remember(&uid, memory);
    context.metrics.end(started.elapsed(), Timestamp::now().as_duration().as_secs_f64());
    result.map_err(ReconcileError)
}

/// When to try again after a failure.
pub(crate) fn retry<K: Resource>(
    resource: Arc<K>,
    error: &ReconcileError,
    shared: Arc<Shared>,
) -> Action {
    let uid = uid(&*resource);
    let memory = shared.context.recall(&uid);
    let after = memory.retry_after();
    shared.context.remember(&uid, memory);
    let Problem { reason, message } = &error.0;
    shared.context.metrics.error(reason.as_str());
    tracing::warn!(
        namespace = resource.namespace(), name = resource.name_any(), reason = reason.as_str(),
        retry_in = ?after, "{message}"
    );
    Action::requeue(after)
}

fn uid(resource: &impl Resource) -> Uid {
    resource.meta().uid.as_deref().unwrap_or_default().into()
}

struct Reconciler<'a> {
    resource: &'a IronKVCluster,
    shared: &'a Shared,
}

/// What one reconcile has observed.
struct Observation {
    objects: ClusterObjects,
    nodes: NodeStatuses,
}

impl Reconciler<'_> {
    async fn run(&self, memory: &mut Memory) -> Result<Action, Problem> {
        let Shared { context, stores, .. } = self.shared;
        let (client, admin) = (&context.client, &*context.nodes);
        let writer = ReportWriter { context, resource: self.resource };
        let cluster = match validate(self.resource) {
            Ok(cluster) => cluster,
            Err(invalid) => {
                writer.report_invalid(&invalid.to_string(), memory).await?;
                return Ok(Action::await_change());
            }
        };

        // observe (client)
        let objects = ClusterObjects::observe(stores, &cluster);
        let existing = ObservedSecrets::observe(client, &cluster).await;

        // act (client): the Secrets come first, because the nodes are asked with their certificates
        let (secrets, secret_problem) =
            secrets::reconcile(client, &cluster, existing, memory).await;

        // observe (client)
        let nodes = NodeStatuses::observe(admin, &cluster, &objects, secrets.tls.as_ref()).await;
        let observation = Observation { objects, nodes };
        let Observation { objects, nodes } = &observation;

        // decide (pure)
        let target = cluster.target();
        let latches = report::latches(&cluster.name, self.resource.status.as_ref());
        let wanted = self.build(&cluster, &observation);
        let hash = build::template_hash(&wanted.stateful_set);
        let observed = observe::observed(&cluster, hash, latches, objects, nodes, Timestamp::now());
        let planned = plan(&observed, &target);
        let mut findings = Findings::of(&cluster, objects, nodes, secret_problem);

        // act (client)
        if findings.blocker.is_none() && !target.paused {
            findings.blocker =
                self.apply(&cluster, wanted, &observation, &secrets, memory).await.err();
        }
        let step = findings.blocker.is_none().then_some(&planned);
        let mut outcome = Outcome::Nothing;
        if let Some(step) = step {
            let executor = StepExecutor { client, admin, cluster: &cluster, objects, nodes };
            match self.execute(&executor, step, latches, memory).await {
                Ok(executed) => outcome = executed,
                Err(problem) => findings.blocker = Some(problem),
            }
        }
        if !target.paused {
            findings.warnings.extend(parameters::set(admin, &cluster, nodes).await);
        }

        // report (client)
        let facts = Facts {
            cluster: &cluster,
            target: &target,
            latches: if let Outcome::Latch(latches) = outcome { latches } else { latches },
            objects,
            nodes,
            observed: &observed,
            step,
            findings: &findings,
        };
        writer.report(&facts, memory).await?;
        match findings.blocker {
            Some(problem) => Err(problem),
            None => Ok(Action::requeue(requeue_after(&outcome, step))),
        }
    }

    fn build(&self, cluster: &ValidatedCluster, observation: &Observation) -> Objects {
        let Observation { objects, nodes } = observation;
        let voters = nodes
            .leader()
            .map_or(0, |(_, status)| status.members.iter().filter(|member| member.voter).count());
        let context = BuildContext {
            ordinals: objects.ordinals(),
            stateful_set: objects.stateful_set.as_deref(),
            voters: u32::try_from(voters).unwrap_or(u32::MAX),
            optional_kinds: self.shared.kinds,
            default_image: &self.shared.context.default_image,
        };
        build::build(cluster, &context)
    }

    /// Brings the objects, the claims and the pods into their desired state.
    async fn apply(
        &self,
        cluster: &ValidatedCluster,
        wanted: Objects,
        observation: &Observation,
        secrets: &ReconciledSecrets,
        memory: &mut Memory,
    ) -> Result<(), Problem> {
        let Shared { context, stores, kinds } = self.shared;
        let Observation { objects, nodes } = observation;
        let mounted_hash = secrets.mounted_hash(&wanted.config_map);
        let applied = &mut memory.applied;
        let mut applier = Applier { client: &context.client, stores, cluster, applied };
        let applied = applier.apply(wanted, *kinds).await;
        applied.map_err(|error| Problem::new(Reason::ApplyFailed, error.to_string()))?;
        patches::patch(&context.client, cluster, objects, nodes, &mounted_hash).await
    }

    /// Executes a step, and records it in the log, in the metrics and as an event.
    async fn execute(
        &self,
        executor: &StepExecutor<'_>,
        step: &Step,
        latches: StatusLatches,
        memory: &mut Memory,
    ) -> Result<Outcome, Problem> {
        let context = &self.shared.context;
        let cluster = executor.cluster;
        let (namespace, name) = (&cluster.namespace, &cluster.name);
        let outcome = executor.execute(step, latches).await;
        match &outcome {
            Ok(Outcome::Done | Outcome::Latch(_)) => {
                tracing::info!(%namespace, %name, ?step, "step made");
                context.metrics.step(report::step_name(step));
                let writer = ReportWriter { context, resource: self.resource };
                writer.record_step(step, cluster, memory).await;
            }
            Ok(Outcome::Superseded(reason)) => {
                tracing::info!(%namespace, %name, ?step, reason, "step superseded");
            }
            Ok(Outcome::Nothing) => {}
            Err(error) => tracing::warn!(%namespace, %name, ?step, %error, "step failed"),
        }
        outcome.map_err(|error| {
            let reason = match error {
                StepError::Kubernetes(_) => Reason::StepFailed,
                StepError::Node(_) => Reason::StepRefused,
            };
            Problem::new(reason, error.to_string())
        })
    }
}

fn requeue_after(outcome: &Outcome, step: Option<&Step>) -> Duration {
    match (outcome, step) {
        (Outcome::Done | Outcome::Latch(_) | Outcome::Superseded(_), _) => AFTER_STEP,
        (Outcome::Nothing, Some(Step::Done | Step::Wait(Waiting::Paused))) => AT_REST,
        (Outcome::Nothing, Some(Step::Stop(_) | Step::Wait(Waiting::Replacement))) => WHILE_STOPPED,
        (Outcome::Nothing, _) => WHILE_WAITING,
    }
}
