//! One way through apply: a service of the test's own, paid and free, at once and by task, that answers as it is told.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use pixform::apply::{self, ApplyError, Leases, ModelStop, NotAskedBecause, Options, Outcome, Stop, Work};
use pixform::asset::{Cost, MicroUsd, Pace};
use pixform::generator::{
    Answer, CallError, Found, Generator, GeneratorError, Order, PLACEHOLDER, Picture, Placeholder, Progress, ResultUrl,
    Trouble,
};
use pixform::plan::Action;
use pixform::process::Process;
use pixform::record::{Account, Call, CallAttempt, CallStatus};
use pixform::state::{Access, Caps, HistoryQuery, Run, RunOrigin};
use pixform::storage::{Stores, TakeStorage};
use pixform::world::{Addresses, Generators, Service, World};

use pixform::planner::DeclaredManifest;

use crate::laws::{NOW, load, plan_at};

/// What the service does with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    /// Answers with the picture, and what it charged.
    Picture,
    /// Answers with a picture of one colour.
    Flat,
    /// Answers with a task.
    Task,
    /// Answers with a job.
    Batch,
    /// Answers nothing, and made no picture.
    Loses,
    /// Answers nothing, and made the picture.
    Hides,
    /// Says that there is no such model.
    NoModel,
    /// Says that it has no time.
    Busy,
}

/// A service that does as it is told, one request after another, and good pictures when it was told all.
#[derive(Default)]
struct Acme {
    script: Mutex<VecDeque<Does>>,
    asked: Mutex<Vec<CallAttempt>>,
    account: Option<&'static str>,
}

impl Acme {
    fn told(script: &[Does]) -> Arc<Self> {
        Arc::new(Self { script: Mutex::new(script.iter().copied().collect()), ..Self::default() })
    }

    fn asked(&self) -> Vec<CallAttempt> {
        self.asked.lock().unwrap().clone()
    }
}

async fn painted(order: &Order<'_>) -> Picture {
    match Placeholder.submit(order).await.unwrap() {
        Answer::Picture(picture) => Picture { cost: Some(MicroUsd(7_000)), ..picture },
        Answer::Task(_) | Answer::Batch(_) => unreachable!("the placeholder answers at once"),
    }
}

#[async_trait]
impl Generator for Acme {
    async fn submit(&self, order: &Order<'_>) -> Result<Answer, GeneratorError> {
        self.asked.lock().unwrap().push(order.attempt.clone());
        let does = self.script.lock().unwrap().pop_front().unwrap_or(Does::Picture);
        let trouble = |trouble, said: &str| Err(CallError::new(trouble, said).into());
        match does {
            Does::Picture => Ok(Answer::Picture(painted(order).await)),
            Does::Flat => {
                let flat = image::RgbImage::new(order.recipe.width, order.recipe.height);
                let mut bytes = std::io::Cursor::new(Vec::new());
                flat.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
                Ok(Answer::Picture(Picture {
                    bytes: bytes.into_inner().into(),
                    seed: None,
                    cost: Some(MicroUsd(9_000)),
                }))
            }
            Does::Task => Ok(Answer::Task("task-1".to_owned())),
            Does::Batch => Ok(Answer::Batch("job-1".to_owned())),
            Does::Loses | Does::Hides => trouble(Trouble::Ambiguous, "no answer came"),
            Does::NoModel => trouble(Trouble::NoModel, "there is no such model"),
            Does::Busy => trouble(Trouble::Busy(Some(Duration::ZERO)), "too many requests"),
        }
    }

    async fn poll(&self, _task: &str) -> Result<Progress, GeneratorError> {
        Ok(Progress::Running)
    }

    async fn find(&self, _lost: &CallAttempt) -> Result<Found, GeneratorError> {
        match self.script.lock().unwrap().front() {
            Some(Does::Task) => Ok(Found::Task("task-1".to_owned())),
            _ => Ok(Found::CannotTell),
        }
    }

    fn account(&self, store: &str) -> Option<Account> {
        self.account.map(|key| Account::of(store, "acme", "https://acme.example", key))
    }

    async fn download(&self, _result: &ResultUrl) -> Result<Bytes, GeneratorError> {
        Err(CallError::new(Trouble::Gone, "there are no files").into())
    }
}

const PACE: Pace = Pace {
    concurrency: 1,
    images_per_minute: None,
    min_interval: Duration::ZERO,
    deadline: Duration::from_millis(300),
};

