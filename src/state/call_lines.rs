//! Ledger lines in SQL, and what came of calls, as far as that needs no database.

use std::collections::BTreeMap;

use crate::record::{CallStatus, Decision};

/// The statuses of an open line, as SQL; the unique index on open lines names the same.
pub(super) const OPEN: &str = "'intended', 'submitted', 'received'";

/// Whether a line has no decision that is carried out: an accepted picture is taken once its line is finished.
pub(super) const UNDECIDED: &str = "(decision IS NULL OR status = 'rejected' AND decision = 'accepted')";

/// Why a dead run's call is unknown.
pub(super) const ENDED: &str = "the run ended before an answer came";

/// Why a line does not become open again.
const RIVAL: &str = "an answer came when another call for the recipe was open";

/// What lines that are not free count for a cap, as SQL: what the service told of a call that is over, and until then the
/// larger of that and the estimate. What was refused was not charged, unless the service told so.
pub(super) const SPENT: &str = "sum(CASE
  WHEN cost IS NOT NULL AND status NOT IN ('intended', 'submitted', 'received') THEN cost
  WHEN status = 'refused' THEN 0
  WHEN cost > estimate THEN cost
  ELSE estimate END)";

/// What is read of an open line: id, holder, whether it is free, the number of its last request, the task of one that is known
/// to be sent, and since when that is known.
pub(super) const OPEN_COLUMNS: &str =
    "id, holder, free, attempt, CASE WHEN status = 'intended' THEN NULL ELSE task END,
  coalesce(submitted_at, created_at)";

/// What paid lines leave a question behind, as SQL.
pub(super) const QUESTIONS: &str = "status IN ('unknown', 'rejected', 'lost', 'judged')";

/// Returns the decision about each line: the first stands.
pub(super) fn first_decisions(decisions: &[(String, Decision)]) -> BTreeMap<&str, Decision> {
    let mut first = BTreeMap::new();
    for (call, decision) in decisions {
        first.entry(call.as_str()).or_insert(*decision);
    }
    first
}

/// Returns the status and the reason of a line that an answer would open while another of its recipe is open: what was
/// paid for stays so. What it was may be a status that this program does not know.
pub(super) fn beside_a_rival(was: Option<CallStatus>, reason: Option<&str>) -> (CallStatus, Option<&str>) {
    let paid = was.filter(|was| matches!(was, CallStatus::Rejected | CallStatus::Lost));
    (paid.unwrap_or(CallStatus::Unknown), reason.or(Some(RIVAL)))
}
