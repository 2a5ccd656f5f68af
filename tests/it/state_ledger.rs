//! What every state must do with the ledger: who may send a call, what facts become of, what is read of it later.
//!
//! A part of the contract in `state_contract`, held to the same adapters.

use pixform::asset::{MicroUsd, Seed};
use pixform::digest::PlanDigest;
use pixform::process::{Liveness, Process};
use pixform::record::{Account, Call, CallAttempt, CallStatus, Decision, Estimate, FAILED_MAX, NewCall, Original};
use pixform::state::{
    CallFact, Caps, HistoryLine, HistoryQuery, Intent, IsAlive, KeptPlan, Lease, LeaseAnswer, Right, State, StateError,
};

use crate::state_contract::{
    Maker, alive, call, collection, content, contract, dead, key, lease_of, ready, recipe, run,
};

/// What the first call of each test costs.
const PRICE: u64 = 15_000;

pub fn paid(id: &str, number: u32) -> NewCall {
    NewCall {
        generator: "novita".to_owned(),
        service: "novita-sdxl".to_owned(),
        estimate: Estimate::Paid(MicroUsd(PRICE)),
        account: Some(Account::of("store", "novita", "https://api.example.com", "key")),
        ..call(id, number)
    }
}

fn priced(price: u64, call: NewCall) -> NewCall {
    NewCall { estimate: Estimate::Paid(MicroUsd(price)), ..call }
}

fn original(recipe_number: u32, content_number: u32) -> Original {
    Original {
        recipe: recipe(recipe_number),
        sha256: content(content_number),
        path: format!("originals/{recipe_number}/{content_number}.png").parse().unwrap(),
        bytes: 12_345,
        width: 512,
        height: 768,
        seed: Seed::new(Seed::MAX),
    }
}

fn fact(call: &str, status: CallStatus) -> CallFact {
    CallFact { call: call.to_owned(), status, task: None, sha256: None, original: None, reason: None, cost: None }
}

fn made(call: &str, status: CallStatus, original: Original) -> CallFact {
    CallFact { original: Some(original), ..fact(call, status) }
}

fn submitted(call: &str) -> CallFact {
    CallFact { task: Some(format!("task-{call}")), ..fact(call, CallStatus::Submitted) }
}

pub fn ours(id: &str) -> Intent {
    again(id, 1)
}

pub fn again(id: &str, number: u32) -> Intent {
    Intent::Ours(CallAttempt { call: id.to_owned(), number })
}

fn unknowable(_: &Process) -> Liveness {
    Liveness::Unknown
}

/// All of the ledger, newest first.
pub async fn history(state: &dyn State) -> Vec<HistoryLine> {
    asked(state, HistoryQuery::default()).await
}

async fn asked(state: &dyn State, wanted: HistoryQuery) -> Vec<HistoryLine> {
    let mut lines = Vec::new();
    state.history(&wanted, &mut |line| lines.push(line)).await.unwrap();
    lines
}

/// The one line of that id.
async fn line(state: &dyn State, id: &str) -> Call {
    history(state).await.into_iter().map(|line| line.call).find(|call| call.id == id).unwrap()
}

async fn status(state: &dyn State, id: &str) -> CallStatus {
    line(state, id).await.status
}

async fn asks(state: &dyn State, lease: &Lease, calls: &[NewCall], liveness: IsAlive<'_>) -> Vec<Intent> {
    state.intend(Right::Lease(lease), calls, Caps::default(), liveness).await.unwrap()
}

/// A lease of the collection `other` for another run, while the first goes on.
async fn other_run(state: &dyn State) -> Lease {
    lease_of(state, "other", "run-2").await
}

/// Whether the line of that id is open and its holder dead.
async fn is_abandoned(state: &dyn State, id: &str, liveness: IsAlive<'_>) -> bool {
    let seen = state.calls(&[recipe(1)], liveness).await.unwrap();
    seen.iter().find(|seen| seen.call.id == id).unwrap().abandoned
}

fn resumed(intent: &Intent) -> Option<(&str, &str)> {
    match intent {
        Intent::Resumed { call, task, .. } => Some((call, task)),
        _ => None,
    }
}

/// The line of a call that a run has just written.
fn written(call: &NewCall, run: &str) -> Call {
    let NewCall { id, collection, key, recipe, generator, service, model, estimate, account, gone: _ } = call.clone();
    Call {
        id,
        run: run.to_owned(),
        collection,
        key,
        recipe,
        generator,
        service,
        model,
        estimate,
        cost: None,
        attempt: 1,
        account,
        status: CallStatus::Intended,
        task: None,
        reason: None,
        sha256: None,
        decision: None,
        created_at: 0,
        updated_at: 0,
    }
}

