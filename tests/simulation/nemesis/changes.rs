//! The nemesis of the membership: machines join, are promoted, demoted, removed and replaced, and
//! leadership is transferred, at random. Its requests may be refused, and their outcome may stay
//! unknown.

use std::cell::RefCell;
use std::rc::Rc;

use ironkv::base::ids::NodeId;
use ironkv::consensus::{Change, ChangeError, Expected, Group, expected_from_proto};

use crate::random::Random;
use crate::world::World;

/// The changes, by the names under which they are counted.
pub(crate) const KINDS: [&str; 6] = ["add", "promote", "demote", "remove", "replace", "transfer"];

type Answer = Rc<RefCell<Option<bool>>>;

/// See the module.
pub(crate) struct Changes {
    /// No change leaves fewer voters than this.
    voters_min: usize,
    asked: Vec<(&'static str, Answer)>,
}

impl Changes {
    pub(crate) const fn new(voters_min: usize) -> Self {
        Self { voters_min, asked: Vec::new() }
    }

    /// Requests one change and does not wait for it.
    pub(crate) fn ask(&mut self, world: &mut World, random: &mut Random) {
        let all = world.hosts.len() as u64;
        let [asked, target] = [random.below(all), random.below(all)].map(|host| host as usize);
        let kind = KINDS[random.below(KINDS.len() as u64) as usize];
        let target = world.hosts[target].membership.clone();
        let voters_min = self.voters_min;
        let answer = match (kind, target.node_id()) {
            ("add", _) => {
                // Counted when it has joined, see `World::replace_removed`.
                world.want_another();
                return;
            }
            (_, None) => return,
            ("transfer", id) => {
                let id = id.filter(|_| random.below(2) == 0);
                world.hosts[asked].ask(async move |group| transfer(group, id).await)
            }
            ("promote", Some(id)) => {
                let change = Change::Promote(id);
                world.hosts[asked].ask(async move |group| {
                    group.change(change, Expected::Any, false).await.is_ok()
                })
            }
            ("demote", Some(id)) => world.hosts[asked].ask(async move |group| {
                reduce(group, id, Change::Demote(id), voters_min).await.is_ok()
            }),
            (_, Some(id)) => {
                let stays = kind == "replace";
                let remove = Change::Remove(id);
                world.hosts[asked].ask(async move |group| {
                    let removed = reduce(group, id, remove, voters_min).await.is_ok();
                    if removed && !stays {
                        target.want(false);
                    }
                    removed
                })
            }
        };
        self.asked.push((kind, answer));
    }

    /// Removes a node that ended because its files have decayed, so that its machine joins again
    /// with an empty disk.
    pub(crate) fn replace_damaged(&mut self, world: &mut World, random: &mut Random) {
        let hosts = world.hosts.iter();
        let damaged = hosts.map(|host| &host.membership).find(|machine| machine.is_damaged());
        let Some(target) = damaged.cloned() else { return };
        let Some(id) = target.node_id() else { return target.note_removed() };
        let asked = random.below(world.hosts.len() as u64) as usize;
        let answer = world.hosts[asked].ask(async move |group| {
            let removed = group.change(Change::Remove(id), Expected::Any, false).await;
            let gone = match &removed {
                Ok(_) => true,
                // An earlier attempt had succeeded.
                Err(ChangeError::Refused(text)) => text.contains("is not a member"),
                Err(_) => false,
            };
            if gone && target.is_damaged() {
                target.note_removed();
            }
            removed.is_ok()
        });
        self.asked.push(("replace damaged", answer));
    }

    /// The changes that were made, as far as known.
    pub(crate) fn made(&self) -> impl Iterator<Item = &'static str> {
        let made = self.asked.iter().filter(|(_, answer)| *answer.borrow() == Some(true));
        made.map(|(kind, _)| *kind)
    }
}

async fn transfer(group: Group, target: Option<NodeId>) -> bool {
    group.transfer_leader(target, Expected::Any, false).await.is_ok()
}

/// A change that removes a voter, unless too few would be left.
async fn reduce(
    group: Group,
    id: NodeId,
    change: Change,
    voters_min: usize,
) -> Result<(), ChangeError> {
    let status = group.admin_status();
    let others = status.members.iter().filter(|member| {
        member.voter && member.member.as_ref().is_some_and(|member| member.node_id != id.0)
    });
    if others.count() < voters_min {
        return Err(ChangeError::Refused("too few voters would be left".to_owned()));
    }
    let expected = expected_from_proto(status.membership.as_ref());
    group.change(change, expected, false).await.map(drop)
}
