#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::{NAME, Simulation};
use crate::crd::ConditionType;
use crate::names;

#[tokio::test]
async fn three_members_are_made_of_an_empty_resource() {
    let simulation = Simulation::new(json!({}));
    simulation.run_until_ready().await;
    assert_eq!(simulation.voters(), 3);
    assert_eq!(simulation.condition(ConditionType::Bootstrapped)["status"], "True");
}

#[tokio::test]
async fn scaling_out_and_in_ends_with_as_many_voters_and_no_volume_left() {
    let simulation = Simulation::new(json!({ "replicas": 3 }));
    for replicas in [3, 5, 1, 3] {
        simulation.change_spec(|spec| spec["replicas"] = json!(replicas));
        simulation.run_until_ready().await;
        assert_eq!(simulation.voters(), replicas);
        let claims = simulation
            .api
            .0
            .lock()
            .objects
            .keys()
            .filter(|key| key.starts_with("persistentvolumeclaims/"))
            .count();
        assert_eq!(claims, replicas, "claims after scaling to {replicas}");
    }
}

#[tokio::test]
async fn a_new_image_rolls_every_pod_the_leader_last() {
    let simulation = Simulation::new(json!({ "image": "ironkv:1" }));
    simulation.run_until_ready().await;
    let first = simulation.nodes.0.lock().leader;
    simulation.change_spec(|spec| spec["image"] = json!("ironkv:2"));
    simulation.run_until_ready().await;
    assert_ne!(simulation.nodes.0.lock().leader, first, "the leadership was handed over");
    for ordinal in 0..3 {
        let pod = simulation.object(&format!("pods/default/{NAME}-{ordinal}"));
        assert_eq!(pod["spec"]["containers"][0]["image"], "ironkv:2");
    }
}

#[tokio::test]
async fn a_hibernated_cluster_wakes_with_its_members() {
    let simulation = Simulation::new(json!({}));
    simulation.run_until_ready().await;
    let members: Vec<u64> = simulation.nodes.0.lock().members.keys().copied().collect();
    simulation.change_spec(|spec| spec["replicas"] = json!(0));
    for _ in 0..10 {
        simulation.reconcile(simulation.caches()).await;
        simulation.advance();
    }
    assert_eq!(simulation.condition(ConditionType::Ready)["reason"], "Hibernated");
    assert!(simulation.nodes.0.lock().running.is_empty());
    simulation.change_spec(|spec| spec["replicas"] = json!(3));
    simulation.run_until_ready().await;
    let now: Vec<u64> = simulation.nodes.0.lock().members.keys().copied().collect();
    assert_eq!(now, members);
}

#[tokio::test]
async fn an_operator_upgrade_leaves_pods_of_a_resource_without_image_alone() {
    let mut simulation = Simulation::new(json!({}));
    simulation.run_until_ready().await;
    let before = simulation.object(&format!("pods/default/{NAME}-0"))["metadata"]["uid"].clone();
    simulation.restart_operator();
    simulation.run_until_ready().await;
    let after = simulation.object(&format!("pods/default/{NAME}-0"))["metadata"]["uid"].clone();
    assert_eq!(before, after);
}

#[tokio::test]
async fn nothing_is_written_when_nothing_changed() {
    let simulation = Simulation::new(json!({}));
    simulation.run_until_ready().await;
    for _ in 0..3 {
        simulation.reconcile(simulation.caches()).await;
        simulation.advance();
    }
    let writes = simulation.api.0.lock().writes;
    for _ in 0..5 {
        assert!(simulation.reconcile(simulation.caches()).await);
        simulation.advance();
    }
    assert_eq!(simulation.api.0.lock().writes, writes);
}

#[tokio::test]
async fn damaged_objects_are_restored() {
    let simulation = Simulation::new(json!({}));
    simulation.run_until_ready().await;
    let service = format!("services/default/{NAME}-peers");
    simulation.api.0.lock().objects.remove(&service);
    let set = format!("statefulsets/default/{NAME}");
    let mut damaged = simulation.object(&set);
    damaged["spec"]["replicas"] = json!(1);
    simulation.api.0.lock().put(&set, damaged);
    simulation.advance();
    simulation.run_until_ready().await;
    assert_eq!(simulation.object(&service)["spec"]["publishNotReadyAddresses"], true);
    assert_eq!(simulation.object(&set)["spec"]["replicas"], 3);
    assert_eq!(simulation.voters(), 3);
}