async fn a_line_comes_back_as_it_was_written(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    asks(&*state, &lease, &[paid("c1", 1)], &alive).await;
    let found = line(&*state, "c1").await;
    assert!(found.created_at > 1_700_000_000_000 && found.updated_at == found.created_at, "{found:?}");
    let Call { created_at, updated_at, .. } = found;
    assert_eq!(found, Call { created_at, updated_at, ..written(&paid("c1", 1), "run-1") });
}

async fn a_recipe_has_one_open_call(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    let both = [call("c1", 1), call("c2", 2)];
    assert_eq!(asks(&*state, &lease, &both, &alive).await, [ours("c1"), ours("c2")]);
    assert_eq!(asks(&*state, &lease, &[call("c3", 1)], &alive).await, [again("c1", 2)], "a request more");
    let twice = [call("c4", 4), call("c5", 4)];
    assert_eq!(asks(&*state, &lease, &twice, &alive).await, [ours("c4"), again("c4", 2)]);
    let other = other_run(&*state).await;
    let asked = [paid("c6", 1), call("c7", 3)];
    assert_eq!(asks(&*state, &other, &asked, &alive).await, [Intent::Elsewhere, ours("c7")]);
    assert_eq!(asks(&*state, &other, &asked[..1], &unknowable).await, [Intent::Elsewhere]);
    assert_eq!(history(&*state).await.len(), 4);
}

async fn a_dead_runs_free_call_is_taken_over(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    asks(&*state, &lease, &[call("c1", 1)], &alive).await;
    state.settle(&[fact("c1", CallStatus::Received)]).await.unwrap();
    assert_eq!((is_abandoned(&*state, "c1", &alive).await, is_abandoned(&*state, "c1", &dead).await), (false, true));
    let other = other_run(&*state).await;
    let wanted = NewCall { key: key("b/y"), collection: collection("other"), ..call("c2", 1) };
    assert_eq!(asks(&*state, &other, std::slice::from_ref(&wanted), &dead).await, [again("c1", 2)]);
    let Call { created_at, updated_at, .. } = line(&*state, "c1").await;
    let taken = written(&wanted, "run-2");
    assert_eq!(line(&*state, "c1").await, Call { id: "c1".to_owned(), attempt: 2, created_at, updated_at, ..taken });
}

async fn a_dead_runs_paid_call_is_not_sent_again(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    let calls = [paid("c1", 1), paid("c2", 2), paid("c3", 3)];
    asks(&*state, &lease, &calls, &alive).await;
    let without_task = [fact("c2", CallStatus::Submitted), fact("c3", CallStatus::Received)];
    state.settle(&without_task).await.unwrap();
    let other = other_run(&*state).await;
    let asked = [paid("c4", 1), paid("c5", 2), paid("c6", 3), paid("c7", 1)];
    assert_eq!(asks(&*state, &other, &asked[..3], &alive).await, vec![Intent::Elsewhere; 3]);
    assert_eq!(asks(&*state, &other, &asked, &dead).await, vec![Intent::Undecided; 4]);
    assert_eq!(asks(&*state, &other, &asked, &alive).await, vec![Intent::Undecided; 4]);
    for id in ["c1", "c2", "c3"] {
        let Call { status, reason, run, .. } = line(&*state, id).await;
        assert_eq!((status, run.as_str()), (CallStatus::Unknown, "run-1"));
        assert_eq!(reason.as_deref(), Some("the run ended before an answer came"));
    }
    state.settle(&[fact("c1", CallStatus::Refused)]).await.unwrap();
    assert_eq!(asks(&*state, &other, &asked[..1], &dead).await, [ours("c4")]);
}

async fn a_dead_runs_task_is_resumed_by_one(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    asks(&*state, &lease, &[paid("c1", 1), paid("c2", 2)], &alive).await;
    let received = CallFact { sha256: Some(content(2)), ..fact("c2", CallStatus::Received) };
    state.settle(&[submitted("c1"), submitted("c2"), received]).await.unwrap();
    let first = asks(&*state, &lease, &[paid("c3", 1)], &alive).await;
    assert_eq!(resumed(&first[0]), Some(("c1", "task-c1")));
    let other = other_run(&*state).await;
    let asked = [paid("c4", 1), paid("c5", 2)];
    assert_eq!(asks(&*state, &other, &asked, &alive).await, [Intent::Elsewhere, Intent::Elsewhere]);
    let taken = asks(&*state, &other, &asked, &dead).await;
    assert_eq!(taken.iter().map(resumed).collect::<Vec<_>>(), [Some(("c1", "task-c1")), Some(("c2", "task-c2"))]);
    let Intent::Resumed { submitted_at, .. } = taken[0] else { panic!("it is resumed") };
    assert!(submitted_at >= line(&*state, "c1").await.created_at);
    // The line is the second run's now: the first is as dead as before, and a third sees a living holder.
    let third = lease_of(&*state, "third", "run-3").await;
    let second_lives = |process: &Process| alive(process);
    assert_eq!(asks(&*state, &third, &[paid("c6", 1)], &second_lives).await, [Intent::Elsewhere]);
    assert_eq!(resumed(&asks(&*state, &other, &asked[..1], &dead).await[0]), Some(("c1", "task-c1")));
    assert_eq!(line(&*state, "c1").await.run, "run-1", "who sent it pays for it");
    assert_eq!(line(&*state, "c2").await.sha256, Some(content(2)));
}

