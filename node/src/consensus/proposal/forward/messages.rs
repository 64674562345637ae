//! Forwarded work and its answers between our types and proto.

use ironkv_proto::forward::v1 as proto;

use super::{Answer, Answered, Work};
use crate::base::feature_level::FeatureLevel;
use crate::base::group_time::GroupTime;
use crate::base::limits::{ENTRY_BYTES_MAX, FORWARDED_REPLY_BYTES_MAX};
use crate::commands::Executed;
use crate::commands::request::Request;
use crate::consensus::errors::{ProposeError, Refusal};
use crate::consensus::network::convert::{bound_replies, decode_replies, encode_pieces};
use crate::consensus::proposal::pieces::{Added, Assembly, Piece};
use crate::consensus::read::read_index::{Confirmation, ReadPoint};

pub(crate) fn work_to_proto(work: Work) -> proto::forward_request::Work {
    use proto::forward_request::Work as Message;
    match work {
        Work::Propose(request) => Message::Propose(proto::Propose {
            request: request.bytes,
            units: request.units,
            deny_oom: request.deny_oom,
            ..proto::Propose::default()
        }),
        Work::SetParameters(parameters) => {
            let set = |(name, value)| proto::SetParameter { name, value };
            let mut parameters: Vec<_> = parameters.into_iter().map(set).collect();
            // The only form that a leader of version 0.1.0 knows.
            match parameters.pop() {
                Some(only) if parameters.is_empty() => Message::SetParameter(only),
                last => {
                    parameters.extend(last);
                    Message::SetParameters(proto::SetParameters { parameters })
                }
            }
        }
        Work::ReadIndex(confirmation) => {
            let quorum = confirmation == Confirmation::Quorum;
            Message::ReadIndex(proto::ReadIndex { quorum })
        }
    }
}

/// A piece of a request that is sent in several messages.
pub(crate) fn piece_to_proto(request: &Request, piece: Piece) -> proto::forward_request::Work {
    proto::forward_request::Work::Propose(proto::Propose {
        request: piece.bytes,
        units: request.units,
        deny_oom: request.deny_oom,
        total_bytes: piece.total,
        offset: piece.offset,
    })
}

/// Adds a piece to what came before of its request. `Ok` is what can be executed: a whole request,
/// or work that needs no more than its message; `Err(None)` when there is nothing to do yet.
pub(crate) fn join_pieces(
    current: &mut Option<Assembly>,
    id: u64,
    work: proto::forward_request::Work,
) -> Result<proto::forward_request::Work, Option<&'static str>> {
    use proto::forward_request::Work as Message;
    match work {
        Message::Propose(propose) if propose.total_bytes > 0 => {
            let piece = Piece {
                transfer: id,
                offset: propose.offset,
                total: propose.total_bytes,
                bytes: propose.request,
            };
            match Assembly::add(current, &piece) {
                Added::Part => Err(None),
                Added::Whole(request) => Ok(Message::Propose(proto::Propose {
                    request,
                    total_bytes: 0,
                    offset: 0,
                    ..propose
                })),
                Added::OutOfPlace => Err(Some("a piece of it is missing")),
            }
        }
        whole => Ok(whole),
    }
}

pub(crate) fn work_from_proto(work: proto::forward_request::Work) -> Work {
    use proto::forward_request::Work as Message;
    match work {
        Message::Propose(propose) => Work::Propose(Request {
            bytes: propose.request,
            units: propose.units,
            deny_oom: propose.deny_oom,
            // Found when its units are checked.
            needs_level: FeatureLevel::FIRST,
        }),
        Message::SetParameter(set) => Work::SetParameters(vec![(set.name, set.value)]),
        Message::SetParameters(sets) => {
            let sets = sets.parameters.into_iter();
            Work::SetParameters(sets.map(|set| (set.name, set.value)).collect())
        }
        Message::ReadIndex(proto::ReadIndex { quorum: true }) => {
            Work::ReadIndex(Confirmation::Quorum)
        }
        Message::ReadIndex(proto::ReadIndex { quorum: false }) => {
            Work::ReadIndex(Confirmation::Lease)
        }
    }
}

