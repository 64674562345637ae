use super::*;

const fn at(incarnation: u64, index: u64) -> Registration {
    Registration { incarnation, index }
}

/// A lineage with these drawn incarnations and this known registration.
fn lineage(registered: Option<Registration>, drawn: &[u64]) -> Lineage {
    Lineage { registered, drawn: drawn.to_vec() }
}

#[test]
fn a_restart_fits_whatever_was_registered_before_it() {
    // Registered and known; registered and not known; several starts without either.
    let mut node = lineage(Some(at(7, 10)), &[]);
    for (drawn, seen) in [(8, at(7, 10)), (9, at(7, 10)), (10, at(8, 20)), (11, at(10, 30))] {
        node.draw(drawn);
        assert!(node.fits(seen), "{node:?}, {seen:?}");
        assert_eq!(node.current(), Some(drawn));
    }
    assert!(node.note_registered(at(10, 30)));
    assert_eq!(node, lineage(Some(at(10, 30)), &[11]));
    assert!(node.note_registered(at(11, 40)) && node.is_registered());
}

#[test]
fn a_copy_and_an_old_state_do_not_fit_what_was_registered_after_they_were_made() {
    let original = lineage(Some(at(7, 10)), &[]);
    let mut copy = original.clone();
    copy.draw(9);
    assert!(copy.fits(at(7, 10)), "nothing has happened since the copy");
    // The original drew 8 at its next start, or at run time.
    assert!(!copy.fits(at(8, 11)));
    assert!(!copy.clone().note_registered(at(8, 11)));
    // The copy was registered first.
    let mut restarted = original;
    restarted.draw(8);
    assert!(!restarted.fits(at(9, 11)));
    // A directory from before the first registration.
    assert!(!lineage(None, &[5, 6]).fits(at(7, 10)));
}

#[test]
fn a_peer_that_lags_proves_nothing() {
    let node = lineage(Some(at(9, 30)), &[10]);
    assert!(node.fits(at(7, 10)) && node.fits(at(8, 29)), "it has not applied what is known here");
    assert!(!node.fits(at(8, 30)), "one entry registers one incarnation");
}

#[test]
fn what_was_registered_earlier_changes_nothing() {
    let mut node = lineage(Some(at(9, 30)), &[10]);
    assert!(node.note_registered(at(7, 10)), "an entry that is applied again at a start");
    assert_eq!(node, lineage(Some(at(9, 30)), &[10]));
}

#[test]
fn drawn_incarnations_are_bounded_and_the_last_one_stays_current() {
    let mut node = Lineage::default();
    (1..=1000).for_each(|incarnation| node.draw(incarnation));
    assert_eq!(node.drawn.len(), LINEAGE_MAX);
    assert_eq!(node.current(), node.drawn.last().copied());
    assert!(node.drawn.iter().all(|drawn| node.fits(at(*drawn, 50))));
}

#[test]
fn a_claimed_registration_fits_until_another_one_replaces_it() {
    let mut node = lineage(Some(at(7, 10)), &[8]);
    node.claim(at(99, 20));
    assert!(node.fits(at(99, 20)) && node.current() == Some(8));
    assert!(!node.fits(at(100, 21)));
    assert!(node.note_registered(at(8, 30)));
}
