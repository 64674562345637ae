//! Writes reports to Kubernetes: events, and the status.

use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::runtime::events::EventType;
use kube::{Api, ResourceExt};

use super::conditions::stopped;
use super::diagnosis::Findings;
use super::facts::Facts;
use super::problem::{Problem, Reason};
use super::{events, status};
use crate::context::{Context, Memory};
use crate::controller::decide::{Step, ValidatedCluster};
use crate::crd::{IronKVCluster, IronKVClusterStatus};
use crate::names;

/// Reports about one resource.
pub(crate) struct ReportWriter<'a> {
    /// The client, and the recorder of events.
    pub(crate) context: &'a Context,
    /// The resource, in the version on which the reconcile is based.
    pub(crate) resource: &'a IronKVCluster,
}

impl ReportWriter<'_> {
    /// Records the most important new problem as an event, and writes the status.
    pub(crate) async fn report(
        &self,
        facts: &Facts<'_>,
        memory: &mut Memory,
    ) -> Result<(), Problem> {
        let new = status::status(self.resource.status.as_ref(), facts, Timestamp::now());
        let stop = match facts.step {
            Some(Step::Stop(stop)) => Some(stopped(stop, &facts.cluster.name)),
            _ => None,
        };
        let stop = stop.map(|(reason, message)| Problem { reason, message });
        // A setting that is only not recommended is no event, because nothing has happened.
        let refused =
            facts.findings.warnings.iter().find(|warning| warning.reason != Reason::NotAdvised);
        let Findings { blocker, problems, .. } = facts.findings;
        let problem = stop.as_ref().or(blocker.as_ref()).or(problems.first()).or(refused);
        self.record_problem(problem, memory).await;
        self.write_status(new).await
    }

    /// Reports that the spec is invalid. The objects of the cluster stay as they are.
    pub(crate) async fn report_invalid(
        &self,
        why: &str,
        memory: &mut Memory,
    ) -> Result<(), Problem> {
        let problem = Problem::new(Reason::InvalidSpec, why);
        self.record_problem(Some(&problem), memory).await;
        let (previous, generation) =
            (self.resource.status.as_ref(), self.resource.metadata.generation);
        self.write_status(status::invalid(previous, generation, &problem, Timestamp::now())).await
    }

    /// Records a step that was executed as an event.
    pub(crate) async fn record_step(
        &self,
        step: &Step,
        cluster: &ValidatedCluster,
        memory: &mut Memory,
    ) {
        memory.last_problem = None;
        if let Some(event) = events::of_step(step, &cluster.name) {
            let (reason, note) = (event.reason.as_str(), &event.note);
            self.context.publish_event(self.resource, EventType::Normal, reason, note).await;
        }
    }

    /// Records a problem as an event, unless it is the same as the last one.
    async fn record_problem(&self, problem: Option<&Problem>, memory: &mut Memory) {
        let Some(Problem { reason, message }) = problem else {
            memory.last_problem = None;
            return;
        };
        let new = (reason.as_str(), message.clone());
        if memory.last_problem.as_ref() != Some(&new) {
            self.context.publish_event(self.resource, EventType::Warning, new.0, message).await;
            memory.last_problem = Some(new);
        }
    }

    /// Replaces the status if it is still in the version that was observed, so that two operators
    /// never mix their latches.
    async fn write_status(&self, new: IronKVClusterStatus) -> Result<(), Problem> {
        if self.resource.status.as_ref() == Some(&new) {
            return Ok(());
        }
        let namespace = self.resource.namespace().unwrap_or_default();
        let api: Api<IronKVCluster> = Api::namespaced(self.context.client.clone(), &namespace);
        let mut resource = self.resource.clone();
        resource.status = Some(new);
        resource.metadata.managed_fields = None;
        let options = PostParams { field_manager: Some(names::MANAGER.to_owned()), dry_run: false };
        match api.replace_status(&resource.name_any(), &options, &resource).await {
            // The watch will deliver the newer version, or the resource was deleted.
            Err(kube::Error::Api(status)) if status.is_conflict() || status.is_not_found() => {
                Ok(())
            }
            Err(error) => Err(Problem::new(Reason::StatusNotWritten, error.to_string())),
            Ok(_) => Ok(()),
        }
    }
}
