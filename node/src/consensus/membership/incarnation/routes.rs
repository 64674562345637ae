//! What messages between nodes say of both ends, and who is refused.

use ironkv_proto::types::v1::{self as types, Route};
use prost::Message;
use tonic::{Code, Status};

use super::Doubt;
use crate::base::ids::NodeId;
use crate::base::seeded::{Bug, seeded};
use crate::consensus::network::channels::Identity;
use crate::consensus::network::convert::{
    registration_from_proto, registration_to_proto, told_from_proto, told_to_proto,
};
use crate::consensus::shared::Shared;
use crate::data::lineage::{Lineage, Registration};

/// Whether a directory of this lineage can be the one of which this is registered.
fn fits(lineage: &Lineage, registered: Registration) -> bool {
    lineage.fits(registered) || seeded(Bug::IncarnationIgnored)
}

/// Why a directory is known to be no longer its node's.
pub(super) fn not_of(id: NodeId, registered: Registration) -> String {
    format!(
        "log entry {} registered an incarnation of node {id} that this data directory never drew: \
         it is a copy, or an old state was put back",
        registered.index
    )
}

impl Shared {
    /// The head of a message to another node.
    pub(crate) fn route_to(&self, identity: &Identity, target: NodeId) -> Route {
        Route {
            sender_node_id: identity.node_id.0,
            sender: told_to_proto(self.incarnations.told()),
            target: self.standings.registration_of(target).map(registration_to_proto),
            ..identity.route_to(target)
        }
    }

    /// Whether a message may be heeded: it is for this node, this directory is the one that it is
    /// for, and the sender's is the one that is registered. A message of version 0.1.0 does not
    /// name its sender; `claimed` is the one that it speaks for.
    pub(crate) fn accept(
        &self,
        identity: &Identity,
        route: Option<&Route>,
        claimed: Option<NodeId>,
    ) -> Result<(), Status> {
        identity.accept(route).map_err(Status::failed_precondition)?;
        let Some(route) = route else { return Ok(()) };
        if let Some(doubt) = self.incarnations.doubts().now() {
            return Err(Status::unavailable(format!("this node takes no part: {doubt}")));
        }
        let sender = match route.sender_node_id {
            0 => claimed,
            id => Some(NodeId(id)),
        };
        // First: what comes from a copy says nothing about this node.
        if let Some(sender) = sender {
            self.check_lineage(identity, sender, route.sender.as_ref())?;
        }
        if let Some(registered) = route.target.as_ref().map(registration_from_proto)
            && !self.heed_registration(identity.node_id, registered, sender)
        {
            return Err(self.superseded(identity, identity.node_id, registered));
        }
        Ok(())
    }

    /// As [`Shared::accept`], for a message that must come from the one process that speaks for its
    /// node: a candidate's.
    pub(crate) fn accept_candidate(
        &self,
        identity: &Identity,
        route: Option<&Route>,
        candidate: NodeId,
    ) -> Result<(), Status> {
        self.accept(identity, route, Some(candidate))?;
        let sender = route.and_then(|route| route.sender.as_ref());
        let second = sender.is_some_and(|told| self.incarnations.is_second(candidate, told.life));
        if second && self.standings.registration_of(candidate).is_some() {
            self.incarnations.ask_to_renew(candidate);
            let text =
                format!("another process answers as node {candidate}; one of them is a copy");
            return Err(Status::unavailable(text));
        }
        Ok(())
    }

    /// Whether what a node says counts: its directory is the one that is registered for it.
    pub(crate) fn check_lineage(
        &self,
        identity: &Identity,
        id: NodeId,
        told: Option<&types::Lineage>,
    ) -> Result<(), Status> {
        let Some(registered) = self.standings.registration_of(id) else { return Ok(()) };
        let Some(told) = told.map(told_from_proto) else {
            let text = format!("node {id} tells no incarnation, and one is registered for it");
            return Err(Status::failed_precondition(text));
        };
        if !fits(&told.lineage, registered) {
            return Err(self.superseded(identity, id, registered));
        }
        if id == identity.node_id && !self.incarnations.is_own(&told) {
            self.incarnations.renew_at_once();
            let text = format!("this is node {id}, and the message comes from a second one");
            return Err(Status::failed_precondition(text));
        }
        Ok(())
    }

    /// A refusal by another node: it may say that this node's directory is a copy or an old state.
    pub(crate) fn heed_refusal(&self, identity: &Identity, from: NodeId, status: &Status) {
        if status.code() != Code::FailedPrecondition || status.details().is_empty() {
            return;
        }
        let Ok(said) = types::Superseded::decode(status.details()) else { return };
        let own = said.cluster_id == identity.cluster_id.0 && said.node_id == identity.node_id.0;
        if let (true, Some(registered)) = (own, &said.registered)
            && self.check_lineage(identity, from, said.sender.as_ref()).is_ok()
        {
            let registered = registration_from_proto(registered);
            self.heed_registration(identity.node_id, registered, Some(from));
        }
    }

    /// Another node says that this is registered for this node. When this directory never drew it,
    /// the node takes no part until the members were asked, unless a majority works with it. A node
    /// that this one does not know may be of a newer membership with other majorities.
    fn heed_registration(
        &self,
        own: NodeId,
        registered: Registration,
        from: Option<NodeId>,
    ) -> bool {
        if fits(&self.incarnations.lineage(), registered) {
            return true;
        }
        match from {
            Some(from) if self.standings.is_removed(from) => {}
            Some(from) if self.address_of(from).is_some() => self.heed_objection(own, registered),
            _ => self.doubt(Doubt::superseded(own, registered)),
        }
        false
    }

    /// The log says so here, or a majority of the voters: this directory is a copy or an old state.
    /// Remembered on disk, so that it is never served again.
    pub(crate) fn become_superseded(&self, own: NodeId, registered: Registration) {
        if !seeded(Bug::IncarnationIgnored) {
            self.supersede(&not_of(own, registered), registered);
        }
    }

    /// A refusal that says why in a form that no proxy makes up.
    fn superseded(&self, identity: &Identity, id: NodeId, registered: Registration) -> Status {
        let said = types::Superseded {
            cluster_id: identity.cluster_id.0.clone(),
            node_id: id.0,
            registered: Some(registration_to_proto(registered)),
            sender: told_to_proto(self.incarnations.told()),
        };
        let text = format!(
            "node {id} runs on a copy or on an old state of its data directory: it never drew the \
             incarnation that log entry {} registered",
            registered.index
        );
        Status::with_details(Code::FailedPrecondition, text, said.encode_to_vec().into())
    }
}