async fn a_run_that_ended_is_dead_and_one_that_nobody_knows_is_not(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    asks(&*state, &lease, &[paid("c1", 1)], &alive).await;
    let other = other_run(&*state).await;
    assert_eq!(asks(&*state, &other, &[paid("c2", 1)], &unknowable).await, [Intent::Elsewhere]);
    assert!(!is_abandoned(&*state, "c1", &unknowable).await);
    state.finish_run("run-1", "failed").await.unwrap();
    assert!(is_abandoned(&*state, "c1", &alive).await);
    assert_eq!(asks(&*state, &other, &[paid("c2", 1)], &alive).await, [Intent::Undecided]);
    assert!(!is_abandoned(&*state, "c1", &alive).await, "it is no longer open");
}

async fn our_own_call_without_a_task_is_not_sent_twice(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    asks(&*state, &lease, &[paid("c1", 1), call("c2", 2)], &alive).await;
    state.settle(&[fact("c1", CallStatus::Submitted), fact("c2", CallStatus::Submitted)]).await.unwrap();
    let answers = asks(&*state, &lease, &[paid("c3", 1), call("c4", 2)], &alive).await;
    assert_eq!(answers, [Intent::Elsewhere, again("c2", 2)]);
    assert_eq!(status(&*state, "c1").await, CallStatus::Submitted);
}

async fn a_paid_call_that_left_a_question_waits_for_a_decision(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    for (at, end) in [CallStatus::Unknown, CallStatus::Rejected, CallStatus::Lost].into_iter().enumerate() {
        let number = at as u32;
        let [first, second, free] = ["paid", "again", "free"].map(|kind| format!("{kind}-{at}"));
        asks(&*state, &lease, &[paid(&first, number)], &alive).await;
        state.settle(&[fact(&first, end)]).await.unwrap();
        let asked = [paid(&second, number)];
        assert_eq!(asks(&*state, &lease, &asked, &dead).await, [Intent::Undecided], "{end:?}");
        for decision in [Decision::Retried, Decision::Forgotten] {
            state.decide(Right::Lease(&lease), &[(first.clone(), decision)]).await.unwrap();
        }
        let decided = line(&*state, &first).await;
        assert_eq!((decided.status, decided.decision), (end, Some(Decision::Retried)), "the first decision stands");
        assert_eq!(asks(&*state, &lease, &asked, &dead).await, [ours(&second)]);
        // The same of a free kind stands in nobody's way.
        asks(&*state, &lease, &[call(&free, number + 10)], &alive).await;
        state.settle(&[fact(&free, end)]).await.unwrap();
        let next = [call(&second.replace("again", "next"), number + 10)];
        assert!(matches!(asks(&*state, &lease, &next, &alive).await[0], Intent::Ours(_)));
    }
}

async fn failures_are_repeated_a_few_times_and_then_decided(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    for round in 0..2 {
        let ids: Vec<_> = (0..FAILED_MAX).map(|at| format!("c{round}{at}")).collect();
        for id in &ids {
            assert_eq!(asks(&*state, &lease, &[paid(id, 1)], &alive).await, [ours(id)]);
            state.settle(&[fact(id, CallStatus::Failed)]).await.unwrap();
        }
        let asked = [paid("more", 1), paid(&format!("refused{round}"), 2)];
        let answers = asks(&*state, &lease, &asked, &alive).await;
        assert_eq!(answers[0], Intent::Undecided);
        state.settle(&[fact(&asked[1].id, CallStatus::Refused)]).await.unwrap();
        let decisions: Vec<_> = ids.into_iter().map(|id| (id, Decision::Retried)).collect();
        state.decide(Right::Lease(&lease), &decisions).await.unwrap();
    }
    for at in 0..=FAILED_MAX {
        let id = format!("f{at}");
        assert_eq!(asks(&*state, &lease, &[call(&id, 3)], &alive).await, [ours(&id)], "free kinds go on");
        state.settle(&[fact(&id, CallStatus::Failed)]).await.unwrap();
    }
}