/// A manifest of so many images of one model.
fn declared(count: usize) -> DeclaredManifest {
    let values: Vec<String> = (0..count).map(|number| format!("v{number:02}")).collect();
    load(&format!(
        "version: 1\ncollection: laws\nkey: [value]\n\
         defaults: {{ generator: painter, width: 16, height: 16, seed: derived, prompt: \"a {{{{ value }}}}\" }}\n\
         images:\n  - matrix: {{ value: [{}] }}\n\
         renditions: {{ main: {{ format: png, path: \"a/{{{{ value }}}}-{{{{ digest }}}}.{{{{ ext }}}}\" }} }}\n",
        values.join(", ")
    ))
}

async fn world(generator: Arc<Acme>, cost: Cost, pace: Pace) -> Arc<World> {
    let addresses = Addresses { state: "sqlite::memory:", storage: &Stores::of("memory:") };
    let generators = Generators { named: BTreeMap::new(), any: Some(Service { generator, cost, pace }) };
    let world = World::open("local", addresses, Access::Write, generators, "/files/".to_owned()).await.unwrap();
    world.state.migrate().await.unwrap();
    let known = world.state.known().await.unwrap();
    apply::claim(&world, (&known, NOW, TakeStorage::No), apply::Originals::Private, None).await.unwrap();
    Arc::new(world)
}

async fn applied(world: &Arc<World>, declared: &DeclaredManifest, cost: Cost) -> Outcome {
    let prices: BTreeMap<String, MicroUsd> = match cost {
        Cost::Paid => [("painter".to_owned(), MicroUsd(10_000))].into(),
        Cost::Free => BTreeMap::new(),
    };
    let plan = plan_at(world, declared, &prices).await;
    let process = Process::current();
    let run =
        Run { id: fastrand::u64(..).to_string(), command: "apply".to_owned(), process, origin: RunOrigin::default() };
    let leases = Leases::take(&*world.state, &apply::collections(&plan), &run, 0).await.unwrap();
    let work = Work {
        arrangement: None,
        plan: &plan.collections[0],
        assets: Some(&declared.manifest),
        table: declared.manifest.table(),
        moves: Default::default(),
    };
    let options = Options {
        run: &run,
        stop: &Arc::new(Stop::default()),
        prices: &prices,
        caps: Caps::default(),
        unknown_retries: 0,
        parallelism: None,
    };
    let outcome = apply::run(world, &[work], &leases, &options, &|_| {}).await.unwrap();
    leases.release(&*world.state).await;
    world.state.finish_run(&run.id, "done").await.unwrap();
    outcome
}

/// Returns the ledger, oldest first.
async fn ledger(world: &World) -> Vec<Call> {
    let mut calls = Vec::new();
    world.state.history(&HistoryQuery::default(), &mut |line| calls.push(line.call)).await.unwrap();
    calls.sort_by(|one, other| one.id.cmp(&other.id));
    calls
}

