//! Raft messages between openraft's types and proto.

use ironkv_proto::raft::v1 as proto;
use ironkv_proto::raft::v1::{append_response, transfer_leader_response};
use ironkv_proto::types::v1::{Lineage, Route};
use openraft::raft::{
    AppendEntriesRequest, StreamAppendError, StreamAppendResult, TransferLeaderError,
    TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
};

use super::{
    ConvertError, decode_payload, encode_payload, log_id_from_proto, log_id_to_proto,
    required_vote, vote_to_proto,
};
use crate::base::ids::NodeId;
use crate::consensus::types::{Entry, TypeConfig};

pub(crate) fn append_to_proto(
    route: Route,
    request: &AppendEntriesRequest<TypeConfig>,
) -> proto::AppendRequest {
    proto::AppendRequest {
        route: Some(route),
        vote: Some(vote_to_proto(&request.vote)),
        previous: request.prev_log_id.as_ref().map(log_id_to_proto),
        entries: request.entries.iter().map(entry_to_proto).collect(),
        committed: request.leader_commit.as_ref().map(log_id_to_proto),
        leader: None,
    }
}

pub(crate) fn append_from_proto(
    request: &proto::AppendRequest,
) -> Result<AppendEntriesRequest<TypeConfig>, ConvertError> {
    Ok(AppendEntriesRequest {
        vote: required_vote(request.vote.as_ref())?,
        prev_log_id: request.previous.as_ref().map(log_id_from_proto),
        entries: request.entries.iter().map(entry_from_proto).collect::<Result<_, _>>()?,
        leader_commit: request.committed.as_ref().map(log_id_from_proto),
    })
}

fn entry_to_proto(entry: &Entry) -> proto::Entry {
    proto::Entry {
        log_id: Some(log_id_to_proto(&entry.log_id)),
        payload: encode_payload(&entry.payload),
    }
}

fn entry_from_proto(entry: &proto::Entry) -> Result<Entry, ConvertError> {
    let log_id = entry.log_id.as_ref().ok_or(ConvertError::Missing("log id"))?;
    Ok(Entry { log_id: log_id_from_proto(log_id), payload: decode_payload(&entry.payload)? })
}

pub(crate) fn append_result_to_proto(
    result: &StreamAppendResult<TypeConfig>,
) -> proto::AppendResponse {
    let result = match result {
        Ok(last) => append_response::Result::Matched(proto::Matched {
            last: last.as_ref().map(log_id_to_proto),
        }),
        Err(StreamAppendError::Conflict(at)) => {
            append_response::Result::Conflict(log_id_to_proto(at))
        }
        Err(StreamAppendError::HigherVote(vote)) => {
            append_response::Result::HigherVote(vote_to_proto(vote))
        }
    };
    proto::AppendResponse { result: Some(result), follower: None }
}

pub(crate) fn append_result_from_proto(
    response: &proto::AppendResponse,
) -> Result<StreamAppendResult<TypeConfig>, ConvertError> {
    match response.result.as_ref().ok_or(ConvertError::Missing("append result"))? {
        append_response::Result::Matched(matched) => {
            Ok(Ok(matched.last.as_ref().map(log_id_from_proto)))
        }
        append_response::Result::Conflict(at) => {
            Ok(Err(StreamAppendError::Conflict(log_id_from_proto(at))))
        }
        append_response::Result::HigherVote(vote) => {
            Ok(Err(StreamAppendError::HigherVote(required_vote(Some(vote))?)))
        }
    }
}

pub(crate) fn vote_request_to_proto(
    route: Route,
    request: &VoteRequest<TypeConfig>,
) -> proto::VoteRequest {
    proto::VoteRequest {
        route: Some(route),
        vote: Some(vote_to_proto(&request.vote)),
        last: request.last_log_id.as_ref().map(log_id_to_proto),
        leadership_transfer: request.leadership_transfer,
    }
}

pub(crate) fn vote_request_from_proto(
    request: &proto::VoteRequest,
) -> Result<VoteRequest<TypeConfig>, ConvertError> {
    let vote = required_vote(request.vote.as_ref())?;
    let mut converted = VoteRequest::new(vote, request.last.as_ref().map(log_id_from_proto));
    converted.leadership_transfer = request.leadership_transfer;
    Ok(converted)
}

pub(crate) fn vote_response_to_proto(
    response: &VoteResponse<TypeConfig>,
    lineage: Option<Lineage>,
) -> proto::VoteResponse {
    proto::VoteResponse {
        vote: Some(vote_to_proto(&response.vote)),
        granted: response.vote_granted,
        last: response.last_log_id.as_ref().map(log_id_to_proto),
        lineage,
    }
}

pub(crate) fn vote_response_from_proto(
    response: &proto::VoteResponse,
) -> Result<VoteResponse<TypeConfig>, ConvertError> {
    let vote = required_vote(response.vote.as_ref())?;
    let last = response.last.as_ref().map(log_id_from_proto);
    Ok(VoteResponse::new(vote, last, response.granted))
}

pub(crate) fn transfer_to_proto(
    route: Route,
    request: &TransferLeaderRequest<TypeConfig>,
) -> proto::TransferLeaderRequest {
    proto::TransferLeaderRequest {
        route: Some(route),
        from: Some(vote_to_proto(request.from_leader())),
        to_node_id: request.to_node_id().0,
        last: request.last_log_id().map(log_id_to_proto),
    }
}

pub(crate) fn transfer_from_proto(
    request: &proto::TransferLeaderRequest,
) -> Result<TransferLeaderRequest<TypeConfig>, ConvertError> {
    let from = required_vote(request.from.as_ref())?;
    let last = request.last.as_ref().map(log_id_from_proto);
    Ok(TransferLeaderRequest::new(from, NodeId(request.to_node_id), last))
}

pub(crate) fn transfer_response_to_proto(
    response: &TransferLeaderResponse<TypeConfig>,
) -> proto::TransferLeaderResponse {
    let result = match response {
        Ok(()) => transfer_leader_response::Result::Accepted(proto::Accepted {}),
        Err(TransferLeaderError::VoteChanged { expected, actual }) => {
            transfer_leader_response::Result::VoteChanged(proto::VoteChanged {
                expected: Some(vote_to_proto(expected)),
                actual: Some(vote_to_proto(actual)),
            })
        }
        Err(TransferLeaderError::LogNotFlushed { expected, actual }) => {
            transfer_leader_response::Result::LogNotFlushed(proto::LogNotFlushed {
                expected: expected.as_ref().map(log_id_to_proto),
                actual: actual.as_ref().map(log_id_to_proto),
            })
        }
    };
    proto::TransferLeaderResponse { result: Some(result) }
}

pub(crate) fn transfer_response_from_proto(
    response: &proto::TransferLeaderResponse,
) -> Result<TransferLeaderResponse<TypeConfig>, ConvertError> {
    let result = response.result.as_ref().ok_or(ConvertError::Missing("transfer result"))?;
    Ok(match result {
        transfer_leader_response::Result::Accepted(_) => Ok(()),
        transfer_leader_response::Result::VoteChanged(changed) => {
            Err(TransferLeaderError::VoteChanged {
                expected: required_vote(changed.expected.as_ref())?,
                actual: required_vote(changed.actual.as_ref())?,
            })
        }
        transfer_leader_response::Result::LogNotFlushed(behind) => {
            Err(TransferLeaderError::LogNotFlushed {
                expected: behind.expected.as_ref().map(log_id_from_proto),
                actual: behind.actual.as_ref().map(log_id_from_proto),
            })
        }
    })
}
