//! Every write of a cluster's life fails once, in every way, and still everything is reached.

use serde_json::json;

use super::{Fault, Simulation};

/// Forms three members, rolls them, scales to one. With a fault, and a new process after it.
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

/// With a clock that jumps to the end of whatever is waited for.
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
async fn a_stale_look_never_does_harm() {
    let simulation = Simulation::new(json!({}));
    let mut seen = vec![simulation.look()];
    for round in 0..400 {
        // An old look, a fresh one, an old one: as two operators that believe they act.
        let old = seen[round / 2].clone();
        simulation.pass_on(old).await;
        simulation.pass_on(simulation.look()).await;
        simulation.settle();
        seen.push(simulation.look());
        assert!(
            simulation.nodes.0.lock().members.is_empty() || simulation.nodes.0.lock().has_quorum()
        );
    }
    simulation.run_until_ready().await;
    assert_eq!(simulation.voters(), 3);
}
