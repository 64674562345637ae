//! The pipeline: observe, survey, validate, build, apply, plan, act, say. At most one step a time.
//! Level-triggered: nothing is remembered but what the status holds.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::core::DeserializeGuard;
use kube::runtime::controller::Action;
use kube::runtime::events::EventType;
use kube::{Api, Resource, ResourceExt};
use tokio::time::Instant;

use super::act::{ActError, Acting, Outcome, is_overtaken};
use super::apply::Applier;
use super::assemble::{self, Latches, Subject};
use super::build::{self, OptionalKinds, Seen};
use super::observe::{Kubernetes, observe};
use super::problem::{self, Problem};
use super::secrets::{self, Material};
use super::status::{self, Facts};
use super::stores::Stores;
use super::survey::{Survey, survey};
use super::{Observed, Step, Stop, Target, ValidatedCluster, Waiting, plan, upkeep, validate};
use super::{events, parameters};
use crate::context::{Context, Memory};
use crate::crd::{IronKVCluster, IronKVClusterStatus};
use crate::names;

/// After a step the next one is looked for soon: watches tell of pods, not of memberships.
const AFTER_STEP: Duration = Duration::from_millis(300);
const WHILE_WAITING: Duration = Duration::from_secs(2);
const WHILE_STOPPED: Duration = Duration::from_secs(5);
/// At rest: finds members that are cut off, of which no watch tells for most of a minute, and a new
/// leader.
const AT_REST: Duration = Duration::from_secs(5);
/// A pass that takes longer is given up, as if the process had ended: Kubernetes or a node accepted
/// a request and never answers. Well above the longest wait for a node.
const PASS_MAX: Duration = Duration::from_secs(60);

/// Why a pass failed; it is tried again, later each time.
#[derive(Debug, thiserror::Error)]
#[error("{}: {}", .0.reason, .0.message)]
pub struct ReconcileError(pub(super) Problem);

/// What all passes over the clusters of one watch share.
pub struct Shared {
    /// The process.
    pub context: Arc<Context>,
    /// What the watches saw.
    pub stores: Stores,
    /// Kinds that this Kubernetes has.
    pub kinds: OptionalKinds,
}

/// One pass over one cluster.
pub(super) async fn reconcile(
    resource: Arc<IronKVCluster>,
    shared: Arc<Shared>,
) -> Result<Action, ReconcileError> {
    let context = &shared.context;
    let uid = resource.uid().unwrap_or_default();
    if resource.metadata.deletion_timestamp.is_some() {
        // What it owns goes with it by the garbage collector; nothing of ours stands in the way.
        context.forget(&uid);
        return Ok(Action::await_change());
    }
    context.metrics.begin();
    let started = Instant::now();
    let mut memory = context.recall(&uid);
    let pass = Pass { resource: &resource, shared: &shared };
    // In a box, so that the controller's futures stay small.
    let done = tokio::time::timeout(PASS_MAX, Box::pin(pass.run(&mut memory))).await;
    let done = done.unwrap_or_else(|_| {
        let text = format!("no answer from Kubernetes within {} s", PASS_MAX.as_secs());
        Err(ReconcileError(Problem::new("TimedOut", text)))
    });
    memory.failures = if done.is_ok() { 0 } else { memory.failures.saturating_add(1) };
    context.remember(&uid, memory);
    context.metrics.end(started.elapsed(), Timestamp::now().as_duration().as_secs_f64());
    done
}

/// One pass, unless the resource is of a shape that this operator does not know, such as one of a
/// newer definition: that one waits, and the others go on.
pub async fn reconcile_known(
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

/// When to try again after a failure.
pub fn retry<K: Resource>(resource: Arc<K>, error: &ReconcileError, shared: Arc<Shared>) -> Action {
    let uid = resource.uid().unwrap_or_default();
    let memory = shared.context.recall(&uid);
    let after = memory.retry_after();
    shared.context.remember(&uid, memory);
    shared.context.metrics.error(error.0.reason);
    tracing::warn!(
        namespace = resource.namespace(), name = resource.name_any(), reason = error.0.reason,
        retry_in = ?after, "{}", error.0.message
    );
    Action::requeue(after)
}

struct Pass<'a> {
    resource: &'a IronKVCluster,
    shared: &'a Shared,
}

