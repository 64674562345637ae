//! A model checker: it tries every interleaving of a bounded number of faults, changes of the
//! target and delayed steps of a second operator in the simplified world of `world_test.rs`. No
//! step of the operator costs the majority or an acknowledged entry, and once the faults end it
//! reaches the target.

use std::collections::{HashMap, HashSet};

use super::world_test::{Disk, Link, Vote, World};
use crate::controller::decide::{Step, Stop, plan};

/// A change of the target.
#[derive(Clone, Copy, Debug)]
enum Request {
    Replicas(u32),
    NewTemplate,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    world: World,
    /// The number of requests made.
    asked: usize,
    /// The number of faults that may still happen.
    faults: u32,
}

struct Model {
    requests: &'static [Request],
    /// The predecessor of each state and the transition that first led to it.
    reached: HashMap<State, (usize, String)>,
    order: Vec<State>,
    /// Worlds from which the operator reaches the target without further faults.
    reaching: HashSet<World>,
}

impl Model {
    fn check(start: World, faults: u32, requests: &'static [Request]) -> usize {
        let mut model =
            Self { requests, reached: HashMap::new(), order: vec![], reaching: HashSet::new() };
        model.reach(State { world: start, asked: 0, faults }, 0, "start".to_owned());
        let mut next = 0;
        while next < model.order.len() {
            let state = model.order[next].clone();
            if state.world.is_recoverable() {
                model.check_reaches_target(&state.world, next);
                model.expand(&state, next);
            }
            next += 1;
        }
        model.order.len()
    }

    fn reach(&mut self, state: State, from: usize, how: String) {
        if !self.reached.contains_key(&state) {
            self.reached.insert(state.clone(), (from, how));
            self.order.push(state);
        }
    }

    fn history(&self, mut at: usize) -> String {
        let mut lines = vec![];
        while at > 0 {
            let (from, how) = &self.reached[&self.order[at]];
            lines.push(format!("{how}\n    {:?}", self.order[at].world));
            at = *from;
        }
        lines.reverse();
        lines.join("\n")
    }

    fn expand(&mut self, state: &State, at: usize) {
        for (how, world) in environment(&state.world) {
            self.reach(State { world, ..state.clone() }, at, how);
        }
        if let Some(request) = self.requests.get(state.asked) {
            let mut world = state.world.clone();
            ask(&mut world, *request);
            let asked = state.asked + 1;
            self.reach(State { world, asked, ..*state }, at, format!("{request:?}"));
        }
        let step = plan(&state.world.observe(), &state.world.target());
        self.try_step(state, at, &step, false);
        if let Some(pending) = &state.world.pending {
            let mut late = state.clone();
            late.world.pending = None;
            self.try_step(&late, at, pending, true);
        }
        if state.faults == 0 {
            return;
        }
        let faults = state.faults - 1;
        for (how, world) in misfortunes(&state.world) {
            self.reach(State { world, faults, ..state.clone() }, at, how);
        }
        let mut world = state.world.clone();
        if world.execute(&step, true) && world.joint.is_some() && state.world.joint.is_none() {
            self.reach(State { world, faults, ..*state }, at, format!("half of {step:?}"));
        }
        if state.world.pending.is_none() && state.world.clone().execute(&step, false) {
            let mut world = state.world.clone();
            world.pending = Some(step.clone());
            self.reach(State { world, faults, ..*state }, at, format!("stalls before {step:?}"));
        }
    }

    fn try_step(&mut self, state: &State, at: usize, step: &Step, late: bool) {
        let mut world = state.world.clone();
        world.execute(step, false);
        let how = format!("{}{step:?}", if late { "late: " } else { "" });
        assert!(
            world.is_recoverable() || !state.world.is_recoverable(),
            "{how} loses the majority or an acknowledged entry:\n{}\n{how}\n    {world:?}",
            self.history(at)
        );
        let alone = state.world.spots.iter().filter(|spot| spot.vote == Vote::Voter).count() == 1;
        assert!(
            late || alone || state.world.replicas == 0 || world.serves() || !state.world.serves(),
            "{how} stops a cluster that serves:\n{}\n{how}\n    {world:?}",
            self.history(at)
        );
        self.reach(State { world, ..state.clone() }, at, how);
    }

    /// Checks that the operator reaches the target without further faults.
    fn check_reaches_target(&mut self, start: &World, at: usize) {
        let mut world = World { pending: None, ..start.clone() };
        let mut path = vec![];
        let mut trace = vec![];
        while !self.reaching.contains(&world) {
            path.push(world.clone());
            calm(&mut world);
            let step = plan(&world.observe(), &world.target());
            trace.push(format!("{step:?}"));
            if step == Step::Done {
                assert!(world.is_at_goal(), "not at the goal: {world:?}\n{}", self.history(at));
                break;
            }
            let moved = world.execute(&step, false) && !path.contains(&world);
            let healed = !moved && heal(&mut world);
            let over = matches!(step, Step::Stop(Stop::DataLost | Stop::QuorumLost { .. }));
            if over && !healed && !world.is_recoverable() {
                break;
            }
            assert!(
                moved || healed,
                "the target is out of reach: {trace:#?}\n{}\n{world:?}",
                self.history(at)
            );
        }
        self.reaching.extend(path);
    }
}

fn ask(world: &mut World, request: Request) {
    match request {
        Request::Replicas(replicas) => world.replicas = replicas,
        Request::NewTemplate => world.spots.iter_mut().for_each(|spot| spot.outdated = spot.pod),
    }
}

