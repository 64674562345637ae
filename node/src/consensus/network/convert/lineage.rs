//! What data directories know of themselves.

use ironkv_proto::types::v1 as proto;

use crate::consensus::membership::incarnation::Told;
use crate::data::lineage::{Lineage, Registration};

pub(crate) const fn registration_to_proto(registered: Registration) -> proto::Registration {
    let Registration { incarnation, index } = registered;
    proto::Registration { incarnation, index }
}

pub(crate) const fn registration_from_proto(registered: &proto::Registration) -> Registration {
    let proto::Registration { incarnation, index } = *registered;
    Registration { incarnation, index }
}

/// Absent while nothing was drawn.
pub(crate) fn told_to_proto(told: Told) -> Option<proto::Lineage> {
    let Told { lineage, life } = told;
    let registered = lineage.registered.map(registration_to_proto);
    (!lineage.is_empty()).then_some(proto::Lineage { registered, drawn: lineage.drawn, life })
}

pub(crate) fn told_from_proto(told: &proto::Lineage) -> Told {
    let registered = told.registered.as_ref().map(registration_from_proto);
    Told { lineage: Lineage { registered, drawn: told.drawn.clone() }, life: told.life }
}
