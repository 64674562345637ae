//! Problems, and the reasons by which machines tell them apart.

/// Declares the reasons. The name of a variant is the text that users see.
macro_rules! reasons {
    ($($reason:ident)*) => {
        /// Why a condition has its status, or what an event is about. Part of the API: alerts and
        /// the guide on troubleshooting refer to these texts.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Reason {
            $($reason),*
        }

        impl Reason {
            #[cfg(test)]
            const ALL: &[Self] = &[$(Self::$reason),*];

            /// The text in conditions, events and metrics.
            pub(crate) const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$reason => stringify!($reason)),*
                }
            }
        }
    };
}

reasons! {
    AllMembersServe ApplyFailed BootstrapBegun Bootstrapped Bootstrapping CatchingUp
    CertificatesFailed ClusterIDMismatch ConfigurationRefused ContainerNotStarted CrashLoop DataLost
    DiskDiscarded DiskFull Done Electing Formed Hibernated ImageNotPulled InvalidSpec LeaderMoved
    LeaderMoving LeaveWaits MajorityAnswers MajorityServes MemberDemoted MemberInitialized
    MemberJoined MemberJoining MemberLeaving MemberMissing MemberPromoted MemberRemoved
    MembersUnknown MembershipChange NoLeader NoMemberAnswers NoPassword NoWarning NotAdvised
    NotFormed NotObserved OneCluster ParameterRefused Paused PodRolled QuorumLost RollWaits Rolling
    Scaled Scaling SecretNotRead SecretNotWritten SizesAsAsked StatusNotWritten StepFailed
    StepRefused TimedOut Unschedulable VolumeNotExpanded VolumeNotProvisioned VolumesGrow
    WaitingForPods
}

/// A problem that a person should know about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// What kind of problem it is.
    pub(crate) reason: Reason,
    /// What is wrong and what to do about it.
    pub(crate) message: String,
}

impl Problem {
    /// A problem with this message.
    pub(crate) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guide_on_troubleshooting_explains_only_reasons_that_exist() {
        let guide = include_str!("../../docs/troubleshooting.md");
        let headings = guide.lines().filter_map(|line| line.strip_prefix("## "));
        for heading in headings.flat_map(|heading| heading.split(", ")) {
            let exists = Reason::ALL.iter().any(|reason| reason.as_str() == heading);
            assert!(exists, "{heading}");
        }
    }
}
