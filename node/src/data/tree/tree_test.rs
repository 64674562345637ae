#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Number(u32);

impl Element for Number {
    type Key = u32;

    fn key(&self) -> &u32 {
        &self.0
    }
}

#[derive(Debug, Clone)]
enum Step {
    Insert(usize, u32),
    Push(u32),
    Remove(usize),
    RemoveRange(usize, usize),
    Set(usize, u32),
    Clone,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (any::<usize>(), any::<u32>()).prop_map(|(at, value)| Step::Insert(at, value)),
        8 => any::<u32>().prop_map(Step::Push),
        7 => any::<usize>().prop_map(Step::Remove),
        1 => (any::<usize>(), 0_usize..400).prop_map(|(at, count)| Step::RemoveRange(at, count)),
        2 => (any::<usize>(), any::<u32>()).prop_map(|(at, value)| Step::Set(at, value)),
        1 => Just(Step::Clone),
    ]
}

fn apply(step: &Step, tree: &mut Tree<Number>, model: &mut Vec<u32>) {
    let len = model.len();
    match *step {
        Step::Insert(at, value) => {
            tree.insert(at % (len + 1), Number(value));
            model.insert(at % (len + 1), value);
        }
        Step::Push(value) => {
            tree.push(Number(value));
            model.push(value);
        }
        Step::Remove(at) if len > 0 => {
            assert_eq!(tree.remove(at % len).0, model.remove(at % len));
        }
        Step::RemoveRange(at, count) => {
            let start = at % (len + 1);
            let end = (start + count).min(len);
            tree.remove_range(start..start + count);
            model.drain(start..end);
        }
        Step::Set(at, value) if len > 0 => {
            tree.get_mut(at % len).unwrap().0 = value;
            model[at % len] = value;
        }
        _ => {}
    }
}

/// Counts agree, all leaves have the same depth, no node is empty or too wide. Returns the depth.
fn check_node(node: &Node<Number>) -> usize {
    assert!((1..=node.width_max()).contains(&node.width()));
    let Node::Branch(children) = node else { return 1 };
    let depths: Vec<usize> = children.iter().map(|child| check_node(&child.node)).collect();
    assert!(children.iter().all(|child| child.count == child.node.count()));
    assert!(depths.iter().all(|depth| *depth == depths[0]));
    depths[0] + 1
}

fn check(tree: &Tree<Number>, model: &[u32]) {
    assert_eq!(tree.len(), model.len());
    assert!(tree.iter().map(|number| number.0).eq(model.iter().copied()));
    assert!(tree.iter().rev().map(|number| number.0).eq(model.iter().rev().copied()));
    if let Some(root) = &tree.root {
        check_node(root);
        assert_eq!(root.count(), tree.len());
    } else {
        assert!(model.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_tree_is_a_vector_and_clones_stay_as_they_were(
        start in 0_u32..5000,
        steps in prop::collection::vec(step(), 0..600),
    ) {
        let mut model: Vec<u32> = (0..start).collect();
        let mut tree: Tree<Number> = model.iter().copied().map(Number).collect();
        let mut clones = Vec::new();
        for step in &steps {
            if matches!(step, Step::Clone) {
                clones.push((tree.clone(), model.clone()));
            }
            apply(step, &mut tree, &mut model);
        }
        check(&tree, &model);
        clones.iter().for_each(|(tree, model)| check(tree, model));
    }

    #[test]
    fn an_ordered_tree_is_a_sorted_map(
        steps in prop::collection::vec((any::<bool>(), 0_u32..3000), 0..3000),
        hashed in any::<bool>(),
    ) {
        let mut model = std::collections::BTreeSet::new();
        let mut tree = Tree::new();
        for (add, value) in steps {
            let by = |key: &u32| key.cmp(&value);
            if add {
                prop_assert_eq!(tree.upsert_by(by, Number(value)).is_none(), model.insert(value));
            } else {
                prop_assert_eq!(tree.remove_by(by).is_some(), model.remove(&value));
            }
            let spread = u64::from(value) << if hashed { 52 } else { 0 };
            let is_in = model.contains(&value);
            prop_assert_eq!(tree.find_by(by).is_some(), is_in);
            prop_assert_eq!(tree.find_hashed(spread, by).is_some(), is_in);
            prop_assert_eq!(tree.find_hashed_mut(spread, by).is_some(), is_in);
            let rank = model.range(..value).count();
            prop_assert_eq!(tree.search_by(by), if is_in { Ok(rank) } else { Err(rank) });
        }
        check(&tree, &model.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn branches_know_the_first_key_of_every_child_while_the_ends_change() {
    let mut tree = Tree::new();
    for value in (0..10_000_u32).rev() {
        tree.insert(0, Number(value));
    }
    for first in 0..9_000_u32 {
        tree.remove(0);
        let probe = first + 500;
        assert_eq!(tree.search_by(|key| key.cmp(&probe)), Ok(499));
    }
    assert_eq!(tree.search_by(|key| key.cmp(&0)), Err(0));
}

#[test]
fn a_range_counts_skips_and_meets_in_the_middle() {
    let tree: Tree<Number> = (0..1000).map(Number).collect();
    let mut range = tree.range(100..900);
    assert_eq!(range.len(), 800);
    assert_eq!(range.next().unwrap().0, 100);
    assert_eq!(range.next_back().unwrap().0, 899);
    assert_eq!(range.nth(200).unwrap().0, 301);
    assert_eq!(range.len(), 597);
    assert_eq!(range.by_ref().rev().take(590).last().unwrap().0, 309);
    assert_eq!(range.map(|number| number.0).collect::<Vec<_>>(), (302..309).collect::<Vec<_>>());
    assert_eq!(tree.range(990..2000).len(), 10);
    assert_eq!(tree.range(2000..3000).len(), 0);
}

#[test]
fn removing_most_elements_leaves_no_tall_tree() {
    let mut tree: Tree<Number> = (0..100_000).map(Number).collect();
    tree.remove_range(10..99_990);
    assert_eq!(tree.len(), 20);
    assert_eq!(tree.get(10).unwrap().0, 99_990);
    while !tree.is_empty() {
        tree.remove(tree.len() / 2);
        tree.root.iter().for_each(|root| assert!(check_node(root) <= 3));
    }
    assert!(tree.root.is_none());
}
