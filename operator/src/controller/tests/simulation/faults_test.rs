//! Each write in the life of a cluster fails once, in every way, and still the target is reached.

use serde_json::json;

use super::{Fault, Simulation};

/// Forms three members, rolls them and scales to one, with a fault and a restart of the operator.
/// Returns the number of writes and of membership changes.
async fn life(fault: Option<(usize, Fault)>, lost: Option<usize>) -> (usize, usize) {
    let mut simulation = Simulation::new(json!({ "image": "ironkv:1" }));
    simulation.api.0.lock().fault = fault;
    simulation.nodes.0.lock().lost = lost;
    simulation.run_until_ready().await;
    simulation.restart_operator();
    simulation.change_spec(|spec| spec["image"] = json!("ironkv:2"));
    simulation.run_until_ready().await;
    simulation.change_spec(|spec| spec["replicas"] = json!(1));
    simulation.run_until_ready().await;
    assert_eq!(simulation.voters(), 1, "with {fault:?} {lost:?}");
    (simulation.api.0.lock().writes, simulation.nodes.0.lock().changes)
}

/// The paused clock jumps to the end of each wait.
#[tokio::test(start_paused = true)]
async fn a_fault_at_any_write_only_delays() {
    let (writes, _) = life(None, None).await;
    let refusals = [409, 429, 500].map(Fault::Refused);
    for fault in [&refusals[..], &[Fault::Lost, Fault::Silent]].concat() {
        for at in 0..writes {
            life(Some((at, fault)), None).await;
        }
    }
}

#[tokio::test]
async fn a_lost_answer_of_a_node_only_delays() {
    let (_, changes) = life(None, None).await;
    for at in 0..changes {
        life(None, Some(at)).await;
    }
}

#[tokio::test]
async fn a_stale_cache_never_does_harm() {
    let simulation = Simulation::new(json!({}));
    let mut caches = vec![simulation.caches()];
    for round in 0..400 {
        // One reconcile has a stale cache and one a fresh cache, like two operators that both
        // believe that they hold the lease.
        let stale = caches[round / 2].clone();
        simulation.reconcile(stale).await;
        simulation.reconcile(simulation.caches()).await;
        simulation.advance();
        caches.push(simulation.caches());
        assert!(
            simulation.nodes.0.lock().members.is_empty() || simulation.nodes.0.lock().has_quorum()
        );
    }
    simulation.run_until_ready().await;
    assert_eq!(simulation.voters(), 3);
}