async fn only_open_questions_are_decided(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    let calls = [paid("c1", 1), paid("c2", 2), paid("c3", 3), paid("c4", 4)];
    asks(&*state, &lease, &calls, &alive).await;
    let kept = made("c4", CallStatus::Rejected, original(4, 4));
    state.settle(&[fact("c2", CallStatus::Finished), fact("c3", CallStatus::Refused), kept]).await.unwrap();
    let mut all = ["c1", "c2", "c3", "c4", "never"].map(|id| (id.to_owned(), Decision::Accepted)).to_vec();
    // Of two decisions about one line the first stands.
    all.push(("c4".to_owned(), Decision::Forgotten));
    state.decide(Right::Lease(&lease), &all).await.unwrap();
    let decided = history(&*state).await.into_iter().map(|line| line.call.decision).collect::<Vec<_>>();
    assert_eq!(decided, [Some(Decision::Accepted), None, None, None]);
    let accepted = line(&*state, "c4").await;
    assert_eq!((accepted.status, accepted.sha256), (CallStatus::Rejected, Some(content(4))), "until it is settled");
    assert!(state.originals(&[recipe(4)]).await.unwrap().is_empty());
    state.settle(&[made("c4", CallStatus::Finished, original(4, 4))]).await.unwrap();
    assert_eq!(state.originals(&[recipe(4)]).await.unwrap(), [original(4, 4)]);
    assert_eq!(line(&*state, "c4").await.decision, Some(Decision::Accepted));
}

async fn a_picture_that_was_made_meanwhile_is_not_bought(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    asks(&*state, &lease, &[paid("c1", 1)], &alive).await;
    state.settle(&[made("c1", CallStatus::Finished, original(1, 1))]).await.unwrap();
    let other = other_run(&*state).await;
    let asked = paid("d1", 1);
    assert_eq!(asks(&*state, &other, std::slice::from_ref(&asked), &alive).await, [Intent::Elsewhere]);
    // Whoever knows that its file is gone may buy it again; whoever knows of another one may not.
    let knows = |original: Original| NewCall { gone: Some(original.sha256), ..asked.clone() };
    assert_eq!(asks(&*state, &other, &[knows(original(1, 2))], &alive).await, [Intent::Elsewhere]);
    assert_eq!(asks(&*state, &other, &[knows(original(1, 1))], &alive).await, [ours("d1")]);
    assert_eq!(line(&*state, "d1").await.sha256, None, "what is known to be gone is not what it will make");
}

async fn a_cap_holds_for_all_that_a_run_sends(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    let most = |price: u64| Caps { run: Some(MicroUsd(price)), month: None };
    let cap = |calls: u64| most(calls * PRICE);
    let asked = [paid("c1", 1), paid("c2", 2), paid("c3", 3)];
    let answers = state.intend(Right::Lease(&lease), &asked, cap(2), &alive).await.unwrap();
    assert_eq!(answers, [ours("c1"), ours("c2"), Intent::Capped]);
    assert_eq!(history(&*state).await.len(), 2, "what is capped is not written");
    // What another of our own pictures is at is not counted twice; what costs nothing is never capped; a smaller one may still fit.
    let small = priced(1, paid("c5", 5));
    let free = priced(0, paid("c4", 4));
    let answers =
        state.intend(Right::Lease(&lease), &[asked[1].clone(), free, small], most(2 * PRICE + 1), &alive).await;
    assert_eq!(answers.unwrap(), [Intent::Elsewhere, ours("c4"), ours("c5")]);
    let free = priced(0, paid("c6", 6));
    assert_eq!(state.intend(Right::Lease(&lease), &[free], most(0), &alive).await.unwrap(), [ours("c6")]);
    // Only a refused call is known to cost nothing.
    state.settle(&[fact("c1", CallStatus::Failed)]).await.unwrap();
    assert_eq!(state.intend(Right::Lease(&lease), &asked[2..], cap(2), &alive).await.unwrap(), [Intent::Capped]);
    state.settle(&[fact("c1", CallStatus::Refused)]).await.unwrap();
    let little_more = most(2 * PRICE + 1);
    assert_eq!(state.intend(Right::Lease(&lease), &asked[2..], little_more, &alive).await.unwrap(), [ours("c3")]);
    // Another run has a budget of its own, and does not pay for what it resumes.
    state.settle(&[submitted("c2")]).await.unwrap();
    let other = other_run(&*state).await;
    let asked = [paid("d1", 2), paid("d2", 7), paid("d3", 8)];
    let answers = state.intend(Right::Lease(&other), &asked, cap(1), &dead).await.unwrap();
    assert_eq!(
        (resumed(&answers[0]), &answers[1], &answers[2]),
        (Some(("c2", "task-c2")), &ours("d2"), &Intent::Capped)
    );
}

