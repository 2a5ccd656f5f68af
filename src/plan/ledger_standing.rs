//! Standing: what the ledger says about buying a recipe's picture.
//!
//! Before money is spent the lines of earlier calls are read. Most recipes have none. A call that is under way is gone on
//! with; one whose outcome is in doubt stands in the way until somebody decides, because the picture may be paid for.

use std::collections::BTreeMap;

use crate::digest::ContentDigest;
use crate::record::{Call, CallStatus, Decision, FAILED_MAX};

/// What is in doubt about an earlier call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Doubt {
    /// It was sent, and no answer came: it may be charged.
    Unknown,
    /// A whole picture came that is not the one asked for: it is charged, and kept.
    Rejected,
    /// A picture that cannot be taken, because it may not be shown or is no size to work with: it is charged.
    Withheld,
    /// The picture can no longer be fetched: it is charged.
    Lost,
    /// The service failed at it again and again.
    Failed,
    /// The service judged the prompt or the picture, and made none.
    Judged,
}

impl Doubt {
    /// All doubts, in the order in which they are told.
    pub const ALL: [Self; 6] = [Self::Unknown, Self::Rejected, Self::Withheld, Self::Lost, Self::Failed, Self::Judged];

    /// Returns the name in plan documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Rejected => "rejected",
            Self::Withheld => "withheld",
            Self::Lost => "lost",
            Self::Failed => "failed",
            Self::Judged => "judged",
        }
    }

    /// Returns the status of the lines that it is about.
    fn status(self) -> CallStatus {
        match self {
            Self::Unknown => CallStatus::Unknown,
            Self::Rejected | Self::Withheld => CallStatus::Rejected,
            Self::Lost => CallStatus::Lost,
            Self::Failed => CallStatus::Failed,
            Self::Judged => CallStatus::Judged,
        }
    }
}

/// What somebody decided, for every doubt of a kind in the selection.
pub type Verdicts = BTreeMap<Doubt, Decision>;

/// A line of the ledger as it was found.
#[derive(Debug, Clone, Copy)]
pub struct LedgerLine<'l> {
    /// The line.
    pub call: &'l Call,
    /// It is open, and the run that worked on it is dead.
    pub abandoned: bool,
}

/// Which lines are settled by which decision.
pub type Decisions = Vec<(String, Decision)>;

/// What the ledger says about buying a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nothing stands in the way, once these decisions are written down.
    Clear(Decisions),
    /// It is paid for and being made: it is only asked for again.
    UnderWay,
    /// A picture that was rejected is taken after all.
    Accepted {
        /// The digest of its bytes.
        sha256: ContentDigest,
        /// The decisions to write down.
        decisions: Decisions,
    },
    /// Somebody has to decide; what was decided already is written down.
    Undecided {
        /// What is in doubt.
        doubt: Doubt,
        /// Why, in the words of the ledger.
        why: Option<String>,
        /// The digest of the picture that is kept, if any.
        sha256: Option<ContentDigest>,
        /// The decisions to write down.
        decisions: Decisions,
    },
}