fn statuses(calls: &[Call]) -> Vec<CallStatus> {
    calls.iter().map(|call| call.status).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn paid_and_free_pictures_go_the_same_way_and_only_money_tells_them_apart() {
    for (cost, charged) in [(Cost::Paid, 30_000), (Cost::Free, 0)] {
        let acme = Acme::told(&[Does::Busy]);
        let world = world(Arc::clone(&acme), cost, PACE).await;
        let outcome = applied(&world, &declared(3), cost).await;
        assert!(outcome.failed.is_empty() && outcome.ended.is_none(), "{outcome:?}");
        assert_eq!((outcome.done[&Action::Generate], outcome.cost), (3, MicroUsd(charged)));
        let ids: Vec<String> = acme.asked().iter().map(CallAttempt::service_id).collect();
        assert_eq!(ids.len(), 4, "busy is asked again");
        let calls = ledger(&world).await;
        let finished: Vec<&Call> = calls.iter().filter(|call| call.status == CallStatus::Finished).collect();
        assert_eq!(finished.len(), 3);
        assert!(finished.iter().all(|call| call.cost == Some(MicroUsd(7_000))), "what the service says it charged");
        assert!(plan_at(&world, &declared(3), &BTreeMap::new()).await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_free_call_is_made_again_and_a_lost_paid_one_asks() {
    let acme = Acme::told(&[Does::Loses, Does::Picture]);
    let free = world(Arc::clone(&acme), Cost::Free, PACE).await;
    let outcome = applied(&free, &declared(1), Cost::Free).await;
    assert!(outcome.failed.is_empty() && outcome.undecided.is_empty() && outcome.unknown_calls == 0, "{outcome:?}");
    assert_eq!(acme.asked().len(), 2);

    let acme = Acme::told(&[Does::Hides]);
    let paid = world(Arc::clone(&acme), Cost::Paid, PACE).await;
    let outcome = applied(&paid, &declared(1), Cost::Paid).await;
    assert!(matches!(outcome.failed[..], [(_, _, ApplyError::OutcomeUnknown { .. })]), "{outcome:?}");
    assert_eq!((acme.asked().len(), statuses(&ledger(&paid).await)), (1, vec![CallStatus::Unknown]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_call_that_the_service_finds_again_is_no_question() {
    // The second entry is what the service finds.
    let acme = Acme::told(&[Does::Hides, Does::Task]);
    let world = world(Arc::clone(&acme), Cost::Paid, PACE).await;
    let outcome = applied(&world, &declared(1), Cost::Paid).await;
    assert!(matches!(outcome.failed[..], [(_, _, ApplyError::UnderWay { .. })]), "{outcome:?}");
    let calls = ledger(&world).await;
    assert_eq!((statuses(&calls), calls[0].task.as_deref()), (vec![CallStatus::Submitted], Some("task-1")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_written_down_and_left_to_the_next_run() {
    let acme = Acme::told(&[Does::Batch]);
    let world = world(Arc::clone(&acme), Cost::Paid, PACE).await;
    for _ in 0..2 {
        let outcome = applied(&world, &declared(1), Cost::Paid).await;
        assert!(matches!(outcome.failed[..], [(_, _, ApplyError::UnderWay { .. })]), "{outcome:?}");
        let calls = ledger(&world).await;
        assert_eq!((statuses(&calls), calls[0].task.as_deref()), (vec![CallStatus::Submitted], Some("job-1")));
    }
    assert_eq!(acme.asked().len(), 1, "it is asked for once");
}

#[tokio::test(flavor = "multi_thread")]
async fn three_wrong_pictures_in_a_row_stop_their_model() {
    let most = |concurrency: usize| Pace { concurrency, ..PACE };
    for (concurrency, script, charges) in [
        (1, vec![Does::Flat; 20], 3),
        (4, vec![Does::Flat; 20], 3 + 4 - 1),
        (1, [vec![Does::Flat; 2], vec![Does::Picture], vec![Does::Flat; 20]].concat(), 6),
    ] {
        let acme = Acme::told(&script);
        let world = world(Arc::clone(&acme), Cost::Paid, most(concurrency)).await;
        let outcome = applied(&world, &declared(20), Cost::Paid).await;
        let asked = acme.asked().len();
        assert!(asked <= charges && asked >= 3, "{concurrency}: {asked} were asked for");
        let stopped = outcome.failed.iter().filter(|(_, _, error)| {
            let why =
                NotAskedBecause::Model { generator: "painter".parse().unwrap(), model: None, why: ModelStop::Losses };
            matches!(error, ApplyError::NotAsked { why: told, .. } if *told == why)
        });
        assert_eq!(stopped.count(), 20 - asked, "{outcome:?}");
        let lost = ledger(&world).await.into_iter().filter(|call| call.status == CallStatus::Rejected);
        assert!(lost.map(|call| call.cost).all(|cost| cost == Some(MicroUsd(9_000))));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_is_not_there_is_asked_for_once() {
    let acme = Acme::told(&[Does::NoModel]);
    let world = world(Arc::clone(&acme), Cost::Paid, PACE).await;
    let outcome = applied(&world, &declared(5), Cost::Paid).await;
    assert_eq!((acme.asked().len(), outcome.failed.len(), outcome.cost), (1, 5, MicroUsd(0)));
    let said = outcome.failed.iter().filter(|(_, _, error)| matches!(error, ApplyError::Service { .. })).count();
    assert_eq!(said, 1, "it is said once: {outcome:?}");
    assert_eq!(statuses(&ledger(&world).await), [CallStatus::Refused]);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_one_account_share_its_pace_and_free_ones_have_one() {
    let pace = Pace { concurrency: 4, min_interval: Duration::from_millis(40), ..PACE };
    let acme = Acme::told(&[]);
    let world = world(Arc::clone(&acme), Cost::Free, pace).await;
    let begun = std::time::Instant::now();
    let outcome = applied(&world, &declared(6), Cost::Free).await;
    assert!(outcome.failed.is_empty(), "{outcome:?}");
    assert!(begun.elapsed() >= Duration::from_millis(5 * 40), "a free kind keeps its interval");
    assert!(PLACEHOLDER.cost == Cost::Free);
}