#[tokio::test]
async fn an_object_of_another_owner_is_not_taken_over() {
    let simulation = Simulation::new(json!({}));
    let service = format!("services/default/{NAME}");
    let foreign = json!({ "metadata": { "name": NAME, "namespace": "default" }, "spec": {} });
    simulation.api.0.lock().put(&service, foreign);
    assert!(!simulation.reconcile(simulation.caches()).await);
    let progressing = simulation.condition(ConditionType::Progressing);
    assert_eq!(progressing["reason"], "ApplyFailed");
    let message = progressing["message"].as_str().unwrap();
    assert!(message.contains("was not made for this cluster"), "{message}");
    assert!(simulation.object(&service)["metadata"]["labels"].is_null());
}

#[tokio::test]
async fn a_member_whose_disk_is_lost_is_replaced() {
    let simulation = Simulation::new(json!({}));
    simulation.run_until_ready().await;
    let before: Vec<u64> = simulation.nodes.0.lock().members.keys().copied().collect();
    for kind in ["persistentvolumeclaims/default/data-", "pods/default/"] {
        let key = format!("{kind}{NAME}-1");
        let mut object = simulation.object(&key);
        object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        simulation.api.0.lock().put(&key, object);
    }
    simulation.advance();
    simulation.run_until_ready().await;
    let after: Vec<u64> = simulation.nodes.0.lock().members.keys().copied().collect();
    assert_eq!(after.len(), 3);
    assert_ne!(before, after, "the place has a new identity");
}

#[tokio::test]
async fn a_full_disk_is_reported_until_there_is_space() {
    let simulation = Simulation::new(json!({}));
    simulation.run_until_ready().await;
    let (leader, follower) = leader_and_follower(&simulation);
    // Only a full disk of the leader stops writes.
    for (full, is_ready) in [(follower, true), (leader, false)] {
        simulation.nodes.0.lock().full = [full].into();
        simulation.reconcile(simulation.caches()).await;
        let degraded = simulation.condition(ConditionType::Degraded);
        assert_eq!(degraded["reason"], "DiskFull");
        let message = degraded["message"].as_str().unwrap();
        let pod = format!("{NAME}-{}", full - 1);
        assert!(message.contains(&pod) && message.contains("spec.storage.size"), "{message}");
        let ready = simulation.condition(ConditionType::Ready);
        assert_eq!(ready["status"] == "True", is_ready, "{ready}");
    }
    simulation.nodes.0.lock().full.clear();
    simulation.run_until_ready().await;
    assert_eq!(simulation.condition(ConditionType::Degraded)["status"], "False");
}

#[tokio::test]
async fn clients_are_not_sent_to_a_partitioned_member() {
    let simulation = Simulation::new(json!({}));
    simulation.run_until_ready().await;
    let (leader, follower) = leader_and_follower(&simulation);
    let label = |id: u64| {
        let pod = simulation.object(&format!("pods/default/{NAME}-{}", id - 1));
        pod["metadata"]["labels"][names::REACHED_LABEL].clone()
    };
    let name = NAME.into();
    for service in [NAME.to_owned(), names::leader_service(&name), names::replicas_service(&name)] {
        let selector = simulation.object(&format!("services/default/{service}"))["spec"].clone();
        assert_eq!(selector["selector"][names::REACHED_LABEL], "true", "{service}");
    }
    for (partitioned, says) in [(true, "false"), (false, "true")] {
        simulation.nodes.0.lock().partitioned =
            partitioned.then_some(follower).into_iter().collect();
        simulation.reconcile(simulation.caches()).await;
        assert_eq!(label(follower), says);
        assert_eq!(label(leader), "true");
    }
}

fn leader_and_follower(simulation: &Simulation) -> (u64, u64) {
    let group = simulation.nodes.0.lock();
    let leader = group.leader.unwrap();
    (leader, *group.members.keys().find(|id| **id != leader).unwrap())
}