async fn a_months_cap_holds_for_all_runs_together(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    assert_eq!(state.spent_this_month().await.unwrap(), MicroUsd(0));
    let caps = Caps { run: None, month: Some(MicroUsd(2 * PRICE)) };
    let asked = [paid("c1", 1)];
    assert_eq!(state.intend(Right::Lease(&lease), &asked, caps, &alive).await.unwrap(), [ours("c1")]);
    let other = other_run(&*state).await;
    let asked = [paid("d2", 2), paid("d3", 3), priced(0, paid("d4", 4))];
    let answers = state.intend(Right::Lease(&other), &asked, caps, &alive).await.unwrap();
    assert_eq!(answers, [ours("d2"), Intent::Capped, ours("d4")]);
    assert_eq!(state.spent_this_month().await.unwrap(), MicroUsd(2 * PRICE), "what is reserved counts");
    // The lower of two caps wins, whichever it is.
    let both = Caps { run: Some(MicroUsd(PRICE)), month: Some(MicroUsd(9 * PRICE)) };
    assert_eq!(state.intend(Right::Lease(&other), &asked[1..2], both, &alive).await.unwrap(), [Intent::Capped]);
    state.settle(&[fact("c1", CallStatus::Refused)]).await.unwrap();
    assert_eq!(state.spent_this_month().await.unwrap(), MicroUsd(PRICE), "what was refused was not charged");
    assert_eq!(state.intend(Right::Lease(&other), &asked[1..2], caps, &alive).await.unwrap(), [ours("d3")]);
}

async fn what_a_service_told_counts_for_caps_once_a_call_is_over(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    asks(&*state, &lease, &[paid("c1", 1)], &alive).await;
    for (status, cost, spent) in [
        (CallStatus::Submitted, None, PRICE),
        (CallStatus::Submitted, Some(PRICE / 3), PRICE),
        (CallStatus::Received, Some(PRICE * 2), PRICE * 2),
        (CallStatus::Received, None, PRICE * 2),
        (CallStatus::Refused, Some(0), 0),
        (CallStatus::Refused, Some(7), 7),
        (CallStatus::Finished, Some(PRICE / 3), PRICE / 3),
    ] {
        let told = CallFact { cost: cost.map(MicroUsd), ..fact("c1", status) };
        state.settle(&[told]).await.unwrap();
        assert_eq!(state.spent_this_month().await.unwrap(), MicroUsd(spent), "{status:?}, {cost:?}");
    }
    let told = line(&*state, "c1").await;
    assert_eq!((told.estimate, told.cost), (Estimate::Paid(MicroUsd(PRICE)), Some(MicroUsd(PRICE / 3))));
    // What is left of a cap is counted by it.
    let caps = Caps { run: Some(MicroUsd(PRICE + PRICE / 3)), month: Some(MicroUsd(PRICE + PRICE / 3)) };
    let asked = [paid("c2", 2), priced(1, paid("c3", 3))];
    let answers = state.intend(Right::Lease(&lease), &asked, caps, &alive).await.unwrap();
    assert_eq!(answers, [ours("c2"), Intent::Capped]);
}

async fn a_run_without_a_lease_asks_by_its_heartbeat(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    let (asked, caps) = ([paid("d1", 1), paid("d2", 2)], Caps::default());
    let right = Right::Heartbeat { run: "run-2" };
    let silent = |error: StateError| matches!(error, StateError::Silent);
    assert!(silent(state.intend(right, &asked, caps, &alive).await.unwrap_err()), "nobody knows the run");
    assert!(silent(state.beat("run-2").await.unwrap_err()));
    state.start_run(&run("run-2")).await.unwrap();
    state.beat("run-2").await.unwrap();
    asks(&*state, &lease, &[paid("c1", 1)], &alive).await;
    let answers = state.intend(right, &asked, caps, &alive).await.unwrap();
    assert_eq!(answers, [Intent::Elsewhere, ours("d2")], "one open line a recipe, whoever has it");
    state.settle(&[fact("d2", CallStatus::Unknown)]).await.unwrap();
    state.decide(right, &[("d2".to_owned(), Decision::Retried)]).await.unwrap();
    assert_eq!(line(&*state, "d2").await.decision, Some(Decision::Retried));
    state.finish_run("run-2", "done").await.unwrap();
    assert!(silent(state.intend(right, &[paid("d3", 3)], caps, &alive).await.unwrap_err()), "it has ended");
    assert!(silent(state.decide(right, &[("d2".to_owned(), Decision::Forgotten)]).await.unwrap_err()));
}