/// Reads the lines of one recipe at a paid generator, oldest first.
///
/// `retries_max` is how often a call without an answer is repeated by itself.
pub fn standing(lines: &[LedgerLine<'_>], verdicts: &Verdicts, retries_max: u32) -> Standing {
    let open = |status| lines.iter().any(|line| line.call.status == status);
    if open(CallStatus::Submitted) || open(CallStatus::Received) {
        return Standing::UnderWay;
    }
    let mut decisions = Vec::new();
    let mut written_off = None;
    for doubt in Doubt::ALL {
        let doubtful: Vec<&Call> = lines.iter().filter(|line| is_doubtful(doubt, line)).map(|line| line.call).collect();
        let Some(last) = doubtful.last() else { continue };
        if doubt == Doubt::Failed && doubtful.len() < FAILED_MAX {
            continue;
        }
        let why = last.reason.clone();
        let all = |decision| doubtful.iter().map(move |call| (call.id.clone(), decision));
        let by_itself = || {
            if last.decision.is_some() {
                return last.decision;
            }
            let sent = lines.iter().filter(|line| has_no_answer(line)).count();
            (doubt == Doubt::Unknown && sent <= retries_max as usize).then_some(Decision::Retried)
        };
        match (verdicts.get(&doubt).copied().or_else(by_itself), last.sha256) {
            (Some(Decision::Retried), _) => decisions.extend(all(Decision::Retried)),
            (Some(Decision::Forgotten), _) => {
                decisions.extend(all(Decision::Forgotten));
                written_off = Some((doubt, why, last.sha256));
            }
            (Some(Decision::Accepted), Some(sha256)) => {
                decisions.push((last.id.clone(), Decision::Accepted));
                return Standing::Accepted { sha256, decisions };
            }
            (Some(Decision::Accepted), None) | (None, _) => {
                return Standing::Undecided { doubt, why, sha256: last.sha256, decisions };
            }
        }
    }
    match written_off {
        Some((doubt, why, sha256)) => Standing::Undecided { doubt, why, sha256, decisions },
        None => Standing::Clear(decisions),
    }
}

/// Tells whether a line stands in the way for this reason; one that was decided about does not.
fn is_doubtful(doubt: Doubt, line: &LedgerLine<'_>) -> bool {
    let kept = line.call.sha256.is_some();
    // Who accepts a picture has it only once its line is finished, and a run may end in between.
    let accepted = line.call.status == CallStatus::Rejected && line.call.decision == Some(Decision::Accepted);
    let undecided = line.call.decision.is_none() || accepted;
    let fits = match doubt {
        Doubt::Unknown => has_no_answer(line),
        Doubt::Rejected => line.call.status == doubt.status() && kept,
        Doubt::Withheld => line.call.status == doubt.status() && !kept,
        Doubt::Lost | Doubt::Failed | Doubt::Judged => line.call.status == doubt.status(),
    };
    undecided && fits
}

/// A line whose run died before it could write what came of it is as good as one without an answer.
fn has_no_answer(line: &LedgerLine<'_>) -> bool {
    line.call.status == CallStatus::Unknown || (line.call.status == CallStatus::Intended && line.abandoned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asset::MicroUsd;
    use crate::digest::RecipeDigest;
    use crate::record::Estimate;

    fn call(id: &str, status: CallStatus) -> Call {
        Call {
            id: id.to_owned(),
            run: "run".to_owned(),
            collection: "c".parse().unwrap(),
            key: "a".parse().unwrap(),
            recipe: RecipeDigest::from_bytes([1; 32]),
            generator: "novita".to_owned(),
            service: "novita".to_owned(),
            model: None,
            estimate: Estimate::Paid(MicroUsd(15_000)),
            cost: None,
            attempt: 1,
            account: None,
            status,
            task: None,
            reason: Some("why".to_owned()),
            sha256: (status == CallStatus::Rejected).then(|| ContentDigest::of(b"picture")),
            decision: None,
            created_at: 0,
            updated_at: 0,
        }
    }

    fn check(calls: &[Call], abandoned: bool, verdicts: &[(Doubt, Decision)], retries_max: u32) -> Standing {
        let lines: Vec<_> = calls.iter().map(|call| LedgerLine { call, abandoned }).collect();
        standing(&lines, &verdicts.iter().copied().collect(), retries_max)
    }

    fn undecided(doubt: Doubt) -> Standing {
        let sha256 = (doubt == Doubt::Rejected).then(|| ContentDigest::of(b"picture"));
        Standing::Undecided { doubt, why: Some("why".to_owned()), sha256, decisions: Vec::new() }
    }

    #[test]
    fn a_clean_no_and_what_others_are_at_stand_in_nobodys_way() {
        use CallStatus::{Failed, Finished, Intended, Refused};
        for status in [Refused, Finished, Failed, Intended] {
            assert_eq!(check(&[call("1", status)], false, &[], 0), Standing::Clear(Vec::new()), "{status:?}");
        }
        assert_eq!(check(&[], false, &[], 0), Standing::Clear(Vec::new()));
    }

    #[test]
    fn what_is_under_way_is_gone_on_with() {
        for status in [CallStatus::Submitted, CallStatus::Received] {
            for abandoned in [false, true] {
                let calls = [call("1", CallStatus::Unknown), call("2", status)];
                assert_eq!(check(&calls, abandoned, &[], 0), Standing::UnderWay);
            }
        }
    }

    #[test]
    fn a_doubt_waits_for_its_own_verdict() {
        let doubts = [
            (CallStatus::Unknown, Doubt::Unknown),
            (CallStatus::Rejected, Doubt::Rejected),
            (CallStatus::Lost, Doubt::Lost),
            (CallStatus::Judged, Doubt::Judged),
        ];
        for (status, doubt) in doubts {
            let calls = [call("1", status)];
            assert_eq!(check(&calls, false, &[], 0), undecided(doubt));
            let retried = Standing::Clear(vec![("1".to_owned(), Decision::Retried)]);
            for verdict in Doubt::ALL {
                let found = check(&calls, false, &[(verdict, Decision::Retried)], 0);
                assert_eq!(found, if verdict == doubt { retried.clone() } else { undecided(doubt) });
            }
            let mut decided = call("1", status);
            decided.decision = Some(Decision::Retried);
            assert_eq!(check(&[decided], false, &[], 0), Standing::Clear(Vec::new()));
        }
    }

    #[test]
    fn a_dead_runs_intention_has_no_answer() {
        let calls = [call("1", CallStatus::Intended)];
        assert_eq!(check(&calls, true, &[], 0), undecided(Doubt::Unknown));
    }

    #[test]
    fn the_third_failure_needs_a_verdict() {
        let failed = |count: usize| vec![call("1", CallStatus::Failed); count];
        assert_eq!(check(&failed(2), false, &[], 0), Standing::Clear(Vec::new()));
        assert_eq!(check(&failed(3), false, &[], 0), undecided(Doubt::Failed));
    }

    #[test]
    fn what_is_written_off_is_not_bought_in_the_same_run() {
        let found = check(&[call("1", CallStatus::Unknown)], false, &[(Doubt::Unknown, Decision::Forgotten)], 0);
        let decisions = vec![("1".to_owned(), Decision::Forgotten)];
        assert_eq!(
            found,
            Standing::Undecided { doubt: Doubt::Unknown, why: Some("why".to_owned()), sha256: None, decisions }
        );
    }

    #[test]
    fn only_a_picture_that_is_there_can_be_accepted() {
        let verdicts = [(Doubt::Rejected, Decision::Accepted)];
        let mut rejected = call("1", CallStatus::Rejected);
        let decisions = vec![("1".to_owned(), Decision::Accepted)];
        let accepted = Standing::Accepted { sha256: ContentDigest::of(b"picture"), decisions };
        assert_eq!(check(std::slice::from_ref(&rejected), false, &verdicts, 0), accepted);
        rejected.sha256 = None;
        let withheld = std::slice::from_ref(&rejected);
        assert_eq!(check(withheld, false, &verdicts, 0), undecided(Doubt::Withheld));
        let retried = Standing::Clear(vec![("1".to_owned(), Decision::Retried)]);
        assert_eq!(check(withheld, false, &[(Doubt::Withheld, Decision::Retried)], 0), retried);
    }

    #[test]
    fn a_call_is_repeated_by_itself_as_often_as_the_environment_says() {
        let decided = Call { decision: Some(Decision::Retried), ..call("1", CallStatus::Unknown) };
        let calls = [decided, call("2", CallStatus::Unknown)];
        assert_eq!(check(&calls[1..], false, &[], 1), Standing::Clear(vec![("2".to_owned(), Decision::Retried)]));
        assert_eq!(check(&calls, false, &[], 1), undecided(Doubt::Unknown));
        assert_eq!(check(&calls, false, &[], 2), Standing::Clear(vec![("2".to_owned(), Decision::Retried)]));
    }
}
