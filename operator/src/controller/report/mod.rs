//! Reports: the status with its conditions, and the events.

mod conditions;
mod diagnosis;
mod events;
mod facts;
mod problem;
mod status;
mod writer;

pub(crate) use diagnosis::Findings;
pub(crate) use events::step_name;
pub(crate) use facts::Facts;
pub(crate) use problem::{Problem, Reason};
pub(crate) use status::latches;
pub(crate) use writer::ReportWriter;