async fn a_plan_is_kept_under_its_digest(make: Maker<'_>) {
    let state = make().await;
    let digest = PlanDigest::from_bytes([7; 32]);
    assert_eq!(state.kept_plan(&digest).await.unwrap(), None, "where there are no tables");
    ready(&*state).await;
    assert_eq!(state.kept_plan(&digest).await.unwrap(), None);
    let kept = KeptPlan { digest, document: "{\"first\":\"ü\"}".to_owned(), run: "run-1".to_owned() };
    state.keep_plan(&kept).await.unwrap();
    assert_eq!(state.kept_plan(&digest).await.unwrap(), Some(kept.clone()));
    let later = KeptPlan { document: "{}".to_owned(), run: "run-2".to_owned(), ..kept };
    state.keep_plan(&later).await.unwrap();
    assert_eq!(state.kept_plan(&digest).await.unwrap(), Some(later));
}

async fn what_is_taken_over_is_capped_too(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    asks(&*state, &lease, &[call("c1", 1), call("c2", 2)], &alive).await;
    let other = other_run(&*state).await;
    // The generator was a free one when the lines were written, and is paid by now.
    let asked = [priced(PRICE, call("c3", 1)), priced(PRICE, call("c4", 2))];
    let caps = Caps { run: Some(MicroUsd(PRICE)), month: None };
    let answers = state.intend(Right::Lease(&other), &asked, caps, &dead).await.unwrap();
    assert_eq!(answers, [again("c1", 2), Intent::Capped]);
    assert_eq!(line(&*state, "c1").await.estimate, Estimate::Paid(MicroUsd(PRICE)));
    assert_eq!(line(&*state, "c2").await.run, "run-1");
}

async fn the_paid_calls_of_dead_runs_are_doubted(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    let calls = [paid("c1", 1), paid("c2", 2), call("c3", 3), paid("c4", 4)];
    asks(&*state, &lease, &calls, &alive).await;
    state.settle(&[submitted("c2"), fact("c4", CallStatus::Refused)]).await.unwrap();
    assert_eq!(state.doubt(&alive).await.unwrap(), 0);
    assert_eq!(state.doubt(&unknowable).await.unwrap(), 0);
    assert_eq!(state.doubt(&dead).await.unwrap(), 1);
    assert_eq!(state.doubt(&dead).await.unwrap(), 0);
    let found = line(&*state, "c1").await;
    assert_eq!(
        (found.status, found.reason.as_deref()),
        (CallStatus::Unknown, Some("the run ended before an answer came"))
    );
    for (id, stays) in [("c2", CallStatus::Submitted), ("c3", CallStatus::Intended), ("c4", CallStatus::Refused)] {
        assert_eq!(status(&*state, id).await, stays);
    }
}

async fn a_fact_keeps_what_it_does_not_tell(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    asks(&*state, &lease, &[paid("c1", 1)], &alive).await;
    let failed = CallFact { reason: Some("a reason".to_owned()), ..submitted("c1") };
    let received = CallFact { sha256: Some(content(1)), ..fact("c1", CallStatus::Received) };
    state.settle(&[failed, received, fact("c1", CallStatus::Lost)]).await.unwrap();
    let Call { status, task, sha256, reason, .. } = line(&*state, "c1").await;
    assert_eq!((status, task.as_deref(), sha256, reason), (CallStatus::Lost, Some("task-c1"), Some(content(1)), None));
    state.settle(&[fact("never", CallStatus::Failed)]).await.unwrap();
    assert_eq!(history(&*state).await.len(), 1);
}

async fn a_finished_call_makes_its_original_the_current_one(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    asks(&*state, &lease, &[call("c1", 1)], &alive).await;
    state.settle(&[made("c1", CallStatus::Finished, original(1, 1))]).await.unwrap();
    assert_eq!(state.originals(&[recipe(1), recipe(2)]).await.unwrap(), [original(1, 1)]);
    state.settle(&[fact("c1", CallStatus::Failed), fact("c1", CallStatus::Submitted)]).await.unwrap();
    let finished = line(&*state, "c1").await;
    assert_eq!((finished.status, finished.sha256), (CallStatus::Finished, Some(content(1))), "it stays finished");
    asks(&*state, &lease, &[call("c2", 1)], &alive).await;
    state.settle(&[made("c2", CallStatus::Finished, original(1, 2))]).await.unwrap();
    assert_eq!(state.originals(&[recipe(1)]).await.unwrap(), [original(1, 2)]);
    assert_eq!(state.originals_by_content(&[content(1)]).await.unwrap(), [original(1, 1)]);
    assert_eq!(state.paths().await.unwrap().len(), 2);
    state.settle(&[made("never", CallStatus::Finished, original(1, 3))]).await.unwrap();
    assert_eq!(state.originals(&[recipe(1)]).await.unwrap(), [original(1, 3)], "kept without its call");
}

