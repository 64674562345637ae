//! `ironkv cluster downgrade`: whether the nodes may return to an older version.

use clap::Subcommand;
use futures::future::join_all;
use ironkv_proto::admin::v1::StatusResponse;

use crate::base::feature_level::FeatureLevel;
use crate::cli::client::admin;
use crate::cli::client::tls::Dialer;
use crate::cli::output::{self, Failure, Outcome};

#[derive(Debug, Subcommand)]
pub(super) enum Downgrade {
    /// Show whether every node can be replaced by a version that understands --to-level, and why.
    /// The exit status is 1 if not.
    Check {
        /// The highest feature level that the older version understands; 1 for version 0.1.0, 2
        /// for 0.2.0.
        #[arg(long, default_value_t = FeatureLevel::FIRST.0)]
        to_level: u32,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// The verdict, and what to do.
#[derive(Debug, PartialEq, Eq)]
struct Verdict {
    possible: bool,
    reason: String,
    advice: Option<String>,
}

impl Downgrade {
    pub(super) async fn act(&self, dialer: &Dialer, address: &str) -> Outcome {
        let Self::Check { to_level, json } = self;
        let asked = admin::status(dialer, address).await?;
        let addresses = asked.members.iter().filter_map(|member| member.member.as_ref());
        let answers = join_all(addresses.map(|member| async move {
            (member.node_id, admin::status(dialer, &member.raft_address).await.ok())
        }));
        let answers = answers.await;
        let verdict = judge(FeatureLevel(*to_level), &answers);
        if *json {
            output::line(as_json(&verdict, &answers));
        } else if verdict.possible {
            output::line(format!("yes: {}", verdict.reason));
            verdict.advice.iter().for_each(output::note);
        }
        match verdict {
            Verdict { possible: true, .. } => Ok(()),
            Verdict { reason, advice, .. } => {
                let failure = Failure::new(format!("no: {reason}"));
                Err(match advice {
                    Some(advice) => failure.try_next(advice),
                    None => failure,
                })
            }
        }
    }
}

/// Decides by the status of every member; `None` for a member that does not answer.
fn judge(to: FeatureLevel, answers: &[(u64, Option<StatusResponse>)]) -> Verdict {
    let no = |reason: String, advice: &str| Verdict {
        possible: false,
        reason,
        advice: (!advice.is_empty()).then(|| advice.to_owned()),
    };
    if answers.is_empty() {
        return no("the node belongs to no cluster".to_owned(), "");
    }
    let highest = FeatureLevel::HIGHEST;
    if to > highest {
        let text = format!("this program knows no level above {highest}: use a newer one");
        return no(text, "");
    }
    let known: Vec<(u64, &StatusResponse)> =
        answers.iter().filter_map(|(id, answer)| Some((*id, answer.as_ref()?))).collect();
    let levels = known.iter().map(|(_, status)| FeatureLevel::from_number(status.feature_level));
    let current = levels.max().unwrap_or_default();
    if current > to {
        return no(
            format!(
                "the cluster runs at feature level {current}, and the log and the checkpoints \
                 may hold what a version that understands only level {to} cannot read"
            ),
            "to return nevertheless, create a new cluster with the older version and copy the \
             data into it",
        );
    }
    if !known.iter().any(|(_, status)| admin::is_leader(status) && status.ready) {
        let advice = "try again when the cluster has a leader that can be reached";
        return no("no leader answers, so the feature level is not certain".to_owned(), advice);
    }
    let agrees = |status: &StatusResponse| FeatureLevel::from_number(status.feature_level_agreed);
    let holding: Vec<String> =
        known.iter().filter(|(_, s)| agrees(s) <= to).map(|(id, _)| format!("node {id}")).collect();
    let silent: Vec<String> = answers
        .iter()
        .filter(|(_, answer)| answer.is_none())
        .map(|(id, _)| format!("node {id}"))
        .collect();
    let reason = format!("the cluster runs at feature level {current}");
    let hold = format!("`CONFIG SET cluster-feature-level-max {to}`");
    let mut advice = if !holding.is_empty() {
        let holding = holding.join(", ");
        format!("the level stays there while one of these agrees to no higher one: {holding}")
    } else if !silent.is_empty() {
        format!("the level may rise once all are back: limit it first with {hold} on another node")
    } else {
        format!(
            "every member agrees to a higher level, so it may rise at any time: limit it \
             first with {hold} on any node, then try again"
        )
    };
    if !silent.is_empty() {
        advice += &format!("; no answer from {}", silent.join(", "));
    }
    if holding.is_empty() && silent.is_empty() {
        return no(reason, &advice);
    }
    Verdict { possible: true, reason, advice: Some(advice) }
}

fn as_json(verdict: &Verdict, answers: &[(u64, Option<StatusResponse>)]) -> String {
    let members: Vec<_> = answers
        .iter()
        .map(|(id, answer)| {
            let number = |read: fn(&StatusResponse) -> u32| {
                answer.as_ref().map(|status| FeatureLevel::from_number(read(status)).0)
            };
            serde_json::json!({
                "node_id": id,
                "version": answer.as_ref().map(|status| status.version.as_str()),
                "feature_level": number(|status| status.feature_level),
                "feature_level_understood": number(|status| status.feature_level_understood),
                "feature_level_agreed": number(|status| status.feature_level_agreed),
            })
        })
        .collect();
    serde_json::json!({
        "possible": verdict.possible,
        "reason": verdict.reason,
        "advice": verdict.advice,
        "members": members,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ironkv_proto::admin::v1::Role;

    fn node(level: u32, agreed: u32) -> Option<StatusResponse> {
        Some(StatusResponse {
            feature_level: level,
            feature_level_agreed: agreed,
            ready: true,
            role: Role::Leader.into(),
            ..StatusResponse::default()
        })
    }

    fn check(answers: &[Option<StatusResponse>], possible: bool, text: &str) {
        let answers: Vec<_> = (1..).zip(answers.iter().cloned()).collect();
        let verdict = judge(FeatureLevel::FIRST, &answers);
        let shown = format!("{}; {}", verdict.reason, verdict.advice.unwrap_or_default());
        assert!(verdict.possible == possible && shown.contains(text), "{possible}: {shown}");
    }

    #[test]
    fn a_downgrade_is_possible_until_the_level_has_risen_or_is_about_to() {
        check(&[], false, "belongs to no cluster");
        check(&[node(0, 0), node(1, 2), node(1, 2)], true, "agrees to no higher one: node 1");
        check(&[node(1, 1), node(1, 2)], true, "the level stays there");
        check(&[node(1, 1), None], true, "no answer from node 2");
        check(&[node(1, 2), None], true, "may rise once all are back");
        check(&[node(1, 2), node(1, 2)], false, "may rise at any time");
        check(&[node(1, 1), node(2, 2)], false, "runs at feature level 2");
        check(&[None, None], false, "no leader answers");
        let beyond = judge(FeatureLevel(99), &[(1, node(1, 1))]);
        assert!(!beyond.possible && beyond.reason.contains("no level above"), "{beyond:?}");
    }
}