/// The worlds in which the change applies to one place.
fn each(world: &World, name: &str, change: impl Fn(&mut World, usize)) -> Vec<(String, World)> {
    let mut changed = vec![];
    for index in 0..world.spots.len() {
        let mut next = world.clone();
        change(&mut next, index);
        next.update_dependents(world);
        if next != *world {
            changed.push((format!("{name} {index}"), next));
        }
    }
    changed
}

/// The transitions that happen without the operator and without a fault.
fn environment(world: &World) -> Vec<(String, World)> {
    let mut all = each(world, "pod", keep_pod);
    all.extend(each(world, "catch up", catch_up));
    all.extend(each(world, "elect", elect));
    all.extend(each(world, "heal", |world, index| {
        if matches!(world.spots[index].link, Link::Cut | Link::Unseen) {
            world.spots[index].link = Link::Fine;
        }
    }));
    if world.leader.is_some() && world.serves() {
        let mut next = world.clone();
        next.write();
        all.push(("write".to_owned(), next));
    }
    all
}

/// The controller of the StatefulSet.
fn keep_pod(world: &mut World, index: usize) {
    let wanted = (index as u32) < world.ordinals;
    let spot = &mut world.spots[index];
    if wanted && !spot.pod && spot.link != Link::Gone {
        spot.pod = true;
        if spot.disk == Disk::Absent {
            spot.disk = Disk::Blank;
        }
    } else if !wanted {
        spot.pod = false;
    }
}

fn catch_up(world: &mut World, index: usize) {
    if world.leader.is_some() && world.is_live(index) {
        world.spots[index].current = true;
    }
}

/// Elects a leader. While a majority has all acknowledged entries, only a member that has them
/// wins.
fn elect(world: &mut World, index: usize) {
    let spot = world.spots[index];
    if world.leader.is_none() && world.is_live(index) && spot.vote == Vote::Voter && spot.current {
        world.leader = Some(index);
    }
}

fn misfortunes(world: &World) -> Vec<(String, World)> {
    let mut all = each(world, "cut off", |world, index| {
        if world.is_seen(index) {
            world.spots[index].link = Link::Cut;
        }
    });
    all.extend(each(world, "unseen", |world, index| {
        if world.is_seen(index) {
            world.spots[index].link = Link::Unseen;
        }
    }));
    all.extend(each(world, "pod dies", |world, index| world.spots[index].pod = false));
    all.extend(each(world, "disk lost", |world, index| {
        let spot = &mut world.spots[index];
        (spot.pod, spot.disk, spot.current) = (false, Disk::Absent, false);
        if spot.link == Link::Gone {
            spot.link = Link::Fine;
        }
    }));
    all.extend(each(world, "machine gone", |world, index| {
        let spot = &mut world.spots[index];
        if spot.disk != Disk::Absent {
            (spot.pod, spot.link) = (false, Link::Gone);
        }
    }));
    all
}

/// Makes all transitions that happen without the operator, except the end of faults.
fn calm(world: &mut World) {
    let before = world.clone();
    for change in [keep_pod, elect, catch_up] {
        for index in 0..world.spots.len() {
            change(world, index);
            world.update_dependents(&before);
        }
    }
}

/// Ends the faults that only time or a person can end. A partition ends with time. Before the
/// cluster is formed, a person must delete a claim that waits for a lost machine.
fn heal(world: &mut World) -> bool {
    let before = world.clone();
    for spot in &mut world.spots {
        match spot.link {
            Link::Cut | Link::Unseen => spot.link = Link::Fine,
            Link::Gone if !before.formed => (spot.link, spot.disk) = (Link::Fine, Disk::Absent),
            Link::Fine | Link::Gone => {}
        }
    }
    *world != before
}

#[test]
fn one_member_in_every_situation() {
    use Request::{NewTemplate, Replicas};
    let states = Model::check(World::new(3, 1), 3, &[NewTemplate, Replicas(3), Replicas(1)]);
    assert!(states > 100_000, "only {states} states");
}

#[test]
fn three_members_in_every_situation() {
    use Request::NewTemplate;
    let states = Model::check(World::new(3, 3), 4, &[NewTemplate]);
    assert!(states > 100_000, "only {states} states");
}

#[test]
fn three_members_hibernate_and_wake_in_every_situation() {
    use Request::Replicas;
    let states = Model::check(formed(3, 3), 3, &[Replicas(0), Replicas(3)]);
    assert!(states > 10_000, "only {states} states");
}

#[test]
fn three_grow_to_five_and_back_in_every_situation() {
    use Request::Replicas;
    let states = Model::check(formed(5, 3), 2, &[Replicas(5), Replicas(3)]);
    assert!(states > 100_000, "only {states} states");
}

#[test]
fn five_members_in_every_situation() {
    use Request::NewTemplate;
    let states = Model::check(formed(5, 5), 2, &[NewTemplate]);
    assert!(states > 100_000, "only {states} states");
}

#[test]
fn three_grow_to_five_while_rolled_and_shrink_to_one() {
    use Request::{NewTemplate, Replicas};
    let states = Model::check(formed(5, 3), 1, &[Replicas(5), NewTemplate, Replicas(1)]);
    assert!(states > 100_000, "only {states} states");
}

/// A cluster that has reached its target.
fn formed(places: usize, replicas: u32) -> World {
    let mut world = World::new(places, replicas);
    while !world.is_at_goal() {
        calm(&mut world);
        let step = plan(&world.observe(), &world.target());
        assert!(world.execute(&step, false), "{step:?}: {world:?}");
    }
    world
}
