//! Admission: which calls may be sent, decided once for every database.
//!
//! An adapter reads what its ledger holds about the recipes, asks here, and writes what was decided, all under one lock.
//! What a line means for a plan, which only looks, is decided elsewhere.

use super::Intent;
use super::budget::{Budget, Reservation};
use crate::digest::ContentDigest;
use crate::record::{CallAttempt, FAILED_MAX, NewCall};

/// What a ledger holds about one recipe.
#[derive(Debug, Clone, Default)]
pub(super) struct RecipeLedger {
    /// The open line; there is one at most.
    pub open: Option<OpenLine>,
    /// The current original.
    pub original: Option<ContentDigest>,
    /// How many paid lines left a question that nobody has decided.
    pub questions: u64,
    /// How many paid lines failed, likewise.
    pub failed: u64,
}

/// A line of which something is still to come.
#[derive(Debug, Clone)]
pub(super) struct OpenLine {
    /// Its id.
    pub id: String,
    /// Who holds it.
    pub holder: LineHolder,
    /// Whether its call costs nothing.
    pub is_free: bool,
    /// The number of its last request.
    pub attempt: u32,
    /// The task that can be polled, where its call is known to be sent.
    pub task: Option<OpenTask>,
}

/// A task that a service is at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OpenTask {
    /// The service's id.
    pub id: String,
    /// When it became known: milliseconds since 1970 by the state's clock.
    pub submitted_at: i64,
}

/// Who holds a line, as far as matters to a run that asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineHolder {
    /// The run that asks.
    Asking,
    /// Another run, which may be at work.
    Other,
    /// Another run, which is dead.
    Dead,
}

/// Whether the answers to the same question may have been lost before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// It is asked for the first time.
    New,
    /// It was answered, the lines are written, and nothing was sent.
    Repeated,
}

/// What was decided about a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Admission {
    /// It is sent: a line is begun.
    Begun,
    /// It is sent again under its free line, which is the asking run's from now on.
    SentAgain(CallAttempt),
    /// It was begun before, and whoever asked has not heard of it.
    BegunBefore(CallAttempt),
    /// Its task is polled: the line is the asking run's from now on.
    Resumed {
        /// The line.
        call: String,
        /// What is polled.
        task: OpenTask,
    },
    /// The line of a dead run becomes a question: whether it was sent is not known.
    Doubted(String),
    /// Somebody else is at it, or was.
    Elsewhere,
    /// Somebody has to decide about an earlier line.
    Undecided,
    /// It would cost more than a cap leaves.
    Capped,
}

impl Admission {
    /// Returns the answer to whoever asked.
    pub(super) fn intent(self, call: &NewCall) -> Intent {
        match self {
            Self::Begun => Intent::Ours(first_attempt(call)),
            Self::SentAgain(attempt) | Self::BegunBefore(attempt) => Intent::Ours(attempt),
            Self::Resumed { call, task: OpenTask { id, submitted_at } } => {
                Intent::Resumed { call, task: id, submitted_at }
            }
            Self::Elsewhere => Intent::Elsewhere,
            Self::Doubted(_) | Self::Undecided => Intent::Undecided,
            Self::Capped => Intent::Capped,
        }
    }
}

/// Decides about a call, and keeps in mind what that changes for those after it.
pub(super) fn admit(call: &NewCall, known: &mut RecipeLedger, budget: &mut Budget, question: Question) -> Admission {
    let admission = decide(call, known, budget, question);
    match &admission {
        Admission::Begun => {
            let CallAttempt { call: id, number: attempt } = first_attempt(call);
            let is_free = call.estimate.is_free();
            known.open = Some(OpenLine { id, holder: LineHolder::Asking, is_free, attempt, task: None });
        }
        Admission::SentAgain(attempt) => {
            if let Some(line) = &mut known.open {
                line.holder = LineHolder::Asking;
                line.is_free = call.estimate.is_free();
                line.attempt = attempt.number;
                line.task = None;
            }
        }
        Admission::Resumed { .. } => {
            if let Some(line) = &mut known.open {
                line.holder = LineHolder::Asking;
            }
        }
        Admission::Doubted(_) => {
            known.open = None;
            known.questions += 1;
        }
        Admission::BegunBefore(_) | Admission::Elsewhere | Admission::Undecided | Admission::Capped => {}
    }
    admission
}

