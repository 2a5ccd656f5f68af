//! Ledger lines: the rules of what may be sent and what came of it, as far as they need no database.

use super::stored::{signed, unsigned};
use super::{Caps, Intent};
use crate::asset::MicroUsd;
use crate::record::{CallAttempt, CallStatus, Estimate};

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

/// What may still be spent.
pub(super) struct Purse {
    spent: Spent,
    caps: Caps,
}

/// What was spent and reserved before, as the ledger sums it up; only what a cap is on is counted.
#[derive(Clone, Copy, Default)]
pub(super) struct Spent {
    /// By the run.
    pub run: i64,
    /// In this month.
    pub month: i64,
}

impl Purse {
    /// Opens the purse of a run.
    pub(super) fn new(spent: Spent, caps: Caps) -> Self {
        Self { spent, caps }
    }

    /// Reserves what a call will cost, unless that is more than a cap leaves.
    pub(super) fn pays(&mut self, estimate: Estimate) -> bool {
        let price = estimate.amount();
        let add = |spent: i64| spent.saturating_add(signed(price.0));
        let spent = Spent { run: add(self.spent.run), month: add(self.spent.month) };
        let over = |cap: Option<MicroUsd>, spent: i64| cap.is_some_and(|cap| unsigned(spent) > cap.0);
        if price.0 > 0 && (over(self.caps.run, spent.run) || over(self.caps.month, spent.month)) {
            return false;
        }
        self.spent = spent;
        true
    }
}

/// An open line.
#[derive(Clone)]
pub(super) struct Line {
    /// Its id.
    pub id: String,
    /// The run that holds it.
    pub holder: String,
    /// Whether its call costs nothing.
    pub is_free: bool,
    /// The number of its last request.
    pub attempt: u32,
    /// Whether it was not sent yet, as far as is known.
    pub is_intended: bool,
    /// The service's task, once it is known.
    pub task: Option<String>,
    /// When the task became known: milliseconds since 1970 by the state's clock.
    pub submitted_at: i64,
}

impl Line {
    /// Returns what a run that asks again may do with its own line.
    pub(super) fn ours(self) -> Intent {
        match self.task {
            Some(task) if !self.is_intended => Intent::Resumed { call: self.id, task, submitted_at: self.submitted_at },
            _ if self.is_free => Intent::Ours(CallAttempt { call: self.id, number: self.attempt }),
            // Another of our own pictures is at it: whether it was sent is for that one to say.
            _ => Intent::Elsewhere,
        }
    }
}

/// Returns the status and the reason of a line that an answer would open while another of its recipe is open: what was
/// paid for stays so. What it was may be a status that this program does not know.
pub(super) fn beside_a_rival(was: Option<CallStatus>, reason: Option<&str>) -> (CallStatus, Option<&str>) {
    let paid = was.filter(|was| matches!(was, CallStatus::Rejected | CallStatus::Lost));
    (paid.unwrap_or(CallStatus::Unknown), reason.or(Some(RIVAL)))
}
