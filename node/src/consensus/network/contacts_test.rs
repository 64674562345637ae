use super::*;

const A_MOMENT: Duration = Duration::from_millis(10);

fn told(id: u64, matched: u64, answered_ms_ago: Option<u64>) -> MemberReport {
    MemberReport { node_id: id, matched: Some(matched), answered_ms_ago }
}

/// Of a leader that has led for long.
fn report(members: Vec<MemberReport>) -> LeaderReport {
    LeaderReport { members, leading_ms: 60_000, ..LeaderReport::default() }
}

/// Node 2 follows this leader.
fn follower_of(leader: u64) -> Metrics {
    let mut metrics = Metrics::new_initial(NodeId(2));
    metrics.state = ServerState::Follower;
    metrics.current_leader = Some(NodeId(leader));
    metrics.last_log_index = Some(12);
    metrics
}

#[test]
fn a_follower_believes_its_leader_as_long_as_it_hears_it() {
    let contacts = Contacts::default();
    let metrics = follower_of(1);
    let of = |contact_ms, id| contacts.of(&metrics, contact_ms, NodeId(id));
    assert_eq!(of(Some(0), 3), (Contact::Unknown, None));
    let members = vec![told(1, 9, Some(0)), told(3, 7, Some(20)), told(4, 5, Some(2000))];
    contacts.heard((1, NodeId(1)), &report(members), A_MOMENT);
    assert_eq!(of(Some(0), 1), (Contact::Answers, Some(9)));
    assert_eq!(of(Some(0), 2), (Contact::Answers, Some(12)));
    assert_eq!(of(Some(0), 3), (Contact::Answers, Some(7)));
    assert_eq!(of(Some(0), 4), (Contact::Silent, Some(5)));
    assert_eq!(of(Some(0), 5), (Contact::Unknown, None));
    for silence_ms in [Some(1501), None] {
        for id in [1, 3, 4] {
            assert_eq!(of(silence_ms, id).0, Contact::Unknown);
        }
        assert_eq!(of(silence_ms, 2).0, Contact::Answers);
    }
}

#[test]
fn what_was_told_grows_old() {
    let contacts = Contacts::default();
    let members = vec![told(3, 7, Some(500))];
    contacts.heard((1, NodeId(1)), &report(members), Duration::from_millis(1100));
    assert_eq!(contacts.of(&follower_of(1), Some(0), NodeId(3)), (Contact::Silent, Some(7)));
}

#[test]
fn an_older_leader_is_not_believed_and_a_new_one_may_not_know_yet() {
    let contacts = Contacts::default();
    let first = vec![told(3, 7, Some(5))];
    contacts.heard((2, NodeId(1)), &report(first), A_MOMENT);
    let of = || contacts.of(&follower_of(4), Some(0), NodeId(3));
    contacts.heard((1, NodeId(5)), &report(vec![told(3, 1, None)]), A_MOMENT);
    assert_eq!(of(), (Contact::Answers, Some(7)));
    let second = LeaderReport { leading_ms: 40, ..report(vec![told(3, 6, None)]) };
    contacts.heard((3, NodeId(4)), &second, A_MOMENT);
    assert_eq!(of(), (Contact::Unknown, Some(6)));
    contacts.heard((3, NodeId(4)), &report(vec![told(3, 6, None)]), A_MOMENT);
    assert_eq!(of(), (Contact::Silent, Some(6)));
    // A message without them says nothing about them.
    let committed = LeaderReport { committed_index: 20, ..report(Vec::new()) };
    contacts.heard((3, NodeId(4)), &committed, A_MOMENT);
    assert_eq!(contacts.committed(), 20);
    assert_eq!(of(), (Contact::Silent, Some(6)));
}