/// What a pass saw before it decided.
struct Sight {
    kubernetes: Kubernetes,
    survey: Survey,
    material: Material,
    /// What stands in the way of every step.
    obstacle: Option<Problem>,
    /// What is wrong and stands in the way of nothing.
    problems: Vec<Problem>,
}

impl Pass<'_> {
    async fn run(&self, memory: &mut Memory) -> Result<Action, ReconcileError> {
        let cluster = match validate(self.resource) {
            Ok(cluster) => cluster,
            Err(invalid) => return self.refuse(memory, &invalid.to_string()).await,
        };
        let latches = status::latches(&cluster.name, self.resource.status.as_ref());
        let target = assemble::target(&cluster.spec);
        let mut sight = self.look(&cluster, memory).await;
        let template_hash = match self.apply(&cluster, &target, &sight, memory).await {
            Ok(hash) => hash,
            Err((hash, problem)) => {
                sight.obstacle.get_or_insert(problem);
                hash
            }
        };
        let subject = Subject {
            name: &cluster.name,
            cluster_id: &cluster.cluster_id,
            template_hash: &template_hash,
            now: Timestamp::now(),
        };
        let observed = assemble::observed(&subject, latches, &sight.kubernetes, &sight.survey);
        let step = match sight.obstacle {
            Some(_) => None,
            None => Some(plan(&observed, &target)),
        };
        let acted = match &step {
            Some(step) => self.act(&cluster, &sight, step, latches, memory).await,
            None => Ok(Outcome::Nothing),
        };
        let latches = match &acted {
            Ok(Outcome::Latch(latches)) => *latches,
            _ => latches,
        };
        if let Err(problem) = &acted {
            sight.obstacle.get_or_insert_with(|| problem.clone());
        }
        let told = Told { latches, target: &target, observed: &observed, step: step.as_ref() };
        self.say(&cluster, &sight, &told, memory).await?;
        match (sight.obstacle, acted) {
            (Some(problem), _) => Err(ReconcileError(problem)),
            (None, Ok(outcome)) => Ok(Action::requeue(pause(&outcome, step.as_ref()))),
            (None, Err(problem)) => Err(ReconcileError(problem)),
        }
    }

    /// Asks Kubernetes' stores, the Secrets and the nodes.
    async fn look(&self, cluster: &ValidatedCluster, memory: &mut Memory) -> Sight {
        let Shared { context, stores, .. } = self.shared;
        let kubernetes = observe(stores, &cluster.namespace, &cluster.name);
        let (material, obstacle) = secrets::keep(&context.client, cluster, memory).await;
        let whose = (cluster.namespace.as_str(), cluster.name.as_str());
        let survey = survey(&*context.nodes, &kubernetes, whose, material.tls.as_ref()).await;
        let mut problems = problem::of_pods(&kubernetes, &cluster.namespace);
        problems.extend(problem::of_disks(&survey, &cluster.name));
        // Without its Secrets a first pod could not start; a running cluster goes on with the old.
        let (obstacle, aside) = match kubernetes.stateful_set {
            None => (obstacle, None),
            Some(_) => (None, obstacle),
        };
        problems.extend(aside);
        Sight { kubernetes, survey, material, obstacle, problems }
    }

    /// Brings objects, claims and pods into the state that is asked for; answers the hash of the
    /// newest pod template, also when something failed.
    async fn apply(
        &self,
        cluster: &ValidatedCluster,
        target: &Target,
        sight: &Sight,
        memory: &mut Memory,
    ) -> Result<String, (String, Problem)> {
        let Shared { context, stores, kinds } = self.shared;
        let Sight { kubernetes, survey, material, .. } = sight;
        let voters = survey
            .leader(&cluster.cluster_id)
            .map_or(0, |(_, told)| told.members.iter().filter(|member| member.voter).count());
        let seen = Seen {
            ordinals: kubernetes.ordinals(),
            stateful_set: kubernetes.stateful_set.as_deref(),
            voters: u32::try_from(voters).unwrap_or(u32::MAX),
            optional_kinds: *kinds,
            default_image: &context.default_image,
        };
        let objects = build::build(cluster, &seen);
        let hash = build::template_hash(&objects.stateful_set).to_owned();
        if target.paused || sight.obstacle.is_some() {
            return Ok(hash);
        }
        let mounted = material.mounted(&objects.config_map);
        let mut applier = Applier {
            client: &context.client,
            stores,
            namespace: &cluster.namespace,
            uid: &cluster.uid,
            applied: &mut memory.applied,
        };
        let applied = applier.apply(&cluster.name, objects, *kinds).await;
        let fail = |problem| (hash.clone(), problem);
        applied.map_err(|error| fail(Problem::new("ApplyFailed", error.to_string())))?;
        let (client, namespace) = (&context.client, cluster.namespace.as_str());
        let claims = upkeep::claim_patches(cluster, kubernetes);
        upkeep::send::<PersistentVolumeClaim>(client, namespace, claims)
            .await
            .map_err(|error| fail(upkeep::claim_problem(cluster, &error)))?;
        let pods = upkeep::pod_patches(cluster, kubernetes, survey, &mounted);
        upkeep::send::<Pod>(client, namespace, pods).await.map_err(|error| {
            fail(Problem::new("ApplyFailed", format!("cannot label a pod: {error}")))
        })?;
        Ok(hash)
    }

    async fn act(
        &self,
        cluster: &ValidatedCluster,
        sight: &Sight,
        step: &Step,
        latches: Latches,
        memory: &mut Memory,
    ) -> Result<Outcome, Problem> {
        let context = &self.shared.context;
        let acting = Acting {
            client: &context.client,
            nodes: &*context.nodes,
            namespace: &cluster.namespace,
            name: &cluster.name,
            cluster_id: &cluster.cluster_id,
            kubernetes: &sight.kubernetes,
            survey: &sight.survey,
        };
        let outcome = acting.act(step, latches).await;
        let (namespace, name) = (&cluster.namespace, &cluster.name);
        match &outcome {
            Ok(Outcome::Done | Outcome::Latch(_)) => {
                tracing::info!(%namespace, %name, ?step, "step made");
                context.metrics.step(events::step_name(step));
                memory.told = None;
                if let Some(words) = events::of_step(step, name) {
                    context.tell(self.resource, EventType::Normal, words.reason, &words.note).await;
                }
            }
            Ok(Outcome::Overtaken(reason)) => {
                tracing::info!(%namespace, %name, ?step, reason, "step overtaken");
            }
            Ok(Outcome::Nothing) => {}
            Err(error) => tracing::warn!(%namespace, %name, ?step, %error, "step failed"),
        }
        outcome.map_err(|error| match error {
            ActError::Kubernetes(_) => Problem::new("StepFailed", format!("{error}")),
            ActError::Node(_) => Problem::new("StepRefused", format!("{error}")),
        })
    }

    /// Writes the status when it differs, and tells what is newly wrong as an event.
    async fn say(
        &self,
        cluster: &ValidatedCluster,
        sight: &Sight,
        told: &Told<'_>,
        memory: &mut Memory,
    ) -> Result<(), ReconcileError> {
        let context = &self.shared.context;
        let mut warnings = problem::of_configuration(&sight.survey, cluster);
        if !told.target.paused {
            let refused = parameters::keep(&*context.nodes, cluster, &sight.survey).await;
            warnings.extend(refused);
        }
        let facts = Facts {
            name: &cluster.name,
            generation: self.resource.metadata.generation,
            cluster_id: &cluster.cluster_id,
            latches: told.latches,
            target: told.target,
            kubernetes: &sight.kubernetes,
            survey: &sight.survey,
            observed: told.observed,
            step: told.step,
            obstacle: sight.obstacle.as_ref(),
            problems: &sight.problems,
            warnings: &warnings,
            selector: selector(&cluster.name),
            resizing: upkeep::resizing(cluster, &sight.kubernetes),
        };
        let new = status::status(self.resource.status.as_ref(), &facts, Timestamp::now());
        let refused = warnings.iter().find(|warning| warning.reason != problem::NOT_ADVISED);
        let wrong = sight.obstacle.as_ref().or(sight.problems.first()).or(refused).cloned();
        let wrong = stopped(&new, told.step).or(wrong);
        self.tell_problem(wrong.as_ref(), memory).await;
        self.write(new).await
    }

    async fn tell_problem(&self, wrong: Option<&Problem>, memory: &mut Memory) {
        let Some(problem) = wrong else {
            memory.told = None;
            return;
        };
        let now = (problem.reason, problem.message.clone());
        if memory.told.as_ref() == Some(&now) {
            return;
        }
        let Problem { reason, message } = problem;
        self.shared.context.tell(self.resource, EventType::Warning, reason, message).await;
        memory.told = Some(now);
    }

    /// A resource that cannot be understood: what runs is left alone, and the status says why.
    async fn refuse(&self, memory: &mut Memory, why: &str) -> Result<Action, ReconcileError> {
        let problem = Problem::new("InvalidSpec", why);
        self.tell_problem(Some(&problem), memory).await;
        let (previous, generation) =
            (self.resource.status.as_ref(), self.resource.metadata.generation);
        self.write(status::refused(previous, generation, &problem, Timestamp::now())).await?;
        Ok(Action::await_change())
    }

    /// Replaces the status in the version that was seen: two operators never mix their latches.
    async fn write(&self, new: IronKVClusterStatus) -> Result<(), ReconcileError> {
        if self.resource.status.as_ref() == Some(&new) {
            return Ok(());
        }
        let namespace = self.resource.namespace().unwrap_or_default();
        let api: Api<IronKVCluster> =
            Api::namespaced(self.shared.context.client.clone(), &namespace);
        let mut resource = self.resource.clone();
        resource.status = Some(new);
        resource.metadata.managed_fields = None;
        let options = PostParams { field_manager: Some(names::MANAGER.to_owned()), dry_run: false };
        match api.replace_status(&resource.name_any(), &options, &resource).await {
            // The watch brings the newer one in a moment, or there is none any more.
            Err(error) if is_overtaken(&error) => Ok(()),
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            Err(error) => Err(ReconcileError(Problem::new("StatusNotWritten", error.to_string()))),
            Ok(_) => Ok(()),
        }
    }
}