fn decide(call: &NewCall, known: &RecipeLedger, budget: &mut Budget, question: Question) -> Admission {
    let Some(line) = &known.open else {
        return match () {
            () if is_made(call, known) => Admission::Elsewhere,
            () if known.questions > 0 || known.failed >= FAILED_MAX as u64 => Admission::Undecided,
            () => reserved(call, budget, Admission::Begun),
        };
    };
    let attempt = |number| CallAttempt { call: line.id.clone(), number };
    let again = || Admission::SentAgain(attempt(line.attempt.saturating_add(1)));
    let resumed = |task: &OpenTask| Admission::Resumed { call: line.id.clone(), task: task.clone() };
    match (line.holder, &line.task) {
        (LineHolder::Other, _) => Admission::Elsewhere,
        (LineHolder::Asking, _) if question == Question::Repeated && line.id == call.id => {
            Admission::BegunBefore(attempt(line.attempt))
        }
        (LineHolder::Asking, Some(task)) => resumed(task),
        // Whoever is cut off in the middle of a free call asks nobody.
        (LineHolder::Asking, None) | (LineHolder::Dead, _) if line.is_free => reserved(call, budget, again()),
        // Another of the run's own pictures is at it: whether it was sent is for that one to say.
        (LineHolder::Asking, None) => Admission::Elsewhere,
        (LineHolder::Dead, Some(task)) => resumed(task),
        (LineHolder::Dead, None) => Admission::Doubted(line.id.clone()),
    }
}

fn reserved(call: &NewCall, budget: &mut Budget, admission: Admission) -> Admission {
    match budget.reserve(call.estimate) {
        Reservation::Made => admission,
        Reservation::OverCap => Admission::Capped,
    }
}

/// Tells whether a paid picture is there by now that whoever asks has not seen.
fn is_made(call: &NewCall, known: &RecipeLedger) -> bool {
    !call.estimate.is_free() && known.original.is_some() && known.original != call.gone
}