async fn a_rejected_original_is_kept_beside_the_current_one(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    asks(&*state, &lease, &[paid("c1", 1)], &alive).await;
    state.settle(&[made("c1", CallStatus::Finished, original(1, 1))]).await.unwrap();
    asks(&*state, &lease, &[paid("c2", 1)], &alive).await;
    state.settle(&[made("c2", CallStatus::Rejected, original(1, 2))]).await.unwrap();
    assert_eq!(state.originals(&[recipe(1)]).await.unwrap(), [original(1, 1)]);
    assert_eq!(state.originals_by_content(&[content(2)]).await.unwrap(), [original(1, 2)]);
    // The same bytes again, rejected this time: what is published is not taken away.
    state.settle(&[made("c2", CallStatus::Rejected, original(1, 1))]).await.unwrap();
    assert_eq!(state.originals(&[recipe(1)]).await.unwrap(), [original(1, 1)]);
}

async fn a_late_fact_of_a_run_thought_dead_counts(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    asks(&*state, &lease, &[paid("c1", 1)], &alive).await;
    let LeaseAnswer::Taken(other) = state.take_lease(&collection("pictures"), &run("run-2"), &dead).await.unwrap()
    else {
        panic!("the holder is dead");
    };
    for late in [CallStatus::Submitted, CallStatus::Received, CallStatus::Finished] {
        if late == CallStatus::Submitted {
            assert_eq!(asks(&*state, &other, &[paid("c2", 1)], &dead).await, [Intent::Undecided]);
        }
        state.settle(&[CallFact { status: late, ..submitted("c1") }]).await.unwrap();
        let found = line(&*state, "c1").await;
        assert_eq!((found.status, found.task.as_deref(), found.reason), (late, Some("task-c1"), None));
    }
}

async fn a_late_fact_never_opens_a_second_line(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    let ends = [CallStatus::Unknown, CallStatus::Failed, CallStatus::Refused, CallStatus::Rejected, CallStatus::Lost];
    for (at, end) in ends.into_iter().enumerate() {
        let (first, second, number) = (format!("first-{at}"), format!("second-{at}"), at as u32);
        asks(&*state, &lease, &[paid(&first, number)], &alive).await;
        state.settle(&[fact(&first, end)]).await.unwrap();
        state.decide(Right::Lease(&lease), &[(first.clone(), Decision::Retried)]).await.unwrap();
        assert_eq!(asks(&*state, &lease, &[paid(&second, number)], &alive).await, [ours(&second)]);
        let digest = CallFact { sha256: Some(content(1)), ..fact(&first, CallStatus::Received) };
        state.settle(&[submitted(&first), digest]).await.unwrap();
        let late = line(&*state, &first).await;
        let stays = if matches!(end, CallStatus::Rejected | CallStatus::Lost) { end } else { CallStatus::Unknown };
        assert_eq!((late.status, late.task, late.sha256), (stays, Some(format!("task-{first}")), Some(content(1))));
        assert_eq!(late.reason.as_deref(), Some("an answer came when another call for the recipe was open"));
        assert_eq!(status(&*state, &second).await, CallStatus::Intended);
        // A picture that came late is a picture, and the other call may still bring another.
        state.settle(&[made(&first, CallStatus::Finished, original(number, 1))]).await.unwrap();
        state.settle(&[submitted(&first), submitted(&second)]).await.unwrap();
        let both = (status(&*state, &first).await, status(&*state, &second).await);
        assert_eq!(both, (CallStatus::Finished, CallStatus::Submitted));
        assert_eq!(state.originals(&[recipe(number)]).await.unwrap(), [original(number, 1)]);
    }
    let told = CallFact { reason: Some("their words".to_owned()), ..submitted("first-3") };
    asks(&*state, &lease, &[paid("c1", 9)], &alive).await;
    state.settle(&[fact("c1", CallStatus::Unknown)]).await.unwrap();
    state.decide(Right::Lease(&lease), &[("c1".to_owned(), Decision::Retried)]).await.unwrap();
    asks(&*state, &lease, &[paid("c2", 9)], &alive).await;
    state.settle(&[CallFact { call: "c1".to_owned(), ..told }]).await.unwrap();
    assert_eq!(line(&*state, "c1").await.reason.as_deref(), Some("their words"));
}

async fn an_original_that_was_found_settles_the_open_call(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    asks(&*state, &lease, &[call("c1", 1)], &alive).await;
    state.found(&[original(1, 1), original(2, 2)]).await.unwrap();
    assert_eq!(status(&*state, "c1").await, CallStatus::Finished);
    assert_eq!(state.originals(&[recipe(1), recipe(2)]).await.unwrap().len(), 2);
    state.found(&[original(1, 3)]).await.unwrap();
    state.found(&[original(1, 1)]).await.unwrap();
    assert_eq!(state.originals(&[recipe(1)]).await.unwrap(), [original(1, 1)]);
}

