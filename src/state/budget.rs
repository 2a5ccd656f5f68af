//! The budget: what a run may still spend, by the caps that are on it.

use super::Caps;
use super::stored_form::{signed, unsigned};
use crate::asset::MicroUsd;
use crate::record::Estimate;

/// What may still be spent.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    spent: MoneySpent,
    caps: Caps,
}

/// What was spent and reserved before, as the ledger sums it up; only what a cap is on is counted.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct MoneySpent {
    /// By the run.
    pub run: i64,
    /// In this month.
    pub month: i64,
}

/// Whether money was set aside for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reservation {
    /// It was, or the call costs nothing.
    Made,
    /// It would be more than a cap leaves.
    OverCap,
}

impl Budget {
    /// Makes the budget of a run.
    pub(super) fn new(spent: MoneySpent, caps: Caps) -> Self {
        Self { spent, caps }
    }

    /// Reserves what a call will cost, unless that is more than a cap leaves. What costs nothing is never capped.
    pub(super) fn reserve(&mut self, estimate: Estimate) -> Reservation {
        let price = estimate.amount();
        let add = |spent: i64| spent.saturating_add(signed(price.0));
        let spent = MoneySpent { run: add(self.spent.run), month: add(self.spent.month) };
        let over = |cap: Option<MicroUsd>, spent: i64| cap.is_some_and(|cap| unsigned(spent) > cap.0);
        if price.0 > 0 && (over(self.caps.run, spent.run) || over(self.caps.month, spent.month)) {
            return Reservation::OverCap;
        }
        self.spent = spent;
        Reservation::Made
    }
}