fn first_attempt(call: &NewCall) -> CallAttempt {
    CallAttempt { call: call.id.clone(), number: 1 }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::Caps;
    use super::super::budget::MoneySpent;
    use super::*;
    use crate::asset::MicroUsd;
    use crate::digest::RecipeDigest;
    use crate::record::Estimate;

    fn digest(number: u8) -> ContentDigest {
        ContentDigest::from_bytes([number; 32])
    }

    fn estimates() -> impl Strategy<Value = Estimate> {
        prop_oneof![Just(Estimate::Free), (0..4_u64).prop_map(|price| Estimate::Paid(MicroUsd(price)))]
    }

    fn tasks() -> impl Strategy<Value = Option<OpenTask>> {
        proptest::option::of(Just(OpenTask { id: "task".to_owned(), submitted_at: 7 }))
    }

    prop_compose! {
        fn lines()(
            holder in prop_oneof![Just(LineHolder::Asking), Just(LineHolder::Other), Just(LineHolder::Dead)],
            is_free: bool,
            attempt in 1..4_u32,
            task in tasks(),
        ) -> OpenLine {
            OpenLine { id: "line".to_owned(), holder, is_free, attempt, task }
        }
    }

    prop_compose! {
        fn ledgers()(
            open in proptest::option::of(lines()),
            original in proptest::option::of((1..3_u8).prop_map(digest)),
            questions in 0..2_u64,
            failed in 0..5_u64,
        ) -> RecipeLedger {
            RecipeLedger { open, original, questions, failed }
        }
    }

    prop_compose! {
        fn calls()(
            number in 0..99_u32,
            recipe in 0..3_u8,
            estimate in estimates(),
            gone in proptest::option::of((1..3_u8).prop_map(digest)),
        ) -> NewCall {
            NewCall {
                id: format!("new-{number}"),
                collection: "pictures".parse().unwrap(),
                key: "a".parse().unwrap(),
                recipe: RecipeDigest::from_bytes([recipe; 32]),
                generator: "kind".to_owned(),
                service: "name".to_owned(),
                model: None,
                estimate,
                account: None,
                gone,
            }
        }
    }

    fn budgets() -> impl Strategy<Value = (u64, u64)> {
        (0..9_u64, 0..9_u64)
    }

    fn budget((run, month): (u64, u64)) -> Budget {
        let caps = Caps { run: Some(MicroUsd(run)), month: Some(MicroUsd(month)) };
        Budget::new(MoneySpent::default(), caps)
    }

    /// Whether a request leaves that may be charged.
    fn is_bought(call: &NewCall, admission: &Admission) -> bool {
        let sent = matches!(admission, Admission::Begun | Admission::SentAgain(_));
        sent && !call.estimate.is_free()
    }

    proptest! {
        #[test]
        fn nothing_is_bought_that_may_be_paid_for(call in calls(), known in ledgers(), caps in budgets()) {
            let admission = admit(&call, &mut known.clone(), &mut budget(caps), Question::New);
            if is_bought(&call, &admission) {
                let free_line = known.open.as_ref().is_some_and(|line| line.is_free);
                prop_assert!(known.open.is_none() || free_line, "a paid line is open");
                prop_assert!(free_line || known.original.is_none() || known.original == call.gone);
                prop_assert!(free_line || known.questions == 0 && known.failed < FAILED_MAX as u64);
                prop_assert!(call.estimate.amount().0 <= caps.0.min(caps.1));
            }
        }

        #[test]
        fn a_living_run_is_never_disturbed(call in calls(), known in ledgers(), caps in budgets()) {
            if known.open.as_ref().is_some_and(|line| line.holder == LineHolder::Other) {
                let admission = admit(&call, &mut known.clone(), &mut budget(caps), Question::New);
                prop_assert_eq!(admission, Admission::Elsewhere);
            }
        }

        #[test]
        fn what_a_dead_run_sent_is_polled_or_asked_about(call in calls(), line in lines(), caps in budgets()) {
            let line = OpenLine { holder: LineHolder::Dead, is_free: false, ..line };
            let mut known = RecipeLedger { open: Some(line.clone()), ..RecipeLedger::default() };
            let admission = admit(&call, &mut known, &mut budget(caps), Question::New);
            match line.task {
                Some(task) => prop_assert_eq!(admission, Admission::Resumed { call: line.id, task }),
                None => {
                    prop_assert_eq!(admission, Admission::Doubted(line.id));
                    let next = admit(&call, &mut known, &mut budget(caps), Question::New);
                    prop_assert_eq!(next, Admission::Undecided);
                }
            }
        }

        #[test]
        fn what_costs_nothing_is_never_capped(call in calls(), known in ledgers()) {
            if call.estimate.amount() == MicroUsd(0) {
                let admission = admit(&call, &mut known.clone(), &mut budget((0, 0)), Question::New);
                prop_assert_ne!(admission, Admission::Capped);
            }
        }

        #[test]
        fn a_batch_stays_within_its_caps_and_buys_each_recipe_once(
            calls in proptest::collection::vec(calls(), 0..12),
            known in proptest::collection::vec(ledgers(), 3),
            caps in budgets(),
        ) {
            let mut budget = budget(caps);
            let mut known: BTreeMap<RecipeDigest, RecipeLedger> =
                (0..3).map(|recipe| RecipeDigest::from_bytes([recipe; 32])).zip(known).collect();
            let (mut bought, mut spent) = (BTreeMap::new(), 0);
            for call in &calls {
                let ledger = known.get_mut(&call.recipe).unwrap();
                let before = ledger.open.as_ref().map(|line| line.attempt);
                let admission = admit(call, ledger, &mut budget, Question::New);
                if let Admission::SentAgain(attempt) = &admission {
                    prop_assert!(Some(attempt.number) > before, "each request has a number of its own");
                }
                if is_bought(call, &admission) {
                    *bought.entry(call.recipe).or_insert(0) += 1;
                    spent += call.estimate.amount().0;
                }
            }
            prop_assert!(bought.values().all(|times| *times == 1), "{bought:?}");
            prop_assert!(spent <= caps.0.min(caps.1));
        }

        #[test]
        fn whoever_lost_the_answer_gets_it_again(call in calls(), known in ledgers(), caps in budgets()) {
            let (mut known, mut budget) = (known, budget(caps));
            let first = admit(&call, &mut known, &mut budget, Question::New);
            if first == Admission::Begun {
                let again = admit(&call, &mut known, &mut budget, Question::Repeated);
                prop_assert_eq!(again.intent(&call), first.intent(&call));
            }
        }
    }
}