async fn the_lines_of_a_recipe_come_oldest_first(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    for id in ["c2", "c1", "c3"] {
        asks(&*state, &lease, &[call(id, 1), call(&format!("{id}-other"), 2)], &alive).await;
        state.settle(&[fact(id, CallStatus::Failed), fact(&format!("{id}-other"), CallStatus::Failed)]).await.unwrap();
    }
    asks(&*state, &lease, &[call("c4", 1)], &alive).await;
    let seen = state.calls(&[recipe(2), recipe(1), recipe(2), recipe(3)], &dead).await.unwrap();
    let told: Vec<_> = seen.iter().map(|seen| (seen.call.id.as_str(), seen.abandoned)).collect();
    let one = [("c1", false), ("c2", false), ("c3", false), ("c4", true)];
    let two = [("c1-other", false), ("c2-other", false), ("c3-other", false)];
    assert!(told == [&one[..], &two].concat() || told == [&two[..], &one].concat(), "{told:?}");
}

async fn the_history_is_told_newest_first_and_with_its_run(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    let other = NewCall { collection: collection("other"), key: key("b/y"), ..paid("c2", 2) };
    asks(&*state, &lease, &[paid("c1", 1), other, paid("c3", 3)], &alive).await;
    let ids = |lines: Vec<HistoryLine>| lines.into_iter().map(|line| line.call.id).collect::<Vec<_>>();
    assert_eq!(ids(history(&*state).await), ["c3", "c2", "c1"]);
    let all = HistoryQuery::default;
    assert_eq!(ids(asked(&*state, HistoryQuery { limit: Some(2), ..all() }).await), ["c3", "c2"]);
    assert_eq!(ids(asked(&*state, HistoryQuery { key: Some(key("b/y")), ..all() }).await), ["c2"]);
    let of = HistoryQuery { collection: Some(collection("pictures")), limit: Some(u64::MAX), ..all() };
    assert_eq!(ids(asked(&*state, of).await), ["c3", "c1"]);
    let now = line(&*state, "c1").await.created_at;
    assert_eq!(asked(&*state, HistoryQuery { since: Some(now - 60_000), ..all() }).await.len(), 3);
    assert!(asked(&*state, HistoryQuery { since: Some(now + 60_000), ..all() }).await.is_empty());
    let told = history(&*state).await.pop().unwrap().run.unwrap();
    let began = run("run-1");
    assert_eq!(
        (told.command, told.process, told.origin, told.ended),
        (began.command, began.process, began.origin, false)
    );
    state.finish_run("run-1", "done").await.unwrap();
    assert!(history(&*state).await.pop().unwrap().run.unwrap().ended);
}

macro_rules! contracts {
    ($($adapter:ident: $maker:expr;)*) => {$(
        contract!($adapter, $maker, [
            a_line_comes_back_as_it_was_written,
            a_recipe_has_one_open_call,
            a_dead_runs_free_call_is_taken_over,
            a_dead_runs_paid_call_is_not_sent_again,
            a_dead_runs_task_is_resumed_by_one,
            a_run_that_ended_is_dead_and_one_that_nobody_knows_is_not,
            our_own_call_without_a_task_is_not_sent_twice,
            a_paid_call_that_left_a_question_waits_for_a_decision,
            failures_are_repeated_a_few_times_and_then_decided,
            only_open_questions_are_decided,
            a_picture_that_was_made_meanwhile_is_not_bought,
            a_cap_holds_for_all_that_a_run_sends,
            what_is_taken_over_is_capped_too,
            a_months_cap_holds_for_all_runs_together,
            what_a_service_told_counts_for_caps_once_a_call_is_over,
            a_run_without_a_lease_asks_by_its_heartbeat,
            a_plan_is_kept_under_its_digest,
            the_paid_calls_of_dead_runs_are_doubted,
            a_fact_keeps_what_it_does_not_tell,
            a_finished_call_makes_its_original_the_current_one,
            a_rejected_original_is_kept_beside_the_current_one,
            a_late_fact_of_a_run_thought_dead_counts,
            a_late_fact_never_opens_a_second_line,
            an_original_that_was_found_settles_the_open_call,
            the_lines_of_a_recipe_come_oldest_first,
            the_history_is_told_newest_first_and_with_its_run,
        ]);
    )*};
}

contracts! {
    sqlite_in_memory: crate::state_sqlite::memory;
    sqlite_in_a_file: crate::state_sqlite::Folder::new().maker();
    postgres: crate::postgres::direct;
    postgres_behind_a_pooler: crate::postgres::pooled;
}