/// What a pass decided.
struct Told<'a> {
    latches: Latches,
    target: &'a Target,
    observed: &'a Observed,
    step: Option<&'a Step>,
}

fn stopped(status: &IronKVClusterStatus, step: Option<&Step>) -> Option<Problem> {
    let Some(Step::Stop(stop)) = step else { return None };
    let reason = match stop {
        Stop::QuorumLost { .. } => "QuorumLost",
        Stop::ClusterIdMismatch { .. } => "ClusterIDMismatch",
        Stop::DataLost => "DataLost",
    };
    let ready = status.conditions.first()?;
    Some(Problem::new(reason, ready.message.clone()))
}

fn selector(name: &str) -> String {
    let pairs = names::selector(name).into_iter().map(|(key, value)| format!("{key}={value}"));
    pairs.collect::<Vec<String>>().join(",")
}

fn pause(outcome: &Outcome, step: Option<&Step>) -> Duration {
    match (outcome, step) {
        (Outcome::Done | Outcome::Latch(_) | Outcome::Overtaken(_), _) => AFTER_STEP,
        (Outcome::Nothing, Some(Step::Done | Step::Wait(Waiting::Paused))) => AT_REST,
        (Outcome::Nothing, Some(Step::Stop(_) | Step::Wait(Waiting::Replacement))) => WHILE_STOPPED,
        (Outcome::Nothing, _) => WHILE_WAITING,
    }
}
