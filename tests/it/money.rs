//! Money: whatever fails, lies or is killed, nothing is paid for twice without having been declared, and everything
//! converges.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::fake::FakeNovita;
use crate::fake::behaviour::{Behaviour, Chaos};
use crate::project::{PEOPLE, Project, ran};

/// Killed and faulty runs of all histories together; the long tests ask for 1,000.
const RUNS: u64 = 100;
/// Runs of one history before its faults end.
const RUNS_OF_A_HISTORY: u64 = 5;
/// Faults, of all requests.
const FAULTS: f64 = 0.15;

/// The manifest of [`PEOPLE`] as Novita takes it.
pub fn people() -> String {
    PEOPLE
        .replace("  width: 64\n  height: 96\n", "  width: 128\n  height: 128\n  sampler: DDIM\n  guidance_scale: 7.5\n")
}

/// Writes a configuration in which the manifest's generator is a fake Novita.
pub fn configure(project: &Project, fake: &FakeNovita, more: &str, environment: &str) {
    let (url, state) = (fake.base_url(), project.state_url());
    project.write(
        "pixform.yaml",
        &format!(
            r#"version: 1
environments:
  production:
    state: "{state}"
    storage: {{ url: "file:.pixform/storage" }}
    generators:
      painter: {{ kind: novita, base_url: "{url}", api_key: test-key, price: 0.015, request_timeout: 3s{more} }}
{environment}"#
        ),
    );
}

/// Starts a fake that has no limit.
pub fn fake(latency: u64) -> FakeNovita {
    FakeNovita::start(Behaviour { latency: Duration::from_millis(latency), rate: None, ..Behaviour::default() })
}

/// What a history came to.
#[derive(Debug, Default)]
struct Totals {
    runs: u64,
    killed: u64,
    recipes: u64,
    charges: u64,
    declared: u64,
    failed: u64,
    lost: u64,
}

/// Runs one history: faulty and killed runs, then one that retries what is in doubt, and nothing more to do.
fn history(number: u64, totals: &mut Totals) {
    let fake = fake(15);
    fake.set(|behaviour| behaviour.chaos = Some(Chaos { seed: number, rate: FAULTS }));
    let project = Project::new(&people());
    configure(&project, &fake, ", concurrency: 3, images_per_minute: 100000, deadline: 20s", "");
    let mut random = fastrand::Rng::with_seed(number);
    for run in 0..RUNS_OF_A_HISTORY {
        // Now and then somebody asks for eight other pictures, whatever became of those before.
        if run > 0 && random.bool() {
            project.manifest(&people().replace("model: first", &format!("model: number-{run}")));
        }
        let child = project.start(&["apply", "--yes"]);
        if random.u8(0..3) > 0 {
            std::thread::sleep(Duration::from_millis(random.u64(20..500)));
            // It may have ended by itself.
            let _ = kill_process(Pid::from_child(&child), Signal::KILL);
        }
        let ended = ran(child.wait_with_output().unwrap());
        totals.killed += u64::from(ended.code == 137);
        totals.runs += 1;
        assert!([0, 4, 7, 137].contains(&ended.code), "history {number}: {ended:?}");
        project.assert_no_broken_link();
    }
    fake.set(|behaviour| behaviour.chaos = None);
    fake.clear_faults();
    let last = project.run(&["apply", "--yes", "--retry-unknown", "--retry-lost", "--retry-failed"]);
    assert_eq!(last.code, 0, "history {number}: {last:?}");
    project.assert_settled();
    assert_eq!(project.rows().len(), 8);
    tally(number, &project, &fake, totals);
}

/// Compares what the fake charged with what the ledger says.
fn tally(number: u64, project: &Project, fake: &FakeNovita, totals: &mut Totals) {
    let count = |sql: &str| project.query(sql)[0].parse::<u64>().unwrap();
    let recipes = count("SELECT count(DISTINCT recipe) FROM pixform_calls");
    let declared = count("SELECT count(*) FROM pixform_calls WHERE status = 'unknown' AND decision = 'retried'");
    let failed = count("SELECT count(*) FROM pixform_calls WHERE status = 'failed'");
    let lost = count("SELECT count(*) FROM pixform_calls WHERE status = 'lost' AND decision = 'retried'");
    let charges = fake.charges().len() as u64;
    assert!(
        charges <= recipes + declared + failed + lost,
        "history {number}: {charges} charges for {recipes} recipes, {declared} declared, {failed} failed, {lost} lost"
    );
    // Each charge has a line of its own that does not say that nothing was charged.
    let mut charged: BTreeMap<String, u64> = BTreeMap::new();
    for charge in fake.charges() {
        *charged.entry(charge.recipe).or_insert(0) += 1;
    }
    assert!(charged.len() as u64 <= recipes, "history {number}: a recipe was bought that the ledger does not know");
    let lines = count("SELECT count(*) FROM pixform_calls WHERE status <> 'refused'");
    assert!(charges <= lines, "history {number}: {charges} charges, {lines} lines that may be charged");
    project.assert_painted_once();
    totals.recipes += recipes;
    totals.charges += charges;
    totals.declared += declared;
    totals.failed += failed;
    totals.lost += lost;
}

#[test]
fn nothing_is_paid_for_twice_without_being_declared() {
    let runs = std::env::var("PIXFORM_TEST_MONEY_RUNS").map_or(RUNS, |runs| runs.parse().unwrap());
    let histories = runs / RUNS_OF_A_HISTORY;
    let threads = 4;
    let parts: Vec<Totals> = std::thread::scope(|scope| {
        let part = |part: u64| {
            move || {
                let mut totals = Totals::default();
                (0..histories)
                    .filter(|number| number % threads == part)
                    .for_each(|number| history(number, &mut totals));
                totals
            }
        };
        let handles: Vec<_> = (0..threads).map(|number| scope.spawn(part(number))).collect();
        handles.into_iter().map(|handle| handle.join().unwrap()).collect()
    });
    let sum = |of: fn(&Totals) -> u64| parts.iter().map(of).sum::<u64>();
    let (killed, charges) = (sum(|totals| totals.killed), sum(|totals| totals.charges));
    // Past the test runner, which keeps what passing tests print to itself.
    let _ = writeln!(
        std::io::stdout(),
        "money: {} runs, {killed} of them killed; {} recipes, {charges} charges; {} outcomes declared unknown and retried, {} tasks failed, {} pictures lost",
        sum(|totals| totals.runs),
        sum(|totals| totals.recipes),
        sum(|totals| totals.declared),
        sum(|totals| totals.failed),
        sum(|totals| totals.lost),
    );
    assert!(killed * 5 > runs, "only {killed} of {runs} runs were killed");
    assert!(sum(|totals| totals.declared) > 0, "no outcome was ever unknown: the faults do not reach the ledger");
}