pub(crate) fn answer_from_proto(reply: proto::ForwardReply) -> Answered {
    use proto::forward_reply::Result as Message;
    let time = GroupTime::new(reply.time_epoch, reply.time_ms);
    match reply.result {
        Some(Message::Replies(proto::Replies { encoded, index, times_us, .. })) => {
            decode_replies(encoded)
                .map(|replies| Answer::Executed(Executed { replies, index, times_us }))
                // Executed, but the answer cannot be read.
                .map_err(|_| ProposeError::Unknown)
        }
        Some(Message::ReadIndex(index)) => Ok(Answer::ReadIndex(ReadPoint { index, time })),
        Some(Message::Refused(refused)) => Err(refusal_from_proto(&refused)),
        Some(Message::Unknown(_)) | None => Err(ProposeError::Unknown),
    }
}

fn refusal_from_proto(refused: &proto::Refused) -> ProposeError {
    use proto::refused::Reason;
    ProposeError::NotExecuted(match refused.reason() {
        Reason::NoLeader => Refusal::NoLeader,
        Reason::TooLarge => Refusal::TooLarge,
        Reason::Stopping => Refusal::Stopping,
        Reason::DiskFull => Refusal::DiskFull,
        Reason::Busy => Refusal::Busy,
        Reason::OutOfMemory => Refusal::OutOfMemory,
        Reason::Invalid => Refusal::Invalid(refused.detail.clone()),
        Reason::Unspecified => return ProposeError::Unknown,
    })
}

/// One message, or several for one that takes pieces.
pub(crate) fn answer_to_proto(
    id: u64,
    answered: Answered,
    takes_pieces: bool,
) -> Vec<proto::ForwardReply> {
    use proto::forward_reply::Result as Message;
    let message =
        |result| proto::ForwardReply { id, result: Some(result), ..proto::ForwardReply::default() };
    let Executed { mut replies, index, times_us } = match answered {
        Ok(Answer::Executed(executed)) => executed,
        Ok(Answer::ReadIndex(ReadPoint { index, time })) => {
            let (time_ms, time_epoch) = (time.ms(), time.epoch());
            let reply = message(Message::ReadIndex(index));
            return vec![proto::ForwardReply { time_ms, time_epoch, ..reply }];
        }
        Err(error) => return vec![message(error_to_proto(error))],
    };
    let bytes_max = if takes_pieces { FORWARDED_REPLY_BYTES_MAX } else { ENTRY_BYTES_MAX };
    bound_replies(&mut replies, bytes_max);
    let mut pieces = encode_pieces(&replies);
    if !takes_pieces && pieces.len() > 1 {
        pieces = vec![pieces.concat().into()];
    }
    let last = pieces.pop().unwrap_or_default();
    let first = pieces.into_iter().map(|encoded| proto::Replies {
        encoded,
        more: true,
        ..proto::Replies::default()
    });
    let last = proto::Replies { encoded: last, index, more: false, times_us };
    first.chain([last]).map(|replies| message(Message::Replies(replies))).collect()
}

fn error_to_proto(error: ProposeError) -> proto::forward_reply::Result {
    use proto::forward_reply::Result as Message;
    use proto::refused::Reason;
    let ProposeError::NotExecuted(refusal) = error else {
        return Message::Unknown(proto::Unknown {});
    };
    let (reason, detail) = match refusal {
        Refusal::NoLeader => (Reason::NoLeader, String::new()),
        Refusal::TooLarge => (Reason::TooLarge, String::new()),
        Refusal::Stopping => (Reason::Stopping, String::new()),
        Refusal::DiskFull => (Reason::DiskFull, String::new()),
        Refusal::Busy => (Reason::Busy, String::new()),
        Refusal::OutOfMemory => (Reason::OutOfMemory, String::new()),
        Refusal::Invalid(text) => (Reason::Invalid, text),
        // In words that a follower of version 0.1.0 takes as they are.
        refusal @ Refusal::NeedsLevel { .. } => (Reason::Invalid, refusal.reply().0.into_owned()),
    };
    Message::Refused(proto::Refused { reason: reason.into(), detail })
}
